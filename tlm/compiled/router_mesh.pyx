"""A mesh of routers: ports, channels between them, terminals, and the way to each terminal."""

from cpython.ref cimport Py_XDECREF, PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, realloc

from tlm.compiled.router_parts cimport (
    InputPort, Lane, OutputPort, Port, Router, Source, drop,
)
from tlm.space.mesh_routes import DIRECTIONS, OPPOSITE, channels

cdef int EAST, WEST, SOUTH, NORTH
EAST, WEST, SOUTH, NORTH = range(4)
cdef int64_t UNLIMITED = 1 << 60  # credit of a terminal's lanes: they never fill up


cdef class RouterMesh:
    """Routers of one shape and the channels between them; ``attach`` adds terminals.

    ``prefix`` tells the port names of several networks of a chip apart.
    """

    def __init__(self, int columns, int rows, shape, str prefix=""):
        self.shape, self.columns, self.prefix = shape, columns, prefix
        self.vcs, self.vc_buffer = shape.vcs, shape.vc_buffer
        self._y_first = shape.routing == "yx"
        self._adaptive = shape.routing == "west-first"
        self.node_of, self.sources = [], []
        self._ports = [[] for _ in range(columns * rows)]
        self.routers = <Router*>_block(columns * rows, sizeof(Router))
        self.router_count = columns * rows
        cdef Router* router
        cdef int node, direction, neighbour
        for node in range(columns * rows):
            router = &self.routers[node]
            router.node, router.x, router.y = node, node % columns, node // columns
            router.in_asking.router = router.in_bidding.router = router
        for node, direction, _ in channels(columns, rows):
            self.routers[node].exits[direction] = self._add_output(
                node, f"n{node:02d}.{DIRECTIONS[direction]}", -1
            )
        for node, direction, neighbour in channels(columns, rows):  # inputs, in the same order
            self.routers[neighbour].exits[<int>OPPOSITE[direction]].lanes = (
                self._add_input(node).lanes
            )

    def __dealloc__(self):
        cdef Router* router
        cdef int node, index
        for node in range(self.router_count):
            router = &self.routers[node]
            for index in range(router.input_count):
                self._free_lanes(router.inputs[index].lanes)
                free(router.inputs[index])
            for index in range(router.output_count):
                if router.outputs[index].terminal >= 0:
                    free(router.outputs[index].lanes[0].port)
                    self._free_lanes(router.outputs[index].lanes)
                free(router.outputs[index])
            free(router.inputs)
            free(router.outputs)
            free(router.bidders.items)
            free(router.asking.items)
        free(self.routers)
        free(self._ejections)
        free(self._nodes)

    cdef void release(self) noexcept:
        """Let go of all packets; nothing can be sent any more."""
        cdef Router* router
        cdef Source source
        cdef int node, index
        for source in self.sources:
            drop(&source.queue)
        for node in range(self.router_count):
            router = &self.routers[node]
            for index in range(router.input_count):
                self._release_lanes(router.inputs[index].lanes)

    cdef void _release_lanes(self, Lane* lanes) noexcept:
        cdef int index
        cdef PyObject* packet
        for index in range(self.vcs):
            packet, lanes[index].packet = lanes[index].packet, NULL
            Py_XDECREF(packet)
            drop(&lanes[index].queue)

    cdef void _free_lanes(self, Lane* lanes) noexcept:
        self._release_lanes(lanes)
        free(lanes)

    def attach(self, int node, str name not None):
        """Give a terminal its ports at a router; returns its number."""
        cdef int terminal = len(self.sources)
        cdef OutputPort* out = self._add_output(node, f"{name}.eject", terminal)
        cdef InputPort* sink = <InputPort*>_block(1, sizeof(InputPort))
        cdef Source source = Source(f"{self.prefix}{name}.inject", node, terminal)
        sink.router, sink.index = &self.routers[node], -1
        out.lanes = _lanes(sink, self.vcs, 0, UNLIMITED)
        source.lanes = self._add_input(node).lanes
        source.lane_count, source.last = self.vcs, self.vcs - 1
        self.sources.append(source)
        self.node_of.append(node)
        self._ejections = <OutputPort**>_larger(self._ejections, terminal + 1, sizeof(void*))
        self._ejections[terminal] = out
        self._nodes = <int*>_larger(self._nodes, terminal + 1, sizeof(int))
        self._nodes[terminal] = node
        return terminal

    def outputs(self):
        """Every output port, in order of nodes."""
        return [port for ports in self._ports for port in ports]

    cdef OutputPort* way(self, Router* router, int target) noexcept:
        """The output towards a terminal; of several, that whose lanes hold most credits.

        The directions are those of ``tlm.space.mesh_routes.directions``.
        """
        cdef Router* end = &self.routers[self._nodes[target]]
        cdef int dx = end.x - router.x, dy = end.y - router.y
        cdef OutputPort* along_x = router.exits[EAST if dx > 0 else WEST]
        cdef OutputPort* along_y = router.exits[SOUTH if dy > 0 else NORTH]
        if dx == 0 and dy == 0:
            return self._ejections[target]
        if dx == 0 or dy == 0:
            return along_x if dx else along_y
        if self._adaptive and dx > 0:
            return along_y if self._credits(along_y) > self._credits(along_x) else along_x
        return along_y if self._y_first else along_x

    cdef int64_t _credits(self, OutputPort* out) noexcept:
        cdef int64_t credits = 0
        cdef int index
        for index in range(self.vcs):
            credits += out.lanes[index].credit
        return credits

    cdef OutputPort* _add_output(self, int node, str name, int terminal) except NULL:
        cdef Router* router = &self.routers[node]
        cdef OutputPort* out = <OutputPort*>_block(1, sizeof(OutputPort))
        cdef Port port = Port(self.prefix + name, node, terminal)
        self._ports[node].append(port)
        out.port = <PyObject*>port
        out.index, out.terminal, out.free = router.output_count, terminal, self.vcs
        out.matched = -1
        router.outputs = <OutputPort**>_larger(
            router.outputs, router.output_count + 1, sizeof(void*)
        )
        router.outputs[router.output_count] = out
        router.output_count += 1
        return out

    cdef InputPort* _add_input(self, int node) except NULL:
        cdef Router* router = &self.routers[node]
        cdef InputPort* port = <InputPort*>_block(1, sizeof(InputPort))
        port.router, port.index = router, router.input_count
        port.lanes = _lanes(port, self.vcs, port.index * self.vcs, self.vc_buffer)
        router.inputs = <InputPort**>_larger(router.inputs, router.input_count + 1, sizeof(void*))
        router.inputs[router.input_count] = port
        router.input_count += 1
        return port


cdef Lane* _lanes(InputPort* port, int count, int base, int64_t credit) except NULL:
    """The lanes of a port, the first of them number ``base`` of its router."""
    cdef Lane* lanes = <Lane*>_block(count, sizeof(Lane))
    cdef int index
    for index in range(count):
        lanes[index].port, lanes[index].index = port, index
        lanes[index].number, lanes[index].credit = base + index, credit
    return lanes


cdef void* _block(size_t count, size_t size) except NULL:
    """Memory that is zero throughout."""
    cdef void* block = calloc(count, size)
    if block is NULL:
        raise MemoryError
    return block


cdef void* _larger(void* block, size_t count, size_t size) except NULL:
    """An array, with room for ``count`` items."""
    block = realloc(block, count * size)
    if block is NULL:
        raise MemoryError
    return block
