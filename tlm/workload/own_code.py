"""Runs a Python file that the user named, and says in one line what is wrong with it."""

from __future__ import annotations

import runpy
import traceback
from pathlib import Path

from tlm.errors import WorkloadError


def run_file(path: Path) -> dict[str, object]:
    """The names that the program at ``path`` defines. It is run, not imported: no file is left.

    Raises:
        WorkloadError: it cannot be read as Python, or ends in an error; the line of the file, that
            line's text and the error itself.
    """
    try:
        return runpy.run_path(str(path))
    except SyntaxError as error:
        where = f"{error.filename or path}:{error.lineno or 1}"
        raise WorkloadError(_line(where, error.msg, error.text)) from None
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise WorkloadError(_fault(path, error)) from None


def _fault(path: Path, error: BaseException) -> str:
    """Where in the user's file the ``error`` began: the last line of it that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename == str(path)]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if not inside:
        return _line(str(path), what, None)
    return _line(f"{path}:{inside[-1].lineno}", what, inside[-1].line)


def _line(where: str, what: str, code: str | None) -> str:
    text = " ".join((code or "").split())
    return f"{where}: {' '.join(what.split())[:300]}" + (f"; in: {text[:80]}" if text else "")
