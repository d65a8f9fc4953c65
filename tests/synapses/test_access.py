"""Accesses by formula, beside those of a walk over the encoded tables."""

from collections import Counter

import pytest
from hypothesis import given

from tests.synapses.matrices import matrices
from tests.synapses.walker import walk, weights_of
from tlm.errors import ConfigError
from tlm.synapses.access import SynapsePass, passes
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.published import EvenCounts

PUBLISHED = ("crossbar", "pb-bmp", "pb-csr")


def accesses(work: SynapsePass) -> Counter[tuple[str, str]]:
    """Reads and writes by table; those of none are left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for access in work.accesses:
        counts[access.memory.name, "reads"] += access.reads
        counts[access.memory.name, "writes"] += access.writes
    return +counts


@pytest.mark.parametrize("is_backward", [False, True])
@pytest.mark.parametrize("organisation", PUBLISHED)
@given(matrix=matrices())
def test_formulas_count_what_a_walk_over_encoded_tables_accesses(
    organisation: str, is_backward: bool, matrix: SynapseMatrix
) -> None:
    """The walk meets every weight of the matrix, by as many accesses to each table."""
    walked = walk(organisation, matrix, is_backward)
    both = passes(organisation, matrix)
    assert walked.weights == weights_of(matrix, zeros_too=organisation == "crossbar")
    assert accesses(both.backward if is_backward else both.forward) == walked.accesses()


def test_a_dense_and_a_sparse_matrix_by_hand() -> None:
    """3 inputs, 10 outputs, 6 synapses of 4 bits."""
    counts = EvenCounts(3, 10, 4, 0.2)
    assert accesses(passes("crossbar", counts).backward) == {
        ("weights", "reads"): 30,
        ("weights", "writes"): 30,
    }
    assert accesses(passes("pb-bmp", counts).forward) == {
        ("bitmap", "reads"): 6,  # two words a row
        ("rows", "reads"): 3,
        ("weights", "reads"): 6,
    }
    assert accesses(passes("pb-csr", counts).backward) == {
        ("reverse", "reads"): 30,
        ("forward", "reads"): 6,
        ("forward", "writes"): 6,
        ("reverse_pointers", "reads"): 10,
    }


def test_words_of_loihi_and_places_of_2_to_4_are_gone_through_once() -> None:
    """A backward pass writes the words again, and no pointer or index."""
    counts = EvenCounts(8, 16, 4, 0.5)
    loihi, structured = passes("loihi", counts), passes("2:4", counts)
    words = loihi.forward.accesses[0].reads
    assert accesses(loihi.backward) == {
        ("synapses", "reads"): words,
        ("synapses", "writes"): words,
        ("axons", "reads"): 8,
    }
    assert loihi.forward.synapses == 64
    assert accesses(structured.backward) == {
        ("weights", "reads"): 64,
        ("weights", "writes"): 64,
        ("indices", "reads"): 64,
    }
    assert passes("loihi-dense", counts).forward.synapses == 128


def test_an_unknown_organisation_is_refused() -> None:
    """By the line that names all."""
    with pytest.raises(ConfigError, match="there are: crossbar, pb-bmp"):
        passes("tree", EvenCounts(2, 2, 2, 1))
