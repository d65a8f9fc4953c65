"""Programs that are measured: each does one piece of work and ends with a line of JSON.

The line gives ``amount``, how much was done, and ``cpu_s``, the CPU-seconds of the work alone,
without start and preparation; ``built_cpu_s``, where it is told, with loading and building.

``packets`` and ``recorded`` are not measured: they write what programs of others read.
"""
