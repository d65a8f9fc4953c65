"""What every organisation of a synapse memory can do, and all of them by name."""

from __future__ import annotations

import re
from typing import Protocol

from tlm.errors import ConfigError
from tlm.synapses.bitmap import Bitmap
from tlm.synapses.crossbar import Crossbar
from tlm.synapses.csr import CompressedRows
from tlm.synapses.loihi import Loihi
from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.structured import Structured
from tlm.synapses.tables import Encoded, SynapseTable


class Organisation(Protocol):
    """A way to lay out the synapses of a matrix in tables.

    ``tables`` follows from counts alone and must be as large as what ``encode`` packs.
    """

    @property
    def name(self) -> str:
        """What users call it."""

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """The tables that a matrix takes, sizes by formula."""

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """The bits in these tables."""

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """The matrix that was encoded."""


_ORGANISATIONS: dict[str, Organisation] = {
    organisation.name: organisation
    for organisation in (
        Crossbar(), Bitmap(), CompressedRows(), Loihi(is_sparse=True), Loihi(is_sparse=False)
    )
}  # fmt: skip

NAMES = tuple(_ORGANISATIONS)
"""Those that hold any matrix; N:M holds what was pruned to it."""


def named(text: str) -> Organisation:
    """The organisation of a name: one of ``NAMES``, or N:M such as 2:4.

    Raises:
        ConfigError: there is none of that name.
    """
    pattern = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text, re.ASCII)
    if pattern:
        return Structured(int(pattern[1]), int(pattern[2]))
    if text not in _ORGANISATIONS:
        raise ConfigError(
            f'unknown organisation "{text}"; there are: {", ".join(NAMES)}, and N:M such as 2:4'
        )
    return _ORGANISATIONS[text]
