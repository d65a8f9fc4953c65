"""Another B or T of a job, as it is spelt behind its name: ``[B=64,T=8]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlm.errors import WorkloadError
from tlm.workload.file.schema import MAX_BATCH, MAX_STEPS

_SIZE = re.compile(r"\s*([BT])=([1-9]\d{0,3})\s*")
_MOST = min(MAX_BATCH, MAX_STEPS)


@dataclass(frozen=True)
class Sizes:
    """Samples B and steps T that are asked for; None: as many as there are."""

    batch: int | None = None
    steps: int | None = None


def parse_sizes(text: str) -> Sizes:
    """Sizes from what stands in brackets, such as ``B=1,T=4``; nothing asks for nothing.

    Raises WorkloadError if it is spelt otherwise, or names a size twice.
    """
    asked: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        size = _SIZE.fullmatch(part)
        if size is None or size[1] in asked or int(size[2]) > _MOST:
            raise WorkloadError(
                f'"[{text}]": expected B and T, 1 to {_MOST}, each once, such as [B=1,T=4]'
            )
        asked[size[1]] = int(size[2])
    return Sizes(asked.get("B"), asked.get("T"))
