"""The same chip, compiled: twins of what stands in ``tlm.kernel`` and ``tlm.hardware``.

In reading order: ``server`` (transactions, their paths, completions), ``queue`` (events),
``environment`` (SimPy on that queue), ``network``, ``packet_mesh`` and ``router_*`` (the two models
of it), ``dram`` (the controller, a ``dram_*.pxi`` for each concept), ``traffic``, ``dma``,
``tally``, ``engine`` (a core), ``rows`` (of a trace), ``model`` (a chip's classes).
Each says which module it is the twin of, and goes through the same events in the same order.

Nothing is imported here: where no compiler was at hand (``sources.why_missing``) there is nothing.
"""
