"""The mapper beside others: ZigZag's DRAM words, SATA's and Stream's published ratios."""

from functools import cache

import pytest

from tests.evidence import fusion, sata, zigzag_words
from tests.evidence.mappers import (
    MEMORIES,
    PAGE,
    REASONS,
    REFERENCE,
    Shape,
    Words,
    chip_words,
    reference,
    section,
)
from tests.evidence.page import read_csv

LARGE, PRESET = MEMORIES
SHAPES = {shape.layer: shape for shape in reference(LARGE)}
REDUCED = ("conv7", "conv12", "conv15")  # one of each kind: weights again, equal, rows between
BLOCK = 256  # positions whose sums of 16 channels fill 64 Kib
STAYS = (768 - 2 * 48) * 1024 // 16  # words of weights: the stage less its double buffer

chip_words = cache(chip_words)


def expected(shape: Shape) -> Words:
    """What the rules of the chip ask for where the rows of a block fit the spike memory.

    Every input row up to the last one under a window, once. All weights once, if they fit the
    stage or the layer is one block; else what does not stay, once a block.
    """
    last = min(shape.size, (shape.rows - 1) * shape.stride + shape.kernel - shape.padding)
    weights = shape.outputs * shape.inputs * shape.kernel**2
    blocks = -(-shape.rows // min(shape.rows, BLOCK // shape.rows))
    again = weights - STAYS if weights > 768 * 1024 // 16 else 0
    return Words(
        shape.inputs * shape.size * last,
        weights + again * (blocks - 1),
        shape.outputs * shape.rows**2,
    )


def check(shape: Shape) -> None:
    """The words are those of the rules; where no reason is known, ZigZag's within 5 %."""
    ours, theirs = chip_words(shape, LARGE), reference(LARGE)[shape]
    assert ours == expected(shape)
    if shape.layer not in REASONS:
        assert ours.all == pytest.approx(theirs.all, rel=0.05)
        assert ours.inputs == pytest.approx(theirs.inputs, rel=0.05)
        assert ours.weights == pytest.approx(theirs.weights, rel=0.05)


@pytest.mark.parametrize("layer", REDUCED)
def test_words_of_a_layer_are_zigzags_or_explained(layer: str) -> None:
    """One layer of each kind."""
    check(SHAPES[layer])


@pytest.mark.slow
def test_words_of_all_layers_are_zigzags_or_explained() -> None:
    """Every convolution; the page shows them."""
    for shape in SHAPES.values():
        check(shape)
    assert section(LARGE).strip() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_reference_is_whole(memory: str) -> None:
    """The layers of the script, every weight and output at least once, outputs exactly once."""
    layers = [(memory, *map(str, layer)) for layer in zigzag_words.LAYERS]
    rows = [row for row in read_csv(REFERENCE) if row["memory"] == memory]
    assert [tuple(row.values())[:9] for row in rows] == layers
    for shape, words in reference(memory).items():
        assert words.weights >= shape.outputs * shape.inputs * shape.kernel**2
        assert words.outputs == shape.outputs * shape.rows**2
        assert words.inputs >= shape.inputs * shape.rows**2


def test_what_passes_between_layers_is_worth_keeping() -> None:
    """Data that go through DRAM instead cost time or energy; gradients beside inputs, more."""
    ratios = fusion.gains("digits")
    assert 1 <= ratios["inputs"] < ratios["inputs and gradients"]
    assert ratios["apart"] > 1


@pytest.mark.slow
def test_training_an_snn_costs_what_sata_states() -> None:
    """SNN over ANN in energy is within 25 % of the published ratio; nothing was fitted to it."""
    snn, ann = sata.training("recorded"), sata.training("ann")
    ratio = snn.energy.total_pj / ann.energy.total_pj
    assert ratio == pytest.approx(sata.PUBLISHED, rel=0.25)
