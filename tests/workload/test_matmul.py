"""Products of two recorded tensors: the golden model against torch's rule, their form in files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload import Pool
from tlm.workload.builder import Builder
from tlm.workload.file.graph import layers_from_json, layers_to_json
from tlm.workload.golden.network import backward, forward
from tlm.workload.golden.passes import FREE, Backward, NeuronBackward
from tlm.workload.held import Held
from tlm.workload.input_kind import held_kind, kind_of
from tlm.workload.model import Layer
from tlm.workload.operand import Line, Operand, Part, Term, Window
from tlm.workload.report.reads import reads
from tlm.workload.surrogate import lif_neuron
from tlm.workload.values import Parameters

T, B = 2, 2
HEADS, DEPTH, SIDE = 2, 3, 2
TOKENS, CHANNELS = SIDE * SIDE, HEADS * DEPTH


def matmul(index: int, read: Layer, held: Held, outputs: int) -> Layer:
    """Layer ``index``: what ``read`` leaves, multiplied with what ``held`` says."""
    channels, height, width = read.out_shape
    if held.input_transposed:
        channels, height, width = HEADS * height * width, channels // HEADS, 1
    return replace(
        read, index=index, name=f"matmul{index}", kind="matmul", in_shape=(channels, height, width),
        out_shape=(outputs, height, width), kernel=(1, 1), stride=(1, 1), padding=(0, 0),
        sources=(read.index,), bias=False, neuron=None, pool=None, groups=HEADS, held=held,
    )  # fmt: skip


def with_kinds(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Each layer with the kind of what it reads."""
    return tuple(replace(layer, input_kind=kind_of(layer, layers, "analog")) for layer in layers)


def attention(order: str, scale: float = 0.125) -> tuple[Layer, ...]:
    """q, k, v of the network's input, and x = q k' v, from the left or from the right."""
    net = Builder((CHANNELS, SIDE, SIDE), lif_neuron())
    for name in "qkv":
        net.conv(CHANNELS, kernel=1, sources=[-1])
        net.layers[-1] = replace(net.layers[-1], name=name)
    q, k, v = net.layers[:3]
    if order == "q k' first":
        first = matmul(3, q, Held((k.index,), transposed=True), HEADS * TOKENS)
        second = matmul(4, first, Held((v.index,), scale=scale), CHANNELS)
    else:
        first = matmul(3, k, Held((v.index,), input_transposed=True), CHANNELS)
        second = matmul(4, q, Held((first.index,), scale=scale), CHANNELS)
    return with_kinds((q, k, v, first, second))


def by_head(tensor: Any) -> Any:
    """[T, B, C, H, W] -> [T, B, heads, tokens, depth], as attention is written."""
    return tensor.reshape(T, B, HEADS, DEPTH, TOKENS).swapaxes(-1, -2)


@pytest.mark.parametrize("order", ["q k' first", "k' v first"])
def test_attention_as_it_is_written(order: str) -> None:
    """x = (q k') v times the scale, head by head, and its three gradients by the chain rule."""
    layers, random = attention(order), np.random.default_rng(0)
    q, k, v = (random.integers(0, 2, (T, B, CHANNELS, SIDE, SIDE)) * 1.0 for _ in range(3))
    none = Parameters(np.zeros((0, 0, 1, 1), np.float32), None, None, None)
    weights = random.standard_normal((CHANNELS, CHANNELS, 1, 1)).astype(np.float32)
    trained = [Parameters(weights, None, None, None)] * 3 + [none] * 2
    ones = np.ones(q.shape, np.bool_)
    forced = [replace(FREE, spikes=spikes != 0, masks=ones) for spikes in (q, k, v)] + [FREE] * 2
    inputs = random.standard_normal((B, CHANNELS, SIDE, SIDE))
    forwards = forward(layers, T, inputs, trained, forced)
    left, middle, right = by_head(q), by_head(k), by_head(v)
    scores = left @ middle.swapaxes(-1, -2)
    np.testing.assert_allclose(by_head(forwards[4].output), 0.125 * scores @ right)

    dx = random.standard_normal(q.shape)
    backwards = backward(layers, forwards, trained, {4: dx}, forced)
    gradient = 0.125 * by_head(dx)
    dscores = gradient @ right.swapaxes(-1, -2)
    expected = (
        dscores @ middle,
        dscores.swapaxes(-1, -2) @ left,
        scores.swapaxes(-1, -2) @ gradient,
    )
    for rebuilt, by_rule in zip(backwards, expected, strict=False):
        np.testing.assert_allclose(by_head(rebuilt.neurons.dS), by_rule)


