"""VC allocation: which waiting packet gets which free lane of the next router.

One iteration of iSLIP (McKeown, IEEE/ACM Trans. Networking 7(2), 1999): every free lane grants to
the first asker from its round-robin pointer on, every asker accepts the first grant from its own;
pointers move only when a grant is accepted. Nobody tries twice in a cycle, so a lane can stay
free although somebody waits for it: a loss that real allocators of this kind have.
"""

from __future__ import annotations

from tlm.hardware.noc.router.parts import Bidder, Lane, OutputPort, Router

Grant = tuple[Bidder, Lane]


def allocate_lanes(router: Router) -> list[Grant]:
    """Match the packets that ask in this cycle with free lanes; takes the lanes."""
    asking = router.asking
    if len(asking) == 1:
        asker = asking[0]
        if asker.out.free and (lane := _first_free(asker)) is not None:
            return [_take(asker, lane)]
        return []
    groups: dict[OutputPort, list[Bidder]] = {}
    for asker in asking:
        if asker.out.free:
            groups.setdefault(asker.out, []).append(asker)
    found: list[Grant] = []
    size = len(router.inputs) * len(router.inputs[0].lanes)
    for out, group in groups.items():
        if len(group) > 1:
            found += _match(out, group, size)
        elif (lane := _first_free(group[0])) is not None:
            found.append(_take(group[0], lane))
    return found


def _first_free(asker: Bidder) -> Lane | None:
    """The first free lane from the asker's pointer on."""
    lanes = asker.out.lanes
    start = _start(asker, len(lanes))
    for i in range(start, start + len(lanes)):
        lane = lanes[i % len(lanes)]
        if not lane.taken:
            return lane
    return None


def _match(out: OutputPort, group: list[Bidder], size: int) -> list[Grant]:
    """Grant and accept between several askers and the free lanes of one output."""
    grants: dict[Bidder, list[Lane]] = {}
    for lane in out.lanes:
        if lane.taken:
            continue
        best, nearest = None, size
        for asker in group:
            distance = (asker.number - lane.owner_turn) % size
            if distance < nearest:
                best, nearest = asker, distance
        if best is not None:
            grants.setdefault(best, []).append(lane)
    count = len(out.lanes)
    found = []
    for asker, lanes in grants.items():
        start = _start(asker, count)
        found.append(_take(asker, min(lanes, key=lambda one: (one.index - start) % count)))
    return found


def _start(asker: Bidder, count: int) -> int:
    """Where the asker's pointer, which runs over the lanes of all outputs, enters this output."""
    start = asker.turn - asker.out.index * count
    return start if 0 < start < count else 0


def _take(asker: Bidder, lane: Lane) -> Grant:
    out = asker.out
    lane.taken = True
    out.free -= 1
    lane.owner_turn = asker.number + 1
    asker.turn = out.index * len(out.lanes) + lane.index + 1
    asker.down = lane
    return asker, lane
