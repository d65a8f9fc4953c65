"""The parts of a virtual-channel router: lanes, input and output ports, sources, packets.

A *lane* is one virtual channel of an input port together with its flit buffer. What BookSim2 calls
an output VC is the lane at the other end of the channel, so one object holds both views: ``credit``
and ``taken`` belong to the router upstream, everything else to the router the lane is in.
"""

from __future__ import annotations

from collections import deque
from typing import Any

UNLIMITED = 1 << 60  # credit of a terminal's lanes: it takes one flit per cycle and never fills up


class Packet:
    """A packet in the fabric: ``target`` is a terminal, ``created`` the cycle of its sending.

    ``payload`` is whatever the sender wants back on delivery.
    """

    __slots__ = ("created", "flits", "payload", "target")

    def __init__(self, target: int, flits: int, created: int, payload: Any) -> None:
        self.target = target
        self.flits = flits
        self.created = created
        self.payload = payload


NO_PACKET = Packet(-1, 0, 0, None)  # at the front of an empty lane


class InputPort:
    """An input of a router; the turns are round-robin pointers of the switch allocator.

    ``users`` counts lanes with an output lane of their own, that is those that bid for the switch.
    """

    __slots__ = ("index", "lane_turn", "lanes", "output_turn", "router", "users")

    def __init__(self, router: Router, index: int) -> None:
        self.router = router
        self.index = index
        self.users = 0
        self.lane_turn = 0
        self.output_turn = 0
        self.lanes: list[Lane] = []


class OutputPort:
    """An output of a router and the channel behind it; ``lanes`` are those at the other end.

    ``terminal`` is the terminal it leads to, -1 for a router. ``free`` counts lanes not taken.
    """

    __slots__ = (
        "flits",
        "free",
        "index",
        "input_turn",
        "lanes",
        "name",
        "packets",
        "terminal",
        "users",
    )

    def __init__(self, index: int, name: str, terminal: int) -> None:
        self.index = index
        self.name = name
        self.terminal = terminal
        self.users = 0
        self.input_turn = 0
        self.lanes: list[Lane] = []
        self.free = 0
        self.flits = 0
        self.packets = 0

    def has_room(self) -> bool:
        """Whether any of its lanes is free and has a credit."""
        for lane in self.lanes:
            if not lane.taken and lane.credit:
                return True
        return False


class Lane:
    """One virtual channel at the input of a router, or at a terminal.

    ``buffered`` flits wait here, ``left`` of them (or of those still to come) belong to the packet
    at the front; ``down`` is the lane allocated to that packet, ``out`` the port to it.
    ``head`` says that its head flit has not been sent yet. ``turn`` and ``owner_turn`` are the
    round-robin pointers of the VC allocator, over lanes to ask for and lanes that ask.
    """

    __slots__ = (
        "buffered",
        "credit",
        "down",
        "head",
        "index",
        "left",
        "number",
        "out",
        "owner_turn",
        "packet",
        "port",
        "queue",
        "taken",
        "turn",
    )

    def __init__(self, port: InputPort, index: int, number: int, credit: int) -> None:
        self.port = port
        self.index = index  # among the lanes of its port
        self.number = number  # among the lanes of its router
        self.credit = credit
        self.taken = False
        self.buffered = 0
        self.left = 0
        self.head = False
        self.turn = 0
        self.owner_turn = 0
        self.packet = NO_PACKET
        self.queue: deque[Packet] = deque()
        self.out: OutputPort
        self.down: Lane


class Router:
    """One router: its ports, the lanes that bid for the switch, those that ask for an output lane.

    ``contested`` counts ports with more than one bidder: at 0 no bid can conflict with another.
    """

    __slots__ = ("asking", "bidders", "contested", "exits", "inputs", "node", "outputs", "ways")

    def __init__(self, node: int) -> None:
        self.node = node
        self.inputs: list[InputPort] = []
        self.outputs: list[OutputPort] = []
        self.exits: dict[int, OutputPort] = {}  # by direction, or LOCAL + terminal
        self.ways: dict[int, tuple[OutputPort, ...]] = {}  # by terminal, filled when first asked
        self.bidders: list[Lane] = []
        self.asking: list[Lane] = []
        self.contested = 0


class Source:
    """Where a terminal's packets enter: sends one packet after another, one flit per cycle."""

    __slots__ = ("awake", "flits", "lane", "lanes", "last", "left", "name", "packets", "queue")

    def __init__(self, name: str, lanes: list[Lane]) -> None:
        self.name = name
        self.awake = False
        self.lanes = lanes
        self.last = len(lanes) - 1
        self.queue: deque[Packet] = deque()
        self.lane: Lane | None = None  # that of the packet being sent
        self.left = 0
        self.flits = 0
        self.packets = 0
