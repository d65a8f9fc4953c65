"""The figures of a finished run, from the model's own counters and never from its trace.

Each module makes parts of :class:`tlm.trace.summary.Summary`; in reading order: ``job`` (job, chip,
densities), ``work`` (time and work by phase), ``energy`` (energy and TFLOPS/W), ``engines`` (where
engine time went), ``traffic`` (DRAM and network), ``bottlenecks`` (busiest resources, stalls),
``sanity`` and ``network`` (what is odd), ``summary`` (all of them, and the verdict of the laws).
Identical inputs give identical bytes; what varies from run to run stands in the manifest.
"""
