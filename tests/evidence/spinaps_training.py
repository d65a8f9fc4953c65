"""What training would cost whose weights stand in STT-RAM: writes and wear of a bundled job."""

from __future__ import annotations

from math import ceil

from tests.evidence.page import simulate
from tests.evidence.spinaps_ratio import Twins
from tlm.config.tables.array_cost import core_array
from tlm.config.tables.synapse_array import CellTechnology
from tlm.validation.markdown import table

JOB = "mnist-fc"
YEAR_S = 365.25 * 24 * 3600
TECHNOLOGIES = ("sram", "stt-ram", "stt-ram-aggressive")


def training_section(pair: Twins) -> str:
    """Energy, time and wear of one update of all weights, beside the whole iteration."""
    summary, energy = simulate(JOB)
    updates = sum(int(row["count"]) for row in energy if row["action"].startswith("update_op"))
    iteration_uj = summary.energy.total_pj / 1e6
    iteration_us = summary.time.makespan_ps / 1e6
    network = pair.core.network
    devices = network.devices.value
    width = network.outputs.value * network.basis.value * devices
    rows = ceil(updates * devices / width)
    lines = [
        _line(technology, rows, pair, (iteration_uj, iteration_us)) for technology in TECHNOLOGIES
    ]
    head = (
        *("cells", "writes, uJ", "of the iteration", "rows one by one, us"),
        *("updates until worn", "years"),
    )
    return f"""One iteration of `{JOB}` on `neuromc-20` takes {iteration_uj:.0f} uJ and
{iteration_us:.0f} us, and updates {updates:,} weights once. Kept in arrays as above, {devices}
devices a weight, that is {rows:,} rows of {width} bit to write:

{table(head, lines)}
A write of STT-RAM costs many times that of SRAM, and still little beside all else that an
iteration does. Its time is the matter: rows that are written one after another take about as long
as a whole iteration unless several arrays write at once. Every device of a row is pulsed at every
update, so a device is worn after as many updates as it survives writes (assumed, and open over nine
orders of magnitude; years of such iterations without a pause). Reading weights by columns, as BP
does, is not in these figures."""


def _line(
    technology: str, rows: int, pair: Twins, iteration: tuple[float, float]
) -> tuple[str, ...]:
    """What writing so many rows takes beside an iteration of so many uJ and us."""
    iteration_uj, iteration_us = iteration
    array = core_array(pair.core.model_copy(update={"technology": technology}), pair.arrays)
    written_uj = rows * array.write_pj / 1e6
    return (
        technology,
        f"{written_uj:.2f}",
        f"{written_uj / iteration_uj:.1%}",
        f"{rows * array.write_ps / 1e6:.0f}",
        *worn(pair.arrays.technologies[technology], iteration_us),
    )


def worn(cell: CellTechnology, iteration_us: float) -> tuple[str, str]:
    """Updates that a cell survives, low, usual and high, and the years of so many iterations."""
    if cell.endurance is None:
        return "never", "never"
    ends = (cell.endurance.low, cell.endurance.value, cell.endurance.high)
    years = (end * iteration_us * 1e-6 / YEAR_S for end in ends)
    return " / ".join(f"{end:.0e}" for end in ends), " / ".join(f"{each:.1g}" for each in years)
