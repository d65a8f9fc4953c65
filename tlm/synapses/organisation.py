"""What every organisation of a synapse memory can do, and all of them by name."""

from __future__ import annotations

from typing import Protocol

from tlm.errors import ConfigError
from tlm.synapses.crossbar import Crossbar
from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
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
    organisation.name: organisation for organisation in (Crossbar(),)
}

NAMES = tuple(_ORGANISATIONS)


def named(text: str) -> Organisation:
    """The organisation of a name.

    Raises:
        ConfigError: there is none of that name.
    """
    if text not in _ORGANISATIONS:
        raise ConfigError(f'unknown organisation "{text}"; there are: {", ".join(NAMES)}')
    return _ORGANISATIONS[text]
