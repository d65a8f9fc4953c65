"""A mesh of routers: ports, channels between them, terminals, and the way to each terminal."""

from __future__ import annotations

from tlm.hardware.noc.router.parts import UNLIMITED, InputPort, Lane, OutputPort, Router, Source
from tlm.hardware.noc.router.shape import RouterShape
from tlm.space.mesh_routes import DIRECTIONS, OPPOSITE, channels, directions

LOCAL = len(DIRECTIONS)  # exits of a router from here on lead to its terminals


class RouterMesh:
    """Routers of one shape and the channels between them; ``attach`` adds terminals.

    ``prefix`` tells the port names of several networks of a chip apart.
    """

    def __init__(self, columns: int, rows: int, shape: RouterShape, prefix: str = "") -> None:
        self.shape = shape
        self.columns = columns
        self.prefix = prefix
        self.routers = [Router(node) for node in range(columns * rows)]
        self.sources: list[Source] = []
        self.node_of: list[int] = []
        for node, direction, _ in channels(columns, rows):
            self._add_output(node, direction, f"n{node:02d}.{DIRECTIONS[direction]}", -1)
        for node, direction, neighbour in channels(columns, rows):  # inputs, in the same order
            out = self.routers[neighbour].exits[OPPOSITE[direction]]
            out.lanes = self._add_input(self.routers[node]).lanes

    def attach(self, node: int, name: str) -> int:
        """Give a terminal its ports at a router; returns its number."""
        terminal = len(self.sources)
        out = self._add_output(node, LOCAL + terminal, f"{name}.eject", terminal)
        sink = InputPort(self.routers[node], -1)
        out.lanes = [Lane(sink, i, i, UNLIMITED) for i in range(self.shape.vcs)]
        lanes = self._add_input(self.routers[node]).lanes
        self.sources.append(Source(f"{self.prefix}{name}.inject", lanes))
        self.node_of.append(node)
        return terminal

    def outputs(self) -> list[OutputPort]:
        """Every output port, in order of nodes."""
        return [out for router in self.routers for out in router.outputs]

    def way(self, router: Router, target: int) -> OutputPort:
        """The output towards a terminal; of several, that whose lanes hold most credits."""
        ways = router.ways.get(target)
        if ways is None:
            node = self.node_of[target]
            there = directions(self.shape.routing, self.columns, router.node, node)
            exits = there or (LOCAL + target,)
            ways = router.ways[target] = tuple(router.exits[direction] for direction in exits)
        if len(ways) == 1:
            return ways[0]
        return max(ways, key=lambda out: sum(lane.credit for lane in out.lanes))

    def _add_output(self, node: int, direction: int, name: str, terminal: int) -> OutputPort:
        router = self.routers[node]
        out = OutputPort(len(router.outputs), self.prefix + name, terminal)
        out.free = self.shape.vcs
        router.outputs.append(out)
        router.exits[direction] = out
        return out

    def _add_input(self, router: Router) -> InputPort:
        port = InputPort(router, len(router.inputs))
        base = port.index * self.shape.vcs
        port.lanes = [Lane(port, i, base + i, self.shape.vc_buffer) for i in range(self.shape.vcs)]
        router.inputs.append(port)
        return port
