"""Conservation laws, checked at the end of every run from quantities counted apart.

A run that breaks one is INVALID: its figures are not to be used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tlm.hardware.chip import Chip
from tlm.hardware.dram import DramChannel
from tlm.hardware.dram_ideal import IdealDram
from tlm.hardware.energy import EnergyRow
from tlm.hardware.engine import COMPUTE
from tlm.task import Program

RELATIVE_ERROR = 1e-9  # of energy sums in another order
MACS = ("fp.mac_add", "fp.mac_mul", "bp.mac", "wg.mac_add", "wg.mac_mul", "engine.mac_idle")


@dataclass(frozen=True, slots=True)
class Check:
    """One law: whether it holds, and the two sides of it in words."""

    name: str
    holds: bool
    detail: str


def check_run(chip: Chip, program: Program, rows: list[EnergyRow], total_pj: float) -> list[Check]:
    """All invariants of a settled run."""
    return [
        *_all_done(chip),
        *_bytes(chip),
        *_messages(chip),
        *_flits(chip),
        *_required(chip, program),
        *_useful(chip, program),
        *_slots(chip),
        *_time(chip),
        *_energy(rows, total_pj),
        *_charged(chip, rows),
        *lower_bound_checks(chip),
    ]


def _all_done(chip: Chip) -> Iterator[Check]:
    """No process left waiting, no packet or transaction left inside."""
    left = chip.waiting()
    yield Check("programs finished", not left, f"{len(left)} engines left with work")
    short = [done.label for done in chip.completions if done.remaining]
    yield Check("completions arrived", not short, f"{len(short)} completions short {short[:1]}")
    pending = sum(engine.dma.outstanding + len(engine.dma.queue) for engine in chip.engines)
    yield Check("no transaction pending", pending == 0, f"{pending} pending")
    yield Check("no packet in flight", chip.network.in_flight == 0,
                f"{chip.network.in_flight} in flight")  # fmt: skip
    waiting = sum(c.waiting for c in chip.channels if isinstance(c, DramChannel))
    yield Check("DRAM queues empty", waiting == 0, f"{waiting} bursts waiting")
    late = sum(c.late for c in chip.channels if isinstance(c, DramChannel))
    yield Check("DRAM answers on time", late == 0, f"{late} answers late")


def _bytes(chip: Chip) -> Iterator[Check]:
    """What the DMAs asked for is what the channels moved, in bytes and in bursts."""
    sent_read = sum(t.read_bytes for t in chip.traffic.values())
    sent_write = sum(t.write_bytes for t in chip.traffic.values())
    for name, sent, moved in (
        ("read", sent_read, sum(_channel_bytes(c, 0) for c in chip.channels)),
        ("written", sent_write, sum(_channel_bytes(c, 1) for c in chip.channels)),
    ):
        yield Check(f"bytes {name}", sent == moved, f"DMAs {sent} B, channels {moved} B")
    controllers = [c for c in chip.channels if isinstance(c, DramChannel)]
    if controllers:
        charged = sum(t.read_bursts + t.write_bursts for t in chip.traffic.values())
        moved = sum(c.counters.reads + c.counters.writes for c in controllers)
        yield Check("bursts charged", charged == moved, f"charged {charged}, moved {moved}")


def _channel_bytes(channel: DramChannel | IdealDram, command: int) -> int:
    counters = channel.counters if isinstance(channel, DramChannel) else channel
    return (counters.bytes_read, counters.bytes_written)[command]


def _messages(chip: Chip) -> Iterator[Check]:
    """Payload bytes of messages posted are payload bytes delivered, packet by packet."""
    posted = sum(t.message_bytes for t in chip.traffic.values())
    delivered = sum(engine.dma.delivered_bytes for engine in chip.engines)
    yield Check("message bytes", posted == delivered, f"posted {posted}, delivered {delivered}")


def _flits(chip: Chip) -> Iterator[Check]:
    """Flits injected = flits ejected, and the links' own counts add up to what is charged.

    A flit passes a router before every mesh link and one before its ejection port.
    """
    network = chip.network
    injected = sum(port.flits for port in network.injections)
    ejected = sum(port.flits for port in network.ejections)
    yield Check("flits delivered", injected == ejected, f"in {injected}, out {ejected}")
    carried = sum(link.flits for link in network.links.values())
    charged = sum(t.link_flits for t in chip.traffic.values())
    yield Check("flit-hops charged", carried == charged, f"links {carried}, charged {charged}")
    routed = sum(t.router_flits for t in chip.traffic.values())
    passed = carried + ejected
    yield Check("router flits charged", passed == routed, f"passed {passed}, charged {routed}")


def _required(chip: Chip, program: Program) -> Iterator[Check]:
    """Every required (phase, layer, sample, step) exactly once, and nothing else."""
    covered: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for engine in chip.engines:
        for key, tally in engine.tallies.items():
            if tally.covered:
                total = covered.setdefault(key, {})
                for pair, elements in tally.covered.items():
                    total[pair] = total.get(pair, 0) + elements
    due = {key: pairs for key, pairs in program.required.items() if pairs}
    wrong = [f"{key[0].name} layer {key[1]}" for key in due if covered.get(key) != due[key]]
    extra = [str(key) for key in covered if key not in due]
    yield Check("required work exactly once", not wrong and not extra, f"{wrong + extra}")


def _useful(chip: Chip, program: Program) -> Iterator[Check]:
    """Operations on non-zero operands: processed by tiles = popcount of the recorded tensors."""
    for (phase, layer), expected in program.expected_useful.items():
        done = sum(
            engine.tallies[phase, layer].work.useful
            for engine in chip.engines
            if (phase, layer) in engine.tallies
        )
        yield Check(
            f"useful operations {phase.name.lower()} layer {layer}",
            done == expected,
            f"processed {done}, popcount {expected}",
        )


def _slots(chip: Chip) -> Iterator[Check]:
    """No engine executes more slots than a phase of a layer has, nor skips below none."""
    wrong = [
        f"{engine.path} {key}"
        for engine in chip.engines
        for key, tally in engine.tallies.items()
        if not 0 <= tally.work.executed <= tally.work.slots
    ]
    yield Check("executed slots exist", not wrong, f"{wrong[:3]}")


def _time(chip: Chip) -> Iterator[Check]:
    """Each engine's intervals tile the run: as long as it, and computing as long as its cycles."""
    now = chip.env.now
    ragged = [e.path for e in chip.engines if sum(e.spent_ps) != now or e.accounted_ps != now]
    yield Check("intervals tile the run", not ragged, f"{ragged}")
    period = chip.config.core.period_ps
    wrong = [
        e.path
        for e in chip.engines
        if e.spent_ps[COMPUTE] != period * sum(t.cycles for t in e.tallies.values())
    ]
    yield Check("computing time is cycles", not wrong, f"{wrong}")


