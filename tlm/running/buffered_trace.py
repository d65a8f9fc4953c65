"""The trace of the compiled kernel; importing this module fails where it has not been built."""

from __future__ import annotations

from tlm.compiled.rows import RowBuffer
from tlm.trace.writer import TraceWriter


class BufferedTrace(TraceWriter):
    """A trace whose rows lie in buffers of the compiled kernel."""

    new_rows = RowBuffer
