"""What holds of every organisation of a synapse matrix."""

import numpy as np
import pytest
from hypothesis import given

from tests.synapses.matrices import matrices
from tlm.errors import ConfigError
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import NAMES, named


@pytest.mark.parametrize("name", NAMES)
@given(matrix=matrices())
def test_decode_gives_back_what_encode_took(name: str, matrix: SynapseMatrix) -> None:
    """Codes and width."""
    organisation = named(name)
    back = organisation.decode(organisation.encode(matrix))
    assert np.array_equal(back.codes, matrix.codes)
    assert back.width == matrix.width


@pytest.mark.parametrize("name", NAMES)
@given(matrix=matrices())
def test_tables_by_formula_are_those_encoded(name: str, matrix: SynapseMatrix) -> None:
    """Names, words and widths; and the bytes hold these bits and less than a byte more."""
    organisation = named(name)
    encoded = organisation.encode(matrix)
    assert organisation.tables(matrix) == encoded.tables
    assert [len(data) for data in encoded.data] == [-(-t.bits // 8) for t in encoded.tables]


def test_an_unknown_name_is_refused_with_all_names() -> None:
    """One line that lists what there is."""
    with pytest.raises(ConfigError, match='unknown organisation "tree"; there are: crossbar'):
        named("tree")
