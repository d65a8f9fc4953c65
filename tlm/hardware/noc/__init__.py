"""The network on chip.

In reading order: ``network`` (what any model of it offers to a chip), ``crossing`` (from one clock
to another), ``packet_mesh`` (whole packets, unbounded buffers), ``router`` (flits, virtual channels
and credits), then ``traffic`` and ``driver``, which try a network without a chip. Routes over a
mesh stand in ``tlm.space.mesh_routes``.
"""
