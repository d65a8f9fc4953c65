"""The line of the user's code that is running."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

_NOT_THEIRS = (Path(__file__).parents[2], *map(Path, sysconfig.get_paths().values()))


def user_line() -> str:
    """``FILE:LINE: `` of the innermost code that is neither ours nor installed, or nothing."""
    frame = sys._getframe().f_back
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_file() and not any(path.is_relative_to(place) for place in _NOT_THEIRS):
            return f"{path.name}:{frame.f_lineno}: "
        frame = frame.f_back
    return ""
