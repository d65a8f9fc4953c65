"""Probes of products: true ones pass, one element or one place amiss is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workload.test_golden import CONVS
from tlm.workload import Layer
from tlm.workload.builder import Builder
from tlm.workload.golden.probes import input_gradient_error, product_error, weight_gradient_error
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.surrogate import lif_neuron
from tlm.workload.values import Numbers

TOLERANCE = 1e-4
IMAGES = 5


def linear(channels: int, outputs: int) -> Layer:
    """A linear layer."""
    net = Builder((channels, 1, 1), lif_neuron())
    net.linear(outputs)
    return net.layers[0]


LAYERS = st.one_of(CONVS, st.builds(linear, st.integers(1, 9), st.integers(1, 9)))


class Recorded:
    """A layer's product and its gradients, of random numbers, as float32 holds them."""

    def __init__(self, layer: Layer, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.layer = layer
        self.inputs = self.drawn(draw, (IMAGES, *layer.in_shape))
        self.weights = self.drawn(draw, layer.weight_shape)
        self.bias = self.drawn(draw, (layer.product_channels,))
        self.dY = self.drawn(draw, (IMAGES, *layer.product_shape))
        Y = product(layer, self.inputs.astype(np.float64), self.weights)
        self.Y = (Y + self.bias[:, None, None]).astype(np.float32)
        self.dX = input_gradient(layer, self.dY.astype(np.float64), self.weights).astype(np.float32)
        dW = weight_gradient(layer, self.inputs.astype(np.float64), self.dY)
        self.dW = dW.astype(np.float32)

    @staticmethod
    def drawn(draw: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
        return draw.standard_normal(shape).astype(np.float32)

    def errors(self) -> dict[str, float]:
        """What the three probes say, by product."""
        layer = self.layer
        return {
            "Y": product_error(layer, self.inputs, self.weights, self.bias, self.Y),
            "dX": input_gradient_error(layer, self.dY, self.weights, self.dX),
            "dW": weight_gradient_error(layer, self.inputs, self.dY, self.dW),
        }


@settings(max_examples=60)
@given(layer=LAYERS, seed=st.integers(0, 99))
def test_true_products_pass(layer: Layer, seed: int) -> None:
    """Rounding in float32 trips no probe."""
    assert max(Recorded(layer, seed).errors().values()) < TOLERANCE / 10


@settings(max_examples=60)
@given(layer=LAYERS, name=st.sampled_from(["Y", "dX", "dW"]), seed=st.integers(0, 99))
def test_a_wrong_element_is_noticed(layer: Layer, name: str, seed: int) -> None:
    """Wherever it is, and by its own product alone."""
    recorded = Recorded(layer, seed)
    tensor = getattr(recorded, name)
    place = seed * 7919 % tensor.size
    tensor.reshape(-1)[place] += 1.5 * TOLERANCE * np.abs(tensor).max()
    assert {each for each, error in recorded.errors().items() if error > TOLERANCE} == {name}


def conv(groups: int = 1, **window: int) -> Layer:
    """A convolution of 9 x 9 images that leaves their size, unless ``window`` says otherwise."""
    net = Builder((4, 9, 9), lif_neuron())
    net.conv(4, groups=groups, **{"kernel": 3, "padding": 1, **window})
    return net.layers[0]


def shifted(axis: int) -> Callable[[Recorded], None]:
    """Y, dX and dW one place off."""

    def shift(recorded: Recorded) -> None:
        for name in ("Y", "dX", "dW"):
            setattr(recorded, name, np.roll(getattr(recorded, name), 1, axis))

    return shift


def described(**window: object) -> Callable[[Recorded], None]:
    """The layer described otherwise than it was computed."""

    def describe(recorded: Recorded) -> None:
        recorded.layer = replace(recorded.layer, **window)  # type: ignore[arg-type]

    return describe


def transposed(recorded: Recorded) -> None:
    """Weights, and dW, with inputs and outputs exchanged."""
    recorded.weights = recorded.weights.swapaxes(0, 1).copy()
    recorded.dW = recorded.dW.swapaxes(0, 1).copy()


def turned(recorded: Recorded) -> None:
    """The kernel turned round: a convolution for a correlation."""
    recorded.weights = recorded.weights[..., ::-1, ::-1].copy()
    recorded.dW = recorded.dW[..., ::-1, ::-1].copy()


@pytest.mark.parametrize(
    ("layer", "mistake"),
    [
        (conv(), shifted(0)),
        (conv(), shifted(1)),
        (conv(), shifted(2)),
        (conv(), shifted(3)),
        (conv(groups=2), shifted(1)),
        (conv(), transposed),
        (conv(), turned),
        (conv(dilation=2, padding=2), described(dilation=(1, 1), padding=(1, 1))),
        (conv(stride=2), described(stride=(1, 1), dilation=(2, 2), padding=(0, 0))),
        (conv(stride=3, padding=0), described(stride=(2, 2), dilation=(2, 2))),
    ],
    ids=["image", "channel", "row", "column", "group", "transposed", "turned", "dilation",
         "stride", "stride and dilation"],
)  # fmt: skip
def test_a_mistake_is_noticed(layer: Layer, mistake: Callable[[Recorded], None]) -> None:
    """Whatever is taken for something else, all three probes say so by far."""
    recorded = Recorded(layer, 0)
    mistake(recorded)
    assert min(recorded.errors().values()) > 100 * TOLERANCE


def test_nothing_recorded_is_an_infinite_error() -> None:
    """Zeros in the place of a product differ; zeros of zeros do not."""
    recorded = Recorded(conv(), 0)
    recorded.Y[:] = 0
    assert recorded.errors()["Y"] == float("inf")
    recorded.dY[:], recorded.dX[:], recorded.dW[:] = 0, 0, 0
    errors = recorded.errors()
    assert (errors["dX"], errors["dW"]) == (0, 0)


@pytest.mark.parametrize("name", ["Y", "dX", "dW"])
def test_no_number_does_not_pass(name: str) -> None:
    """NaN is no error of a size."""
    recorded = Recorded(conv(), 0)
    getattr(recorded, name)[0, 1] = np.nan
    assert not recorded.errors()[name] <= TOLERANCE


def test_sums_of_several_elements_differ() -> None:
    """Two errors that would cancel in a plain sum are noticed in most pairs of channels."""
    recorded = Recorded(conv(), 0)
    noticed = []
    for first, second in pairwise(range(4)):
        recorded = Recorded(conv(), 0)
        recorded.Y[0, first, 0, 0] += 1
        recorded.Y[0, second, 0, 0] -= 1
        noticed.append(recorded.errors()["Y"] > TOLERANCE)
    assert all(noticed)
