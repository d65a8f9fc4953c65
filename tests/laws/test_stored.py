"""What the laws hold stored weights against: their rules beside the encoders', loops and a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.jobs import conv, job, linear, loaded_chip
from tlm.counts.core_arrays import arrays_of
from tlm.counts.packed_weights import pack
from tlm.laws.due.results import useful_pairs, weighted_pairs
from tlm.laws.due.stored import INDEX, REVERSE, StoredTile, StoredWeights, stored_weights
from tlm.laws.job_sizes import JobSizes
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import named
from tlm.workload.drawn.weights import parse_weights, weight_masks

WIDTH = 16


def chip(organisation):
    """The preset with weights in an organisation."""
    return loaded_chip(f"core.weights.organisation={organisation}").config


def random_mask(seed, share, shape):
    """Weights that are there with a probability."""
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=150)
@given(
    seed=st.integers(0, 999), share=st.sampled_from([0.1, 0.5, 1.0]),
    inputs=st.integers(1, 16), outputs=st.integers(1, 16),
    organisation=st.sampled_from(["pb-bmp", "pb-csr"]),
)  # fmt: skip
def test_tables_are_as_large_as_what_encoders_pack(seed, share, inputs, outputs, organisation):
    """By the laws' formulas, in whole words of a weight's width, a tile of any shape."""
    mask = random_mask(seed, share, (outputs, inputs))
    mask[0, 0] = True
    encoded = named(organisation).encode(SynapseMatrix(mask.T.astype(np.int64), WIDTH))
    bits = {table.name: table.bits for table in encoded.tables}
    reverse = sum(size for name, size in bits.items() if name.startswith("reverse"))
    index = sum(bits.values()) - reverse - int(mask.sum()) * WIDTH
    layer = linear(inputs, outputs)
    stored = StoredWeights(layer, organisation, mask[:, :, None, None], chip(organisation))
    tile = StoredTile(0, 0, mask)
    assert stored.table_words(tile, INDEX) == -(-index // WIDTH)
    assert stored.table_words(tile, REVERSE) == -(-reverse // WIDTH)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.2, 1.0]),
    groups=st.sampled_from([1, 2, 4]), depth=st.integers(1, 20), width=st.integers(1, 20),
    organisation=st.sampled_from(["pb-bmp", "pb-csr", "1:2", "2:4"]),
)  # fmt: skip
def test_both_countings_of_stored_weights_agree(seed, share, groups, depth, width, organisation):
    """Weights, words of every table and places of N:M, by engine, of any grouped convolution."""
    layer = replace(conv((groups * depth, 3, 3), groups * width, 2), groups=groups)
    mask = random_mask(seed, share, layer.weight_shape)
    if ":" in organisation:
        kept, group = map(int, organisation.split(":"))
        order = np.cumsum(mask, axis=1)
        before = (
            order[:, np.arange(depth) // group * group] - mask[:, np.arange(depth) // group * group]
        )
        mask &= order - before <= kept
    config = chip(organisation)
    packed = pack(layer, mask, organisation, arrays_of(config), 1)
    stored = stored_weights(layer, config, [mask])
    assert stored is not None
    every = (0, layer.out_shape[0])
    assert np.array_equal(stored.mask.reshape(packed.mask.shape), packed.mask)
    assert stored.count(every) == packed.count(every)
    assert stored.all_words(every) == packed.all_words(every)
    for engine in ("fp", "bp", "wg"):
        assert stored.words(engine, every) == packed.words(engine, every)
        loads = sum(stored.load_cycles(tile, engine) for tile in stored.tiles)
        assert loads == packed.load_cycles(engine, every)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 99), stride=st.integers(1, 2), padding=st.integers(0, 1),
    groups=st.sampled_from([1, 2]), share=st.sampled_from([0.3, 1.0]),
)  # fmt: skip
def test_pairs_that_meet_a_weight(seed, stride, padding, groups, share):
    """Against loops over outputs, taps and channels; with all weights as without any mask."""
    layer = replace(conv((4, 5, 5), 6, 2, stride, padding), groups=groups)
    draw = np.random.default_rng(seed)
    inputs = draw.random((2, 1, *layer.in_shape)) < 0.5
    outputs = draw.random((2, 1, *layer.product_shape)) < 0.5
    weights = draw.random(layer.weight_shape) < share
    met = 0
    for t, b, k, e, f in np.argwhere(outputs):
        for c, r, s in np.argwhere(weights[k]):
            y, x = e * stride - padding + r, f * stride - padding + s
            channel = k // (6 // groups) * (4 // groups) + c
            if 0 <= y < 5 and 0 <= x < 5:
                met += inputs[t, b, channel, y, x]
    assert weighted_pairs(weights, layer, outputs, inputs) == met
    if weights.all():
        assert useful_pairs(layer, outputs, inputs) == met


def test_sizes_of_a_job_follow_its_stored_weights():
    """What is trained of a pruned layer are its weights, in a crossbar all the same."""
    workload, recording = job(conv((8, 6, 6), 16, 3), linear(256, 10))
    workload = replace(workload, iterations=(0,))
    masks = weight_masks(workload, 0, parse_weights("density=0.25"))
    pruned = replace(recording, weights=masks)
    layer = workload.layers[0]
    whole = JobSizes(workload, chip("crossbar"), pruned).trained(layer)
    assert JobSizes(workload, chip("pb-bmp"), pruned).trained(layer) == pytest.approx(whole / 4)
    assert JobSizes(workload, chip("pb-bmp")).trained(layer) == whole
