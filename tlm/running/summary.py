"""The summary of a run: a plain dictionary from the model's own counters, never from the trace.

Identical inputs give identical bytes; what varies from run to run stands in the manifest. Units
are in the names: ``_ps``, ``_pj``, ``_gb_s`` (1e9 B/s); shares and rates are 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tlm.config.tables.energy_actions import LEAKAGE
from tlm.hardware.chip import Chip
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.energy import EnergyRow
from tlm.laws import Check, channel_busy_ps, lower_bounds_ps
from tlm.space.phase import ENGINES, Phase
from tlm.space.trace_rows import EngineState
from tlm.storage.plan import Plan
from tlm.workload.model import Recording
from tlm.workload.report.density import densities

Json = dict[str, Any]
CORE_PHASES = ("fp", "norm", "grad", "norm_grad", "bp", "wg", "recompute")  # boundary "core"
CORE_COMPONENTS = ("fp", "bp", "wg", "engine")


def summarise(chip: Chip, plan: Plan, recording: Recording, rows: list[EnergyRow]) -> Json:
    """Everything of the summary but the verdict; see :func:`verdict`."""
    energy = _energy(rows)
    return {
        "schema": "tlm-summary",
        "schema_version": 1,
        "workload": _workload(plan, recording),
        "chip": _chip(plan),
        "time": _time(chip, plan),
        "work": _work(chip, plan),
        "energy": energy,
        "efficiency": efficiency(chip, rows),
        "engines": _engines(chip),
        "dram": _dram(chip) | _tensors(chip, plan),
        "noc": _noc(chip),
        "sparsity": _sparsity(plan, recording),
        "busiest": _busiest(chip),
        "stalls": _stalls(chip, plan),
        "lower_bounds_ps": lower_bounds_ps(chip),
    }


def verdict(summary: Json, checks: list[Check]) -> Json:
    """The summary with its status in front: ok, or invalid with the laws that are broken."""
    broken = {check.name: check.detail for check in checks if not check.holds}
    status = "invalid" if broken else "ok"
    return {"status": status, "checks": len(checks), "broken": broken, **summary}


def _workload(plan: Plan, recording: Recording) -> Json:
    job = plan.workload
    return {
        "name": job.name,
        "sha256": job.sha256,
        "iteration": recording.iteration,
        "batch": job.batch,
        "steps": job.steps,
        "dataset": job.dataset,
        "accuracy": job.accuracy,
        "activity": job.activity,
    }


def _chip(plan: Plan) -> Json:
    chip = plan.chip
    return {
        "name": chip.name,
        "cores": chip.cores,
        "noc_model": chip.noc.model,
        "dram_model": chip.dram.model,
        "energy_table": chip.energy,
        "splits": {
            layer_plan.layer.name: {
                "k": layer_plan.cut.split.k,
                "batch": layer_plan.cut.split.batch,
                "spatial": layer_plan.cut.split.spatial,
                "cores": len(layer_plan.cut.slices),
            }
            for layer_plan in plan.layers
        },
    }


def _time(chip: Chip, plan: Plan) -> Json:
    now = chip.env.now
    phases: Json = {}
    for phase in Phase:
        tallies = [(t, e) for e in chip.engines for (p, _), t in e.tallies.items() if p == phase]
        if not tallies:
            continue
        phases[phase.name.lower()] = {
            "begin_ps": min(tally.begin for tally, _ in tallies),
            "end_ps": max(tally.end for tally, _ in tallies),
            "computing_ps": sum(t.cycles * e.period_ps for t, e in tallies),
            "cores": len({engine.path for _, engine in tallies}),
        }
    return {
        "makespan_ps": now,
        "per_sample_ps": now / plan.workload.batch,
        "core_cycles": now / chip.config.core.period_ps,
        "phases": phases,
    }


def _work(chip: Chip, plan: Plan) -> Json:
    """Exact work by layer and phase, summed over cores."""
    found: Json = {}
    for layer_plan in plan.layers:
        phases: Json = {}
        for phase in Phase:
            key = (phase, layer_plan.layer.index)
            tallies = [e.tallies[key] for e in chip.engines if key in e.tallies]
            if tallies:
                phases[phase.name.lower()] = {
                    "tiles": sum(t.tiles for t in tallies),
                    "cycles": sum(t.cycles for t in tallies),
                    "slots": sum(t.work.slots for t in tallies),
                    "executed_slots": sum(t.work.executed for t in tallies),
                    "dense_macs": sum(t.work.dense for t in tallies),
                    "useful_macs": sum(t.work.useful for t in tallies),
                }
        found[layer_plan.layer.name] = phases
    return found


def _energy(rows: list[EnergyRow]) -> Json:
    def by(key: str) -> Json:
        groups: dict[str, list[float]] = {}
        for row in rows:
            if row.action != LEAKAGE:
                groups.setdefault(str(getattr(row, key)), []).append(row.total_pj)
        return {name: math.fsum(parts) for name, parts in groups.items()}

    leakage = {row.component: row.total_pj for row in rows if row.action == LEAKAGE}
    dynamic = by("component")
    return {
        "total_pj": math.fsum([*dynamic.values(), *leakage.values()]),
        "dynamic_pj": math.fsum(dynamic.values()),
        "leakage_pj": math.fsum(leakage.values()),
        "by_component_pj": dynamic,
        "by_phase_pj": by("phase"),
        "by_layer_pj": by("layer"),
        "leakage_by_component_pj": leakage,
        "assumed_share": _share(rows, "assumed"),
    }


def _share(rows: list[EnergyRow], confidence: str) -> float:
    total = math.fsum(row.total_pj for row in rows)
    part = math.fsum(row.total_pj for row in rows if row.confidence == confidence)
    return part / total if total else 0.0


def efficiency(chip: Chip, rows: list[EnergyRow]) -> Json:
    """TFLOPS/W = FLOP/pJ, two numerators by two boundaries.

    Dense-equivalent: 2 FLOP for every element of every dense slot, executed or skipped.
    Effective: 2 FLOP for every operation on non-zero operands with a needed result. Boundary
    core: engines, buffers, soma, gradient and batch-norm units from FP to WG. Chip: everything.
    """
    work = [t.work for e in chip.engines for t in e.tallies.values()]
    dense, useful = 2 * sum(w.dense for w in work), 2 * sum(w.useful for w in work)
    core_pj = math.fsum(
        row.total_pj
        for row in rows
        if row.component in CORE_COMPONENTS and row.phase in CORE_PHASES
    )
    chip_pj = math.fsum(row.total_pj for row in rows)
    return {
        "dense_equivalent_flop": dense,
        "effective_flop": useful,
        "core_pj": core_pj,
        "dense_equivalent_tflops_w": {"core": dense / core_pj, "chip": dense / chip_pj},
        "effective_tflops_w": {"core": useful / core_pj, "chip": useful / chip_pj},
        "dense_equivalent_tflops": dense / chip.env.now,
        "effective_tflops": useful / chip.env.now,
    }


def _engines(chip: Chip) -> Json:
    """Shares of all engines' time by kind and reason, and how many cores computed."""
    now = chip.env.now
    found: Json = {}
    for kind in ENGINES:
        engines = [e for e in chip.engines if e.path.endswith(f".{kind}")]
        shares = {
            state.reason: sum(e.spent_ps[state] for e in engines) / (now * len(engines))
            for state in EngineState
        }
        shares["unaccounted"] = 1.0 - math.fsum(shares.values())
        found[kind] = {
            "shares": shares,
            "busiest": max(e.spent_ps[EngineState.COMPUTE] for e in engines) / now,
            "cores_computing": sum(e.spent_ps[EngineState.COMPUTE] > 0 for e in engines),
        }
    return found


