"""What holds of every organisation of a synapse matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synapses.matrices import matrices
from tlm.errors import ConfigError
from tlm.synapses.organisation import NAMES, named

WIDEST = {"loihi": 8, "loihi-dense": 8}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_decode_gives_back_what_encode_took(name: str, data: st.DataObject) -> None:
    """Codes and width."""
    matrix = data.draw(matrices(WIDEST.get(name, 16)))
    organisation = named(name)
    back = organisation.decode(organisation.encode(matrix))
    assert np.array_equal(back.codes, matrix.codes)
    assert back.width == matrix.width


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_tables_by_formula_are_those_encoded(name: str, data: st.DataObject) -> None:
    """Names, words and widths; and the bytes hold these bits and less than a byte more."""
    matrix = data.draw(matrices(WIDEST.get(name, 16)))
    organisation = named(name)
    encoded = organisation.encode(matrix)
    assert organisation.tables(matrix) == encoded.tables
    assert [len(part.data) for part in encoded.contents] == [
        -(-t.bits // 8) for t in encoded.tables
    ]


def test_an_unknown_name_is_refused_with_all_names() -> None:
    """One line that lists what there is."""
    with pytest.raises(ConfigError, match='unknown organisation "tree"; there are: crossbar'):
        named("tree")
