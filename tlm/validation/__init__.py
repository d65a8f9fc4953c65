"""Our models beside trusted cycle-accurate ones: the measurements behind docs/validation.md.

In reading order: ``reference`` (the recorded curves, statistics of errors), ``noc``, ``dram`` (our
models at every point of them), ``page`` (the text).
"""