def _dram(chip: Chip) -> Json:
    now = chip.env.now
    controllers = [c for c in chip.channels if isinstance(c, DramChannel)]
    read = sum(t.read_bytes for t in chip.traffic.values())
    written = sum(t.write_bytes for t in chip.traffic.values())
    found: Json = {
        "device": chip.config.dram.device,
        "channels": len(chip.channels),
        "bytes_read": read,
        "bytes_written": written,
        "peak_gb_s": chip.timing.peak_bytes_per_ps * 1000 * len(chip.channels),
        "bandwidth_gb_s": (read + written) / now * 1000,
    }
    if controllers:
        counters = [c.counters for c in controllers]
        bursts = sum(c.reads + c.writes for c in counters)
        found |= {
            "bursts_read": sum(c.reads for c in counters),
            "bursts_written": sum(c.writes for c in counters),
            "activates": sum(c.activates for c in counters),
            "refreshes": sum(c.refreshes for c in counters),
            "row_hit_rate": sum(c.row_hits for c in counters) / bursts if bursts else 0.0,
            "busy_by_channel": [c.busy_ps / now for c in counters],
        }
    return found


def _tensors(chip: Chip, plan: Plan) -> Json:
    """What the DRAM bytes are made of, by kind of tensor."""
    tiles = [tile for engine in chip.engines for tile in engine.tiles]
    kinds = plan.addresses.bytes_by_kind
    return {
        "read_by_tensor": kinds(run for tile in tiles for run in tile.reads),
        "written_by_tensor": kinds(run for tile in tiles for run in tile.writes),
    }


