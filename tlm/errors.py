"""Every error the project raises on purpose.

TlmError                exit code 2: bad input, one clear line
  ConfigError           a chip description, preset, unit or --set
  WorkloadError         a recorded job that is damaged, unknown or unsupported
  MappingError          a job that does not fit the chip it is asked to run on
  TraceError            a trace or run folder that cannot be written or read
    DiskFullError       exit code 6: no room for the results, or the trace ended early
  MemoryLimitError      a job that needs more memory than it may take; nothing was started
  InvalidResultError    exit code 3: the run broke a conservation law, or is not reproduced
  DeadlockError         exit code 4: the model stopped with work left
  OutOfMemoryError      exit code 5: memory ran out on the way
  InterruptedRunError   exit code 130 after Ctrl-C, 143 after SIGTERM; what was simulated is there
CaptureWarning          what a recorder says of a training that it lets go on
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TlmError(Exception):
    """Base of all errors; the command line prints its text on one line and exits ``exit_code``."""

    exit_code = 2


class ConfigError(TlmError):
    """A chip description, preset, unit or override is wrong."""


class WorkloadError(TlmError):
    """A recorded job is damaged, of an unknown schema, or asks for what is not modelled."""


class CaptureWarning(UserWarning):
    """Something is wrong with a recording; the training around it goes on."""


class MappingError(TlmError):
    """A job cannot be placed on the chip as asked."""


class TraceError(TlmError):
    """A run folder or trace cannot be written or read."""


class DiskFullError(TraceError):
    """The disk is full: the trace, or all that a run leaves, is not there as asked."""

    exit_code = 6


class MemoryLimitError(TlmError):
    """A job is estimated to need more memory than it may take."""


class OutOfMemoryError(TlmError):
    """Memory ran out during a run, or its limit was reached."""

    exit_code = 5


class InterruptedRunError(TlmError):
    """A signal ended a run early; what it had done so far has been written.

    The exit code has a default, that of Ctrl-C, as an error that comes from another process is
    built of its text alone before it gets its attributes.
    """

    def __init__(self, text: str, exit_code: int = 130) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class InvalidResultError(TlmError):
    """An invariant does not hold: the figures of this run must not be used."""

    exit_code = 3


class DeadlockError(TlmError):
    """No event is left although work is; the text names who waits for what."""

    exit_code = 4


@contextmanager
def write_errors(path: Path, kind: type[TlmError] = TraceError) -> Iterator[None]:
    """While ``path`` is written: what the system refuses is an error that names it.

    Raises:
        DiskFullError: there is no room for it.
        TlmError: of class ``kind``, it cannot be written for another reason.
    """
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in DISK_FULL else kind
        raise kind(f"{path}: cannot be written ({reason_of(error)})") from error


def reason_of(error: OSError) -> str:
    """What the system says of ``error``; HDF5's own text, of many lines, holds that somewhere."""
    return os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
