"""What a run records of itself: the states of an engine, and the rows of the trace's two tables.

The hardware makes the rows, the trace stores them: both take names and order from here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

# A column's type in the file, as numpy writes it.
_U8 = Annotated[int, "u1"]
_U32 = Annotated[int, "<u4"]
_I16 = Annotated[int, "<i2"]
_I32 = Annotated[int, "<i4"]
_I64 = Annotated[int, "<i8"]

NONE = -1  # layer, sample, step or task of a row that has none
PHASE_NONE = 255


class EngineState(IntEnum):
    """What an engine does in an interval: compute, wait (with the reason), or nothing any more.

    A wait for other work is ``STALL_DEPENDENCY``, but ``NOT_BEGUN`` where the engine has computed
    no tile yet of that pass (``tlm.space.phase.PASS_OF_PHASE``).
    """

    COMPUTE = 0
    STALL_DEPENDENCY = 1
    STALL_DRAM = 2
    STALL_NOC = 3
    STALL_WRITEBACK = 4
    IDLE = 5
    NOT_BEGUN = 6

    @property
    def reason(self) -> str:
        """Its name in summaries, such as ``dram``."""
        return self.name.lower().removeprefix("stall_")


class TransactionRow(NamedTuple):
    """A row of ``/transactions``; times in ps, ``initiator`` and ``target`` are unit ids.

    ``phase``, ``layer``, ``sample`` and ``step`` are those of the tile that it belongs to;
    ``address`` counts within its DRAM channel.
    """

    id: _U32
    begin_req: _I64
    end_req: _I64
    begin_resp: _I64
    end_resp: _I64
    initiator: _I16
    target: _I16
    command: _U8
    phase: _U8
    layer: _I16
    sample: _I16
    step: _I16
    nbytes: _U32
    address: _I64


class ActivityRow(NamedTuple):
    """A row of ``/activity``: an interval of one engine in one state (``what``); times in ps.

    ``task`` is the place of the tile in the engine's program.
    """

    unit: _I16
    begin: _I64
    end: _I64
    what: _U8
    phase: _U8
    layer: _I16
    sample: _I16
    samples: _I16
    step: _I16
    steps: _I16
    task: _I32
