"""What a run leaves in ``trace.h5``, and what can be read from it.

In reading order: ``schema`` (tables, names, version); for writing ``limits``, ``disk_space``,
``table``, ``writer``; for reading ``check``, ``unclosed``, ``reader``; then what is made of a
trace: ``chip`` (where its units sit), ``packets``, and the exporters ``csv_tables``,
``dram_requests``, ``perfetto``,
``perfetto_workers``. ``energy_csv`` names the columns of a run's energy table. Rows and
the states of engines are defined in ``tlm.space.trace_rows``.
"""

from tlm.space.trace_rows import EngineState
from tlm.trace.reader import Trace, open
from tlm.trace.schema import Unit
from tlm.trace.writer import TraceWriter

__all__ = ["EngineState", "Trace", "TraceWriter", "Unit", "open"]
