"""What the packets of a router network wait for, in the words of tlm.hardware.noc.router.waits."""

from cpython.ref cimport PyObject

from tlm.compiled.router_fabric cimport RouterFabric
from tlm.compiled.router_mesh cimport RouterMesh
from tlm.compiled.router_parts cimport Lane, OutputPort, Packet, PacketQueue, Port, Router, Source

from tlm.hardware.noc.router.waits import ITS_NEXT_FLIT, READY, lost


def packets_by_lane(RouterFabric fabric not None):
    """(name of the place, packet) of all that wait at a source or lie in a lane."""
    cdef RouterMesh mesh = fabric.mesh
    cdef Source source
    cdef Lane* lane
    cdef size_t at
    names, places = _lane_names(mesh), []
    for source in mesh.sources:
        _add_queue(places, source.name, &source.queue)
    for at in _input_lanes(mesh):
        lane = <Lane*>at
        if lane.packet is not NULL:
            places.append((names[at], <Packet>lane.packet))
        _add_queue(places, names[at], &lane.queue)
    return places


def lane_waits(RouterFabric fabric not None):
    """(lane, what it waits for) for every lane with a packet, and every source with one."""
    cdef RouterMesh mesh = fabric.mesh
    cdef Source source
    cdef Router* router
    cdef Lane* lane
    cdef int node, index, ahead
    names, waits = _lane_names(mesh), []
    for source in mesh.sources:
        if source.left and not source.lanes[source.last].credit:
            waits.append((source.name, names[<size_t>&source.lanes[source.last]]))
        elif source.queue.first is not NULL and not source.left:
            waits += [(source.name, names[<size_t>&source.lanes[i]]) for i in range(mesh.vcs)]
    for node in range(mesh.router_count):
        router = &mesh.routers[node]
        for index in range(router.asking.count):
            lane = <Lane*>router.asking.items[index]
            for ahead in range(mesh.vcs):
                waits.append((names[<size_t>lane], names[<size_t>&lane.out.lanes[ahead]]))
        for index in range(router.bidders.count):
            lane = <Lane*>router.bidders.items[index]
            waits.append((names[<size_t>lane], _awaited(lane, names[<size_t>lane.down])))
    return waits


def lane_states(RouterMesh mesh not None):
    """(name, free credits, flits buffered, whether taken) of every lane of a router."""
    cdef Lane* lane
    cdef size_t at
    names, states = _lane_names(mesh), []
    for at in _input_lanes(mesh):
        lane = <Lane*>at
        states.append((names[at], lane.credit, lane.buffered, lane.taken))
    return states


cdef list _input_lanes(RouterMesh mesh):
    """The addresses of the lanes of all routers, input by input."""
    cdef int node, port, index
    return [
        <size_t>&mesh.routers[node].inputs[port].lanes[index]
        for node in range(mesh.router_count)
        for port in range(mesh.routers[node].input_count)
        for index in range(mesh.vcs)
    ]


cdef dict _lane_names(RouterMesh mesh):
    """The name of every lane, by its address: the channel that leads to it, and its number."""
    cdef dict names = {}
    cdef OutputPort* out
    cdef Source source
    cdef int node, port, index
    for node in range(mesh.router_count):
        for port in range(mesh.routers[node].output_count):
            out = mesh.routers[node].outputs[port]
            for index in range(mesh.vcs):
                names[<size_t>&out.lanes[index]] = f"{(<Port>out.port).name}.vc{index}"
    for source in mesh.sources:
        for index in range(mesh.vcs):
            names[<size_t>&source.lanes[index]] = f"{source.name}.vc{index}"
    return names


cdef _add_queue(list places, str name, PacketQueue* queue):
    cdef PyObject* packet = queue.first
    while packet is not NULL:
        places.append((name, <Packet>packet))
        packet = (<Packet>packet).behind


cdef str _awaited(Lane* bidder, str down):
    """What a packet with a lane of its own ahead waits for."""
    if not bidder.buffered:
        return ITS_NEXT_FLIT
    if bidder.down.credit:
        return READY
    return down if bidder.down.buffered else lost(down)
