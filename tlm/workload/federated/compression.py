"""What a worker's upload is reduced to, and the bytes that it and a download take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from tlm.errors import WorkloadError

_FP32_NBYTES, _FP16_NBYTES, _INDEX_NBYTES = 4, 2, 4
_TOP_K = re.compile(r"top-(0\.\d{1,6})")


@dataclass(frozen=True)
class Compression:
    """A way to send the difference between a worker's weights and the global model's.

    ``none`` sends FP32 words, ``fp16`` words rounded to FP16, and ``top-S`` the share S of them
    that is largest by magnitude in the whole model, in FP16, with their places; what it does not
    send stays with the worker, who adds it to its next difference (error feedback, Stich et al.,
    arXiv 1809.07599). ``share`` is S; None where all differences are sent.
    """

    name: str
    share: Fraction | None = None

    @classmethod
    def of(cls, name: str) -> Compression:
        """The compression called ``name``; raises WorkloadError if there is none."""
        if name in ("none", "fp16"):
            return cls(name)
        match = _TOP_K.fullmatch(name)
        if match is None or not (share := Fraction(match[1])):
            raise WorkloadError(
                f"unknown compression {name!a}: expected none, fp16 or top-S with a share S "
                "below 1, such as top-0.01"
            )
        return cls(name, share)

    def sent(self, parameters: int) -> int:
        """Numbers that a worker sends of ``parameters``: all, or k = ceil(S parameters)."""
        return parameters if self.share is None else ceil(self.share * parameters)


def upload_nbytes(parameters: int, compression: Compression) -> int:
    """Bytes of one worker's upload in one round.

    The places of the k numbers of top-k are k indices of 4 bytes, or a bitmap of the whole model
    if that is smaller: min(6 k, 2 k + ceil(parameters / 8)).
    """
    sent = compression.sent(parameters)
    if compression.share is not None:
        return _FP16_NBYTES * sent + min(_INDEX_NBYTES * sent, ceil(parameters / 8))
    return sent * (_FP32_NBYTES if compression.name == "none" else _FP16_NBYTES)


def download_nbytes(parameters: int, compression: Compression) -> int:
    """Bytes of the whole model that a worker receives each round: FP32 with none, else FP16."""
    return parameters * (_FP32_NBYTES if compression.name == "none" else _FP16_NBYTES)