def _energy(rows: list[EnergyRow], total_pj: float) -> Iterator[Check]:
    """The total is the sum of counts times pJ; nothing negative, nothing not a number."""
    total = math.fsum(row.count * row.pj_each for row in rows)
    close = math.isclose(total, total_pj, rel_tol=RELATIVE_ERROR)
    yield Check("energy adds up", close, f"rows {total} pJ, summary {total_pj} pJ")
    bad = [f"{r.component}.{r.action}" for r in rows if not 0 <= r.total_pj < math.inf]
    yield Check("energy finite and not negative", not bad, f"{bad}")


def _charged(chip: Chip, rows: list[EnergyRow]) -> Iterator[Check]:
    """What is charged is what the units counted: bits of the channels, flits, useful operations."""
    counted: dict[str, int] = {}
    for row in rows:
        name = f"{row.component}.{row.action}"
        counted[name] = counted.get(name, 0) + row.count
    controllers = [c.counters for c in chip.channels if isinstance(c, DramChannel)]
    bits = chip.timing.burst_bytes * 8
    flits = sum(link.flits for link in chip.network.links.values())
    due = {"noc.link_bit": flits * chip.config.noc.link}
    if controllers:
        due["dram.read_bit"] = bits * sum(c.reads for c in controllers)
        due["dram.write_bit"] = bits * sum(c.writes for c in controllers)
    wrong = [name for name, count in due.items() if counted.get(name, 0) != count]
    yield Check("energy charged as counted", not wrong, f"{wrong}")
    useful = sum(t.work.useful for e in chip.engines for t in e.tallies.values())
    macs = sum(count for name, count in counted.items() if name in MACS)
    dense = sum(t.work.dense for e in chip.engines for t in e.tallies.values())
    ordered = useful <= macs <= dense
    yield Check("useful <= executed <= dense", ordered, f"{useful}, {macs}, {dense}")


def lower_bounds_ps(chip: Chip) -> dict[str, int]:
    """Times in ps that no run can beat: the busiest engine, link and channel."""
    period = chip.network.period_ps
    engine = max(e.spent_ps[COMPUTE] for e in chip.engines)
    bounds = {"busiest engine": engine}
    if chip.network.contended:
        bounds["busiest link"] = max(link.flits for link in chip.network.all_links()) * period
    bounds["busiest DRAM channel"] = max(map(channel_busy_ps, chip.channels))
    return bounds


def channel_busy_ps(channel: DramChannel | IdealDram) -> int:
    """Time in ps that a channel's data bus carried data."""
    return channel.counters.busy_ps if isinstance(channel, DramChannel) else channel.busy_ps


def lower_bound_checks(chip: Chip) -> Iterator[Check]:
    """The makespan is not below any lower bound."""
    now = chip.env.now
    for name, bound in lower_bounds_ps(chip).items():
        yield Check(f"not faster than the {name}", now >= bound, f"{now} ps against {bound} ps")
