"""What held a run up: the busiest resources, and the largest stalls."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.laws import channel_busy_ps
from tlm.running.figures.engines import engines_of
from tlm.space.phase import ENGINES, Phase
from tlm.space.trace_rows import EngineState
from tlm.storage.plan import Plan
from tlm.trace.summary import BusyResource, Stall

STALLS = 5  # how many are listed


def busiest(chip: Chip) -> list[BusyResource]:
    """The busiest link, DRAM channel and engine of each kind, busiest first, with their knobs.

    A resource that is busy all the time bounds the run: only its knob, or less work, helps.
    """
    link = max(chip.network.all_links(), key=lambda link: link.flits)
    channels_ps = [channel_busy_ps(channel) for channel in chip.channels]
    channel = channels_ps.index(max(channels_ps))
    busy_ps = [
        (f"link {link.name}", link.flits * chip.network.period_ps, "noc.link, noc.clock"),
        (f"DRAM channel {channel}", channels_ps[channel], "dram.channels, dram.device"),
    ]
    for kind in ENGINES:
        engine = max(engines_of(chip, kind), key=lambda e: e.spent_ps[EngineState.COMPUTE])
        computing_ps = engine.spent_ps[EngineState.COMPUTE]
        busy_ps.append((engine.path, computing_ps, f"core.engines.{kind}, cores"))
    busy_ps.sort(key=lambda entry: (-entry[1], entry[0]))
    return [BusyResource(name, ps / chip.env.now, knob) for name, ps, knob in busy_ps]


def stalls(chip: Chip, plan: Plan) -> list[Stall]:
    """The largest shares of engine time lost to one reason in one phase of one layer."""
    names = {layer_plan.layer.index: layer_plan.layer.name for layer_plan in plan.layers}
    lost_ps: dict[tuple[str, int, int], int] = {}
    for engine in chip.engines:
        for (phase, layer), spent_ps in engine.by_layer.items():
            for state, time_ps in enumerate(spent_ps):
                if state not in (EngineState.COMPUTE, EngineState.IDLE) and time_ps:
                    key = (Phase(phase).name.lower(), layer, state)
                    lost_ps[key] = lost_ps.get(key, 0) + time_ps
    total_ps = chip.env.now * len(chip.engines)
    ranked = sorted(lost_ps.items(), key=lambda item: (-item[1], item[0]))
    return [
        Stall(phase, names[layer], EngineState(state).reason, time_ps / total_ps)
        for (phase, layer, state), time_ps in ranked[:STALLS]
    ]
