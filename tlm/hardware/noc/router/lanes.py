"""VC allocation: which waiting packet gets which free lane of the next router.

One iteration of iSLIP (McKeown, IEEE/ACM Trans. Networking 7(2), 1999): every free lane grants to
the first asker from its round-robin pointer on, every asker accepts the first grant from its own;
pointers move only when a grant is accepted. Nobody tries twice in a cycle, so a lane can stay
free although somebody waits for it: a loss that real allocators of this kind have.
"""

from __future__ import annotations

from tlm.hardware.noc.router.parts import Lane, OutputPort, Router

Grant = tuple[Lane, Lane]


def allocate_lanes(router: Router) -> list[Grant]:
    """Match the packets that ask in this cycle with free lanes; takes the lanes."""
    asking = router.asking
    if len(asking) == 1:
        asker = asking[0]
        if asker.out.free and (lane := _first_free(asker)) is not None:
            return [_take(asker, lane)]
        return []
    groups: dict[OutputPort, list[Lane]] = {}
    for asker in asking:
        if asker.out.free:
            groups.setdefault(asker.out, []).append(asker)
    grants: list[Grant] = []
    size = len(router.inputs) * len(router.inputs[0].lanes)
    for out, group in groups.items():
        if len(group) > 1:
            grants += _match(out, group, size)
        elif (lane := _first_free(group[0])) is not None:
            grants.append(_take(group[0], lane))
    return grants


def _first_free(asker: Lane) -> Lane | None:
    """The first free lane from the asker's pointer on."""
    lanes = asker.out.lanes
    start = _start(asker, len(lanes))
    for i in range(start, start + len(lanes)):
        lane = lanes[i % len(lanes)]
        if not lane.taken:
            return lane
    return None


def _match(out: OutputPort, group: list[Lane], size: int) -> list[Grant]:
    """Grant and accept between several askers and the free lanes of one output."""
    granted: dict[Lane, list[Lane]] = {}
    for lane in out.lanes:
        if lane.taken:
            continue
        best, nearest = None, size
        for asker in group:
            distance = (asker.number - lane.owner_turn) % size
            if distance < nearest:
                best, nearest = asker, distance
        if best is not None:
            granted.setdefault(best, []).append(lane)
    count = len(out.lanes)
    accepted = []
    for asker, lanes in granted.items():
        start = _start(asker, count)
        nearest_lane = min(lanes, key=lambda lane: (lane.index - start) % count)
        accepted.append(_take(asker, nearest_lane))
    return accepted


def _start(asker: Lane, count: int) -> int:
    """Where the asker's pointer, which runs over the lanes of all outputs, enters this output."""
    start = asker.turn - asker.out.index * count
    return start if 0 < start < count else 0


def _take(asker: Lane, lane: Lane) -> Grant:
    out = asker.out
    lane.taken = True
    out.free -= 1
    lane.owner_turn = asker.number + 1
    asker.turn = out.index * len(out.lanes) + lane.index + 1
    asker.down = lane
    return asker, lane
