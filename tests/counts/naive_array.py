"""One multiply-accumulate at a time: the oracle of what arrays execute, skip and move.

Everything is built from the definition: which elements a slot holds, which of them can change a
result, which lane each belongs to. Sizes are those of toys; nothing here is fast.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, product


@dataclass
class Mac:
    """One element of a slot: its lane, the words it touches, and what is known of them."""

    lane: int
    first: tuple
    other: tuple
    sum: tuple
    active: bool  # as the zero tests see it
    useful: bool  # as recorded


@dataclass
class Problem:
    """An engine's work at a list of positions: ``first`` and ``second`` answer for an element.

    ``seen`` and ``real`` are pairs of functions (position, channel, tap) -> bool and
    (position, channel) -> bool; ``dead`` positions are not scanned.
    """

    engine: str
    positions: list
    dead: int
    taps: list
    firsts: list  # channels
    seconds: list
    seen: tuple
    real: tuple
    totals: Counter = field(default_factory=Counter)


def chunks(items, size):
    """Pieces of ``size``, the last one shorter."""
    return [items[i : i + size] for i in range(0, len(items), size)]


def mac(problem, lane, p, f, s, tap):
    """The multiply-accumulate of channels ``f`` and ``s`` at position ``p`` under a tap."""
    if problem.engine == "fp":
        other, total = ("w", s, f, tap), (p, s)
    elif problem.engine == "bp":
        other, total = ("w", f, s, tap), (p, s)
    else:
        other, total = (p, s), (s, f, tap)
    first, second = problem.seen
    active = first(p, f, tap) and second(p, s)
    first, second = problem.real
    return Mac(lane, (p, f, tap), other, total, active, first(p, f, tap) and second(p, s))


def passes(problem, chip, size, panel):
    """[panels][groups of weights][passes] of slots, by dataflow, in the order of the nests."""
    under = list(product(chunks(problem.firsts, chip["rows"]), problem.taps))
    groups = {"weight": held_weights, "output": held_outputs, "input": held_inputs}
    most = panel if chip["dataflow"] == "input" else chip["cols"]
    for seconds in chunks(problem.seconds, most):
        yield list(groups[chip["dataflow"]](problem, chip, under, seconds, size))


def held_weights(problem, _, under, seconds, size):
    """A pass for each weight tile; a slot for each position; a lane for each row."""
    for some in chunks(under, size):
        yield [
            [[mac(problem, lane, p, f, s, tap) for lane, f in enumerate(firsts) for s in seconds]
             for p in problem.positions]
            for firsts, tap in some
        ]  # fmt: skip


def held_outputs(problem, chip, under, seconds, size):
    """A pass for each group of positions; a slot for each channel; a lane for each position."""
    for some in chunks(under, size):
        yield [
            [[mac(problem, lane, p, f, s, tap) for lane, p in enumerate(held) for s in seconds]
             for firsts, tap in some for f in firsts]
            for held in chunks(problem.positions, chip["rows"])
        ]  # fmt: skip


def held_inputs(problem, chip, under, seconds, size):
    """A pass for each chunk under a tap and group of positions, for what is loaded of a panel."""
    runs = chunks(chunks(seconds, chip["cols"]), size)
    units = [(firsts, tap, list(chain(*run))) for firsts, tap in under for run in runs]
    for some in chunks(units, max(1, size // len(runs[0]))):
        yield [
            [[mac(problem, lane, p, f, s, tap) for lane, p in enumerate(held) for f in firsts]
             for s in run]
            for firsts, tap, run in some for held in chunks(problem.positions, chip["cols"])
        ]  # fmt: skip


def lanes_end(slots, chip):
    """Cycle in which the slowest lane ends: the recurrence, group by group and lane by lane."""
    lanes = {one.lane for slot in slots for one in slot}
    entered, ends, slowest = 0, dict.fromkeys(lanes, 0), []
    for group in chunks(slots, chip["scan"]):
        room = slowest[-chip["queue"]] if len(slowest) >= chip["queue"] else 0
        entered = max(entered + 1, room)
        for lane in lanes:
            own = sum(any(one.active for one in slot if one.lane == lane) for slot in group)
            ends[lane] = max(ends[lane], entered) + own * chip["slot_cycles"]
        slowest.append(max(ends.values()))
    return max(ends.values())


def stream(slots, chip):
    """(Cycles of one pass, executed [(slot number, lane or None, elements)])."""
    fewest = -(-len(slots) // chip["scan"])
    if chip["mode"] == "dense":
        return len(slots) * chip["slot_cycles"], [(i, None, s) for i, s in enumerate(slots)]
    busy = [(i, None, s) for i, s in enumerate(slots) if any(one.active for one in s)]
    if chip["mode"] == "vector":
        return max(fewest, len(busy) * chip["slot_cycles"]), busy
    own = [
        (i, lane, [one for one in slot if one.lane == lane])
        for i, _, slot in busy
        for lane in sorted({one.lane for one in slot if one.active})
    ]
    return lanes_end(slots, chip), own


def words(what, executed, held, slots):
    """Distinct words of a kind: once a pass if held, else once an executed slot (of a lane)."""
    if held:
        return len({getattr(one, what) for slot in slots for one in slot})
    return sum(len({getattr(one, what) for one in macs}) for _, _, macs in executed)


def walk(problem, chip, size, panel):
    """Everything the model counts, added up over panels; ``total.cycles`` and the like."""
    total = problem.totals
    product_is_weight = problem.engine == "wg"
    held = {"weight": "sum" if product_is_weight else "other",
            "output": "other" if product_is_weight else "sum", "input": "first"}  # fmt: skip
    held = held[chip["dataflow"]]
    every = len(problem.positions) + problem.dead
    for groups in passes(problem, chip, size, panel) if problem.positions else ():
        fresh, shared = set(), {}
        for number, group in enumerate(groups):
            for slots in group:
                cycles, executed = stream(slots, chip)
                total["cycles"] += cycles
                total["scanned"] += len(slots)
                total["executed"] += len({i for i, _, _ in executed})
                total["lane_slots"] += sum(lane is not None for _, lane, _ in executed)
                total["macs"] += sum(len(macs) for _, _, macs in executed)
                total["useful"] += sum(one.useful for slot in slots for one in slot)
                positions = {one.first[0] for slot in slots for one in slot}
                if chip["dataflow"] == "weight":
                    total["cycles"] += chip["rows"]
                else:
                    total["cycles"] += len(positions)
                total["row_words"] += words("first", executed, held == "first", slots)
                total["other_words"] += words("other", executed, held == "other", slots)
                if held == "sum":
                    count = words("sum", executed, True, slots)
                    total["sum_writes"] += count
                    if product_is_weight or number:
                        total["sum_reads"] += count
                    if number and not product_is_weight:
                        total["cycles"] += len(positions)
                    continue
                count = words("sum", executed, False, slots)
                total["sum_writes"] += count
                total["sum_reads"] += count
                for _, lane, macs in executed:
                    for one in macs:
                        fresh.add((lane, one.sum))
                        shared.setdefault(one.sum, set()).add(lane)
        if held == "sum" or not groups or not groups[0]:
            continue
        if not product_is_weight:
            total["sum_reads"] -= len(fresh)
        if chip["mode"] == "element" and (product_is_weight or chip["dataflow"] == "weight"):
            merge(problem, chip, groups, shared, total)
    total["dense"] = every * len(problem.firsts) * len(problem.seconds) * len(problem.taps)
    return total


def merge(problem, chip, groups, shared, total):
    """Sums of lanes that share an output are added up in the end, a vector a cycle."""
    sums = sum(len(lanes) for lanes in shared.values())
    total["merged"] += sums - len(shared)
    total["sum_reads"] += sums
    total["sum_writes"] += len(shared)
    if problem.engine != "wg":
        total["cycles"] += len(problem.positions) * chip["slot_cycles"]
        return
    if chip["dataflow"] == "output":
        seen = {(one.sum[1], one.sum[2]) for group in groups for slots in group
                for slot in slots for one in slot}  # fmt: skip
    else:
        chunk = {f: i // chip["rows"] for i, f in enumerate(problem.firsts)}
        seen = {(one.sum[0], chunk[one.sum[1]], one.sum[2]) for group in groups
                for slots in group for slot in slots for one in slot}  # fmt: skip
    total["cycles"] += len(seen) * chip["slot_cycles"]
