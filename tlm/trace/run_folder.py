"""The folder of a run may come from a stranger: only what lies in it itself is read."""

from __future__ import annotations

from pathlib import Path

from tlm.errors import TraceError
from tlm.files import odd_entry


def check_folder(folder: Path) -> None:
    """Refuse a folder that is none, or whose entries lead out of it.

    Raises:
        TraceError: no folder, or a link, pipe or device in it.
    """
    try:
        odd = odd_entry(folder)
    except OSError as error:
        raise TraceError(
            f"{folder}: cannot be read ({error.strerror}); give the folder of a finished run"
        ) from None
    if odd is not None:
        raise TraceError(
            f"{odd}: a link, pipe or device, which is not opened in the folder of a run; "
            "put the file itself there"
        )
