"""What held a run up: the busiest resources, and the largest stalls."""

from __future__ import annotations

from collections import Counter

from tlm.hardware.chip import Chip
from tlm.running.figures.engines import engines_of
from tlm.space.phase import ENGINES, Phase
from tlm.space.trace_rows import EngineState
from tlm.storage.plan import Plan
from tlm.trace.summary import AwaitedWork, BusyResource, Stall

STALLS = 5  # how many are listed
AWAITED = 3  # of each dependency
STALL_STATES = (
    EngineState.STALL_DEPENDENCY,
    EngineState.STALL_DRAM,
    EngineState.STALL_NOC,
    EngineState.STALL_WRITEBACK,
)


def busiest(chip: Chip) -> list[BusyResource]:
    """The busiest link, DRAM channel and engine of each kind, busiest first.

    A resource that is busy all the time bounds the run; of others one run does not say what they
    cost (``explain`` does).
    """
    link = max(chip.network.all_links(), key=lambda link: link.flits)
    channels_ps = [channel.busy_ps for channel in chip.channels]
    channel = channels_ps.index(max(channels_ps))
    busy_ps = [
        (f"link {link.name}", link.flits * chip.network.period_ps),
        (f"DRAM channel {channel}", channels_ps[channel]),
    ]
    for kind in ENGINES:
        engine = max(engines_of(chip, kind), key=lambda e: e.spent_ps[EngineState.COMPUTE])
        busy_ps.append((engine.path, engine.spent_ps[EngineState.COMPUTE]))
    busy_ps.sort(key=lambda entry: (-entry[1], entry[0]))
    return [BusyResource(name, ps / chip.env.now) for name, ps in busy_ps]


def stalls(chip: Chip, plan: Plan) -> list[Stall]:
    """The largest shares of engine time lost to one reason in one phase of one layer.

    Where a pass had not begun there was nothing to lose: those waits are left out.
    """
    names = {layer_plan.layer.index: layer_plan.layer.name for layer_plan in plan.layers}
    lost_ps: Counter[tuple[Phase, int, EngineState]] = Counter()
    for engine in chip.engines:
        for (phase, layer), spent_ps in engine.by_layer.items():
            for state in STALL_STATES:
                lost_ps[phase, layer, state] += spent_ps[state]
    total_ps = chip.env.now * len(chip.engines)
    ranked = sorted(lost_ps.items(), key=lambda item: (-item[1], item[0]))
    return [
        Stall(
            _name(phase),
            names[layer],
            state.reason,
            time_ps / total_ps,
            _awaited(chip, (phase, layer), names) if state == EngineState.STALL_DEPENDENCY else [],
        )
        for (phase, layer, state), time_ps in ranked[:STALLS]
        if time_ps
    ]


def _awaited(chip: Chip, waiter: tuple[Phase, int], names: dict[int, str]) -> list[AwaitedWork]:
    """What tiles of a phase and layer waited for within their pass, the longest waits first."""
    by_work: dict[tuple[Phase, int], Counter[int]] = {}
    for engine in chip.engines:
        for (phase, layer, unit), time_ps in engine.awaited_ps.get(waiter, {}).items():
            by_work.setdefault((phase, layer), Counter())[unit] += time_ps
    total_ps = chip.env.now * len(chip.engines)
    works = []
    for (phase, layer), by_unit in sorted(by_work.items(), key=lambda item: -item[1].total()):
        unit = min(by_unit, key=lambda unit: (-by_unit[unit], unit))
        share, longest = by_unit.total() / total_ps, by_unit[unit] / total_ps
        works.append(AwaitedWork(_name(phase), names[layer], share, unit // len(ENGINES), longest))
    return works[:AWAITED]


def _name(phase: Phase) -> str:
    return phase.name.lower()
