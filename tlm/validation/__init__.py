"""Our models beside trusted cycle-accurate ones: the measurements behind docs/validation.md.

In reading order: ``reference`` (the recorded curves, statistics of errors), ``devices`` (with which
DRAM channels they were measured), ``noc``, ``dram`` (our models at every point of them),
``closed_forms`` (what needs no simulator), ``page`` and ``dram_page`` (the text).
"""