def _noc(chip: Chip) -> Json:
    now = chip.env.now
    period = chip.network.period_ps
    links = chip.network.all_links()
    busiest = max(links, key=lambda link: link.flits)
    traffic: Iterable[Any] = chip.traffic.values()
    return {
        "transactions": sum(t.transactions for t in traffic),
        "message_bytes": sum(t.message_bytes for t in chip.traffic.values()),
        "packets": sum(port.packets for port in chip.network.injections),
        "flit_hops": sum(link.flits for link in chip.network.links.values()),
        "busiest_link": busiest.name,
        "busiest_link_use": busiest.flits * period / now,
        "link_flits": {link.name: link.flits for link in links},
    }


def _sparsity(plan: Plan, recording: Recording) -> Json:
    """Measured densities of the recorded tensors, and skipped slots of each engine."""
    measured = densities(recording)
    return {
        "inputs": measured.inputs,
        "layers": {
            layer_plan.layer.name: {
                "S": measured.spikes[layer_plan.layer.index].tolist(),
                "m": measured.masks[layer_plan.layer.index].tolist(),
                "dU": measured.dU[layer_plan.layer.index].tolist(),
                "zero_slices": float(measured.idle_slices[layer_plan.layer.index]),
            }
            for layer_plan in plan.layers
        },
    }


def _busiest(chip: Chip) -> list[Json]:
    """The busiest link, DRAM channel and engine of each kind, busiest first, with their knobs.

    A resource that is busy all the time bounds the run: only its knob, or less work, helps.
    """
    now, period = chip.env.now, chip.network.period_ps
    link = max(chip.network.all_links(), key=lambda one: one.flits)
    found = [(f"link {link.name}", link.flits * period, "noc.link, noc.clock")]
    busy = [channel_busy_ps(channel) for channel in chip.channels]
    found.append((f"DRAM channel {busy.index(max(busy))}", max(busy), "dram.channels, dram.device"))
    for kind in ENGINES:
        engines = [e for e in chip.engines if e.path.endswith(f".{kind}")]
        engine = max(engines, key=lambda one: one.spent_ps[EngineState.COMPUTE])
        found.append(
            (engine.path, engine.spent_ps[EngineState.COMPUTE], f"core.engines.{kind}, cores")
        )
    found.sort(key=lambda entry: (-entry[1], entry[0]))
    return [{"resource": name, "use": ps / now, "knob": knob} for name, ps, knob in found]


def _stalls(chip: Chip, plan: Plan) -> list[Json]:
    """The largest shares of engine time lost to one reason in one phase of one layer."""
    names = {layer_plan.layer.index: layer_plan.layer.name for layer_plan in plan.layers}
    spent: dict[tuple[str, int, int], int] = {}
    for engine in chip.engines:
        for (phase, layer), parts in engine.by_layer.items():
            for reason, part in enumerate(parts):
                if reason not in (EngineState.COMPUTE, EngineState.IDLE) and part:
                    key = (Phase(phase).name.lower(), layer, reason)
                    spent[key] = spent.get(key, 0) + part
    total = chip.env.now * len(chip.engines)
    ranked = sorted(spent.items(), key=lambda item: (-item[1], item[0]))
    return [
        {
            "phase": phase,
            "layer": names[layer],
            "reason": EngineState(reason).reason,
            "share": part / total,
        }
        for (phase, layer, reason), part in ranked[:5]
    ]
