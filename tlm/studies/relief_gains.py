"""What relief gains: relieved runs simulated on the kernel of every run, without a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tlm.errors import DeadlockError, InvalidResultError, TraceError
from tlm.hardware.chip import Chip, Site
from tlm.hardware.energy import energy_rows
from tlm.kernel import StuckError, collector_paused, run_until
from tlm.laws import Bill, check_run
from tlm.running.figures.energy import energy_part
from tlm.running.kernels import kernel_of
from tlm.running.preparation import PreparedRun
from tlm.space.phase import ENGINES
from tlm.studies.relief import PLANNED_ANEW, knob, relievable, relieve, settings

CYCLE_LAWS = ("array work by position", "cycles of the units")


@dataclass(frozen=True, slots=True)
class TimeAndEnergy:
    """What a run comes to: makespan in ps and total energy in pJ."""

    makespan_ps: int
    energy_pj: float


@dataclass(frozen=True, slots=True)
class ResourceGain:
    """Time that a relief saves and what it adds in energy, as shares of the run's; losses are < 0.

    ``knob`` says what was changed, ``settings`` what ``--set`` takes for it, none where no keys
    do just that. ``planned_anew`` says whether storage and addresses were decided anew.
    """

    resource: str
    knob: str
    settings: list[str]
    planned_anew: bool
    time_saved: float
    energy_change: float


def relief_gains(
    prepared: PreparedRun, recorded_ps: int, step: Callable[[str], None]
) -> list[ResourceGain]:
    """What each relief of a run that took ``recorded_ps`` gains, by falling time saved.

    ``step`` is called before each simulation with its name.

    Raises:
        TraceError: without relief, the run does not take the time that was recorded.
        DeadlockError, InvalidResultError: a relieved run fails: a fault of this program.
    """
    step("run")
    base = simulate(prepared)
    if base.makespan_ps != recorded_ps:
        raise TraceError(
            f"run again, the job takes {base.makespan_ps} ps and not the {recorded_ps} recorded; "
            "run it anew with this version of tlm, then explain that"
        )
    gains = []
    for resource in relievable(prepared):
        step(f"run, relief of {resource}")
        gains.append(_gain(prepared, resource, base))
    return sorted(gains, key=lambda gain: -gain.time_saved)


def _gain(prepared: PreparedRun, resource: str, base: TimeAndEnergy) -> ResourceGain:
    relieved = simulate(relieve(prepared, resource), resource in ENGINES)
    config = prepared.chip.config
    return ResourceGain(
        resource=resource,
        knob=knob(resource, config),
        settings=settings(resource, config),
        planned_anew=resource in PLANNED_ANEW,
        time_saved=1 - relieved.makespan_ps / base.makespan_ps,
        energy_change=relieved.energy_pj / base.energy_pj - 1,
    )


def simulate(prepared: PreparedRun, halved_cycles: bool = False) -> TimeAndEnergy:
    """Simulate a run without leaving files.

    Laws that tie a tile's cycles to its work are not asked of a chip with ``halved_cycles``.

    Raises:
        DeadlockError: it gets stuck.
        InvalidResultError: it breaks an invariant.
    """
    site = Site.of(kernel_of().model)
    with collector_paused():
        chip = Chip(prepared.chip.config, prepared.timing, prepared.program, None, None, site)
    try:
        run_until(chip.env, chip.finished)
        chip.settle()
        with collector_paused():
            return _checked(chip, prepared, CYCLE_LAWS if halved_cycles else ())
    except StuckError as error:
        raise DeadlockError(f"deadlock in a what-if run: {error}") from error
    finally:
        chip.env.clear()


def _checked(chip: Chip, prepared: PreparedRun, waived: tuple[str, ...]) -> TimeAndEnergy:
    """Time and energy of a chip that has finished, held to all laws but those that are waived."""
    rows = energy_rows(chip, prepared.chip.energy)
    total_pj = energy_part(rows).total_pj
    checks = check_run(
        chip, prepared.program, prepared.due, Bill(rows, total_pj, prepared.chip.energy)
    )
    broken = [check.name for check in checks if not check.holds and check.name not in waived]
    if broken:
        raise InvalidResultError(f"what-if run: breaks {', '.join(broken)}; please report it")
    return TimeAndEnergy(chip.env.now, total_pj)
