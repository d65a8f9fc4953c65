"""What a run leaves in ``trace.h5``: its schema, its writer and its reader."""

from tlm.trace.reader import Trace, open
from tlm.trace.schema import Unit, What
from tlm.trace.writer import TraceWriter

__all__ = ["Trace", "TraceWriter", "Unit", "What", "open"]
