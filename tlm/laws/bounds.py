"""Lower bounds: times that no run can beat."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.hardware.chip import Chip
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.least_dram import least_nbytes
from tlm.laws.tile_table import TileTable
from tlm.space.phase import ENGINES
from tlm.space.trace_rows import EngineState


def lower_bounds_ps(chip: Chip) -> dict[str, int]:
    """Times in ps that no run can beat: the busiest engine, link and channel."""
    period = chip.network.period_ps
    engine = max(e.spent_ps[EngineState.COMPUTE] for e in chip.engines)
    bounds = {"busiest engine": engine}
    if chip.network.contended:
        bounds["busiest link"] = max(link.flits for link in chip.network.all_links()) * period
    bounds["busiest DRAM channel"] = max(channel.busy_ps for channel in chip.channels)
    return bounds


def roofline_ps(chip: Chip, table: TileTable) -> int:
    """Time in ps that the program takes on all engines and all channels at their peak.

    From the tiles alone: cycles of each kind of engine spread over all cores, each at the fastest
    clock; bytes over all channels.
    """
    core = chip.config.core
    period = min(core.period_of(index) for index in range(chip.config.cores))
    cores = table.program.tiles
    cycles = [sum(t.cycles for tiles in cores for t in tiles[name]) for name in ENGINES]
    nbytes = sum(int(runs.nbytes.sum()) for runs in (table.reads, table.writes))
    peak = chip.timing.peak_bytes_per_ps * len(chip.channels)
    return max(max(cycles) * period // chip.config.cores, int(nbytes / peak))


def least_dram_check(chip: Chip, due: Due) -> Iterator[Check]:
    """No fewer DRAM bytes are moved than the job and the SRAM of the chip leave to be moved."""
    moved = sum(t.read_bytes + t.write_bytes for t in chip.traffic.values())
    least = least_nbytes(due.job.workload, due.job.chip, due.job.recording)
    yield Check("not fewer DRAM bytes than the least", moved >= least, f"{moved} B of {least} B")


def lower_bound_checks(chip: Chip, table: TileTable) -> Iterator[Check]:
    """The makespan is not below any lower bound."""
    now = chip.env.now
    for name, bound in (*lower_bounds_ps(chip).items(), ("roofline", roofline_ps(chip, table))):
        yield Check(f"not faster than the {name}", now >= bound, f"{now} ps against {bound} ps")