@given(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 1 << 30))
def test_gradients_are_the_adjoint(
    turned: bool, held_turned: bool, pooled: bool, seed: int
) -> None:
    """<Y', g> = <X', dX> + <M', dM> for small nudges of both operands, however they lie."""
    random = np.random.default_rng(seed)
    net = Builder((4, 4, 4), lif_neuron())
    net.conv(4, kernel=3, padding=1)
    sides = (4, 4) if not pooled else (2, 2)
    depth = sides[0] * sides[1] if turned else 2
    shape = (HEADS * depth, 2, 1) if turned else (4, *sides)
    there = (HEADS * depth, 3, 1) if held_turned else (HEADS * 3, depth, 1)
    net.conv(there[0], kernel=1, sources=[-1])
    first = replace(net.layers[0], neuron=None)
    second = replace(net.layers[1], neuron=None, out_shape=there)
    layer = replace(
        matmul(2, first, Held((1,), None, held_turned, turned, 0.5), HEADS * 3),
        in_shape=shape, out_shape=(HEADS * 3, *shape[1:]),
        input_pool=Pool.square("average", 2, 2) if pooled else None,
    )  # fmt: skip
    layers = (first, second, layer)
    from tlm.workload.golden import network

    none = Parameters(np.zeros((0, 0, 1, 1), np.float32), None, None, None)
    X, M = (random.standard_normal((T, B, *each.out_shape)) for each in layers[:2])
    dX, dM = (random.standard_normal(each.shape) for each in (X, M))

    def product(x: Any, m: Any) -> Any:
        return network._currents(layer, layers, (x, m), none, {}, FREE)

    middle = product(X, M)
    g = random.standard_normal(middle.output.shape)
    ahead, behind = product(X + 1e-4 * dX, M + 1e-4 * dM), product(X - 1e-4 * dX, M - 1e-4 * dM)
    nudged = float(np.sum((ahead.output - behind.output) * g)) / 2e-4
    back = Backward(NeuronBackward(layer, middle.current, g, FREE), middle.inputs, g, None)
    shares = dict(network._shares(back, middle, none, {0: X, 1: M}))
    assert nudged == pytest.approx(float(np.sum(shares[0] * dX) + np.sum(shares[1] * dM)), rel=1e-6)


def test_multiplications() -> None:
    """Tokens x tokens x depth of each head from the left, tokens x depth x depth from the right."""
    assert [layer.macs for layer in attention("q k' first")[3:]] == [HEADS * TOKENS**2 * DEPTH] * 2
    assert [layer.macs for layer in attention("k' v first")[3:]] == [HEADS * TOKENS * DEPTH**2] * 2


def test_kinds() -> None:
    """Spikes times spikes are whole numbers, as long as nothing scales or normalises them."""
    layers = attention("q k' first")
    assert layers[3].input_kind == "binary"
    assert layers[4].input_kind == "integer"
    scaled = replace(layers[3], held=replace(layers[3].held, scale=0.5))
    assert with_kinds((*layers[:3], scaled, layers[4]))[4].input_kind == "analog"
    from_right = attention("k' v first")
    assert from_right[4].input_kind == "binary"
    assert held_kind(from_right[4].held, from_right, "analog") == "integer"  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["q k' first", "k' v first"])
def test_file_holds_matmuls(order: str) -> None:
    """What is written is read back; other layers say nothing of it."""
    layers = attention(order)
    text = layers_to_json(layers)
    assert layers_from_json(Path("job.h5"), text) == layers
    assert ["held" in row for row in json.loads(text)] == [False] * 3 + [True] * 2


def test_words() -> None:
    """Both operands, as they are multiplied; what is read turned has a mark."""
    assert [reads(layer) for layer in attention("q k' first")[3:]] == [
        "(1)' x 0",
        "2 x 3 times 0.125",
    ]
    assert [reads(layer) for layer in attention("k' v first")[3:]] == [
        "2 x (1)'",
        "3 x 0 times 0.125",
    ]


def test_window_on_what_is_held() -> None:
    """One convolution makes q, k and v: each operand is a window on its channels."""
    net = Builder((CHANNELS, SIDE, SIDE), lif_neuron())
    net.conv(3 * CHANNELS, kernel=1)
    whole = Line(0, SIDE)

    def third(at: int) -> Operand:
        window = Window(
            (3 * CHANNELS, SIDE, SIDE), at * CHANNELS, (at + 1) * CHANNELS, whole, whole
        )
        return Operand((Part(CHANNELS, (Term(0, (window,)),)),))

    layer = replace(
        matmul(1, net.layers[0], Held((0,), third(1), transposed=True), HEADS * TOKENS),
        operand=third(0), in_shape=(CHANNELS, SIDE, SIDE),
    )  # fmt: skip
    layers = with_kinds((net.layers[0], layer))
    assert layers_from_json(Path("job.h5"), layers_to_json(layers)) == layers
    assert reads(layers[1]) == "(0[6:12])' x 0[0:6]"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"held": None}, "of a matmul, and of no other kind"),
        ({"bias": True}, "no padding and no bias of a matmul"),
        ({"kernel": [3, 3], "padding": [1, 1]}, "no padding and no bias of a matmul"),
        ({"held": {"sources": [-1]}}, "layers for both operands of a matmul"),
        ({"held": {"sources": [2]}}, "8 outputs, 6 inputs of all groups"),
        ({"held": {"sources": [3]}}, "layers in 0..2"),
        ({"held": {"sources": [1], "transposed": 1}}, "true or false"),
        ({"held": {"sources": [1], "transposed": True, "scale": None}}, "a finite number"),
        ({"groups": 5}, "a divisor of 6 inputs and 8 outputs"),
    ],
)
def test_refused(change: dict[str, Any], expected: str) -> None:
    """A matmul that does not fit is refused in one line, which says what would."""
    rows = json.loads(layers_to_json(attention("q k' first")))
    rows[3] |= change
    with pytest.raises(WorkloadError, match=r"layers\[3\]") as refusal:
        layers_from_json(Path("job.h5"), json.dumps(rows))
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_weights_hold_nothing() -> None:
    """A layer with weights has no second operand."""
    rows = json.loads(layers_to_json(attention("q k' first")))
    rows[2]["held"] = {"sources": [1]}
    with pytest.raises(WorkloadError, match="of a matmul, and of no other kind"):
        layers_from_json(Path("job.h5"), json.dumps(rows))
