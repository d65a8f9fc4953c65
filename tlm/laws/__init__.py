"""Conservation laws, checked at the end of every run from quantities counted apart.

A run that breaks a law is INVALID: its figures are not to be used. No law uses the
code that it checks. It is handed the finished chip, whose counters it reads, and the program, and
compares them with each other or with what :mod:`tlm.laws.due` (what is due) derives anew from the
job. What this room may import stands in ``pyproject.toml``, under "laws may import only".

========================= =========================================================================
file                      laws
========================= =========================================================================
``completeness.py``       Nothing is left undone: no tile, completion, transaction, packet or burst.
``timing.py``             Every engine's time is accounted for; every channel refreshes in time.
``traffic.py``            Bytes, bursts, messages and flits: sent = received = charged.
``weight_fetches.py``     All weights that a core uses were fetched since others took their place.
``held_operands.py``      What a matmul has in the place of weights came for each of its blocks.
``weight_buffers.py``     What is written into a weight buffer came from DRAM or from its stage.
``dram_commands.py``       Sampled DRAM commands keep every timing of the device's data sheet.
``dram_contents.py``      Tensors are moved whole, and no byte is read before it was written.
``message_sizes.py``      Every message has the bytes that its data take.
``input_windows.py``      Rows of inputs that FP keeps fit the room they have; all are read.
``input_sums.py``          No more is added up of several sources than was fetched of them.
``gradient_windows.py``   Rows of dY from DRAM that BP keeps fit the room they have.
``occupancy.py``          What a plan keeps in the memories of a core fits there, at every turn.
``alternation.py``         No more samples of dY are in a core at a time than have room there.
``order.py``              What is sent is waited for, where it arrives, from all that must send it.
``work.py``               All results and operations due are done, each exactly once.
``inference.py``          Inference is a forward pass alone; every sample is decided, in its turn.
``array_work.py``         Slots, cycles and words of sampled tiles follow from the masks.
``unit_cycles.py``        Tiles of the units take as long as their lanes need.
``units.py``              Units beside the arrays work and use their memories as often as is due.
``energy.py``             The energy is the counts of the units times the prices of the table.
``bounds.py``             No run is faster than its busiest part, or than the roofline; none moves
                          fewer DRAM bytes than ``least_dram.py`` says of the job.
========================= =========================================================================
"""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.laws.alternation import alternation
from tlm.laws.array_work import array_work
from tlm.laws.bounds import (
    least_dram_check,
    lower_bound_checks,
    lower_bounds_ps,
)
from tlm.laws.check import Check
from tlm.laws.completeness import completeness
from tlm.laws.dram_bounds import bounds_by_class
from tlm.laws.dram_commands import dram_commands
from tlm.laws.dram_contents import dram_contents
from tlm.laws.due import Due
from tlm.laws.energy import Bill, energy_counts, energy_prices, energy_sum
from tlm.laws.gradient_windows import gradient_windows
from tlm.laws.held_gradients import held_gradients
from tlm.laws.held_operands import held_operands
from tlm.laws.inference import decisions, forward_alone, samples_in_turn
from tlm.laws.input_sums import input_sums
from tlm.laws.input_windows import input_windows
from tlm.laws.least_dram import least_nbytes
from tlm.laws.message_sizes import message_sizes
from tlm.laws.occupancy import occupancy
from tlm.laws.order import arrivals, group_departures
from tlm.laws.samples import samples
from tlm.laws.tile_table import TileTable
from tlm.laws.timing import engine_time, refreshes
from tlm.laws.traffic import (
    dram_traffic,
    flit_traffic,
    message_traffic,
    reduction_traffic,
    tensor_traffic,
)
from tlm.laws.unit_cycles import unit_cycles
from tlm.laws.units import unit_accesses, unit_operations
from tlm.laws.weight_buffers import weight_buffers
from tlm.laws.weight_fetches import weight_fetches
from tlm.laws.work import (
    all_operations,
    executed_slots,
    results,
    synaptic_operations,
    useful_operations,
)
from tlm.space.program import Program

__all__ = [
    "Bill", "Check", "bounds_by_class", "check_run",
    "least_nbytes", "lower_bound_checks", "lower_bounds_ps",
]  # fmt: skip


def check_run(chip: Chip, program: Program, due: Due, bill: Bill) -> list[Check]:
    """All laws of a settled run of ``program``, which had to do what is ``due``."""
    table = TileTable(program, due.regions)
    blocks = list(samples(table, due.job))
    return [
        *completeness(chip),
        *dram_traffic(chip, table),
        *tensor_traffic(chip, table, due),
        *refreshes(chip),
        *dram_commands(chip),
        *message_traffic(chip, table),
        *message_sizes(table, blocks, due),
        *reduction_traffic(chip, table, due),
        *flit_traffic(chip),
        *weight_fetches(table, due),
        *weight_buffers(table, chip.engines, due),
        *held_operands(table, due),
        *held_gradients(table, due),
        *dram_contents(table, due),
        *input_windows(table, due),
        *input_sums(table, due),
        *gradient_windows(table, due),
        *occupancy(table, due),
        *alternation(table, due),
        *arrivals(program, due),
        *group_departures(program),
        *results(chip, due),
        *useful_operations(chip, due),
        *all_operations(chip, due),
        *synaptic_operations(chip, due),
        *forward_alone(program, due),
        *decisions(program, due),
        *samples_in_turn(program, due),
        *unit_operations(chip, due),
        *unit_accesses(chip, due),
        *executed_slots(chip),
        *array_work(blocks, due),
        *unit_cycles(table, due),
        *engine_time(chip),
        *energy_sum(bill),
        *energy_counts(chip, bill),
        *energy_prices(chip, bill),
        *lower_bound_checks(chip, table),
        *least_dram_check(chip, due),
    ]
