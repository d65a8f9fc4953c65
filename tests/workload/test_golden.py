"""The golden network model: each part against its definition, all of it against recordings."""

from __future__ import annotations

from dataclasses import replace
from itertools import product as combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pools import pools_on
from tlm.errors import WorkloadError
from tlm.workload import Layer, Norm, Parameters, Pool, bundled_names, open_workload
from tlm.workload.builder import Builder
from tlm.workload.golden import Agreement, check_recording
from tlm.workload.golden.check import parameter_errors
from tlm.workload.golden.norm import norm_gradients, normalise
from tlm.workload.golden.passes import Backward
from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.surrogate import lif_neuron


def conv(channels: int, size: int, groups: int, **window: int) -> Layer:
    """A convolution of size x (size + 1) images; ``channels`` inputs, three outputs per group."""
    net = Builder((groups * channels, size, size + 1), lif_neuron())
    net.conv(3 * groups, groups=groups, **window)
    return net.layers[0]


CONVS = st.builds(
    conv,
    channels=st.integers(1, 3),
    size=st.integers(7, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    groups=st.integers(1, 2),
    dilation=st.integers(1, 2),
)


@settings(max_examples=40)
@given(layer=CONVS, seed=st.integers(0, 99))
def test_product_by_definition(layer: Layer, seed: int) -> None:
    """Each output is the sum over taps of weight times input; outside of the image is zero."""
    draw = np.random.default_rng(seed)
    images = draw.standard_normal((2, *layer.in_shape))
    weights = draw.standard_normal(layer.weight_shape)
    (py, px), (sy, sx), (dy, dx) = layer.padding, layer.stride, layer.dilation
    _, e, f = layer.out_shape
    padded = np.pad(images, ((0, 0), (0, 0), (py, py), (px, px)))
    expected = np.zeros((2, *layer.out_shape))
    outputs, inputs = len(weights) // layer.groups, weights.shape[1]
    for y, x, r, s, g in combinations(
        range(e), range(f), *map(range, layer.kernel), range(layer.groups)
    ):
        k, c = slice(g * outputs, (g + 1) * outputs), slice(g * inputs, (g + 1) * inputs)
        pixel = padded[:, c, y * sy + r * dy, x * sx + s * dx]
        expected[:, k, y, x] += pixel @ weights[k, :, r, s].T
    assert np.allclose(product(layer, images, weights), expected)


@settings(max_examples=40)
@given(layer=CONVS, seed=st.integers(0, 99))
def test_gradients_are_the_adjoints_of_the_product(layer: Layer, seed: int) -> None:
    """<G, W * X> = <dX, X> = <dW, W>: the product is linear in both."""
    draw = np.random.default_rng(seed)
    images = draw.standard_normal((3, *layer.in_shape))
    weights = draw.standard_normal(layer.weight_shape)
    gradient = draw.standard_normal((3, *layer.out_shape))
    paired = np.vdot(gradient, product(layer, images, weights))
    assert np.vdot(input_gradient(layer, gradient, weights), images) == pytest.approx(paired)
    assert np.vdot(weight_gradient(layer, images, gradient), weights) == pytest.approx(paired)


@settings(max_examples=60)
@given(pool=pools_on((3, 6, 7)), seed=st.integers(0, 99))
def test_pool_gradient_by_differences(pool: Pool, seed: int) -> None:
    """The gradient predicts how the pooled values answer to a small change."""
    draw = np.random.default_rng(seed)
    values, change = draw.standard_normal((2, 2, 3, 6, 7))
    before = pooled(pool, values)
    assert before.shape[1:] == pool.pooled((3, 6, 7))
    gradient = draw.standard_normal(before.shape)
    step = 1e-7
    measured = np.vdot(gradient, pooled(pool, values + step * change) - before) / step
    assert np.vdot(pool_gradient(pool, values, gradient), change) == pytest.approx(
        measured, abs=1e-4
    )


def test_max_pool_by_hand() -> None:
    """The first of equals in scan order gets the gradient, even if none fired."""
    spikes = np.array([[0, 1, 0, 0], [1, 0, 0, 0]])
    gradient = np.array([[5.0, 7.0]])
    assert pooled(Pool.square("max", 2, 2), spikes).tolist() == [[1, 0]]
    dX = pool_gradient(Pool.square("max", 2, 2), spikes, gradient)
    assert dX.tolist() == [[0, 5, 7, 0], [0, 0, 0, 0]]


NORMS = {
    "of all steps": Norm("batch", 1e-5, per_step=False),
    "of each step": Norm("batch", 1e-5, per_step=True),
    "without scale and shift": Norm("batch", 1e-5, per_step=False, scaled=False, shifted=False),
    "its own at each step": Norm("batch", 1e-5, per_step=True, shifted=False, by_step=True),
    "scaled by step": Norm("batch", 1e-5, per_step=False, step_scaled=True),
}


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_norm_gradients_by_differences(norm: Norm) -> None:
    """dL/dY and the gradient of each parameter against central differences."""
    draw = np.random.default_rng(3)
    products, gradient = draw.standard_normal((2, 2, 4, 3, 2, 2))
    shapes = norm.parameter_shapes(channels=3, steps=2)
    trained = {name: draw.standard_normal(shape) for name, shape in shapes.items()}

    def loss(y: np.ndarray, parameters: dict[str, np.ndarray]) -> float:
        return float(np.vdot(gradient, normalise(norm, y, of_norm(parameters)).current))

    def slope(change: np.ndarray, name: str | None) -> float:
        def at(step: float) -> float:
            if name is None:
                return loss(products + step * change, trained)
            return loss(products, {**trained, name: trained[name] + step * change})

        return (at(1e-6) - at(-1e-6)) / 2e-6

    back = norm_gradients(
        norm, normalise(norm, products, of_norm(trained)), of_norm(trained), gradient
    )
    change = draw.standard_normal(products.shape)
    assert np.vdot(back.dY, change) == pytest.approx(slope(change, None), rel=1e-5)
    for name in ("scale", "shift", "step_scale"):
        of_parameter = getattr(back, name)
        assert (of_parameter is None) == (name not in trained)
        if of_parameter is not None:
            change = draw.standard_normal(trained[name].shape)
            assert np.vdot(of_parameter, change) == pytest.approx(slope(change, name), rel=1e-5)


def of_norm(trained: dict[str, np.ndarray]) -> Parameters:
    """Parameters of a norm alone."""
    names = ("scale", "shift", "step_scale")
    return Parameters(np.zeros(0), None, *(trained.get(name) for name in names))


@pytest.mark.parametrize("per_step", [True, False])
def test_norm_has_the_statistics_it_says(per_step: bool) -> None:
    """Each channel comes out with mean 0 and variance 1, of each step or of all."""
    products = 5 + 3 * np.random.default_rng(0).standard_normal((4, 6, 2, 5, 5))
    current = normalise(Norm("batch", 0.0, per_step), products, of_norm({})).current
    axes = (1, 3, 4) if per_step else (0, 1, 3, 4)
    assert np.allclose(current.mean(axes), 0)
    assert np.allclose(current.var(axes), 1)
    assert np.allclose(current.mean((1, 3, 4)), 0) == per_step


def exact_recordings() -> list[tuple[str, int]]:
    """Every bundled recording of level exact, by name and position."""
    jobs = [open_workload(name) for name in bundled_names()]
    return [
        (job.name, position)
        for job in jobs
        for position, level in enumerate(job.levels)
        if level == "exact"
    ]


@pytest.mark.parametrize(("name", "position"), exact_recordings())
def test_rebuilds_a_bundled_recording(name: str, position: int) -> None:
    """Spikes as torch's but where H is within 1e-5 of the threshold; gradients and dW to 1e-5."""
    for agreement in check_recording(open_workload(name), position):
        assert agreement.holds(), agreement
        assert all(abs(flip.distance) < 1e-5 for flip in agreement.flips)
        assert agreement.free_flips <= 1e-4 * agreement.neuron_steps


def test_a_difference_does_not_hold() -> None:
    """An agreement with a flip far from the threshold, or a large error, is none."""
    good = Agreement("conv0", 100, (), 0, 1e-7, {"weights": 1e-7}, 0)
    assert good.holds()
    assert not Agreement("conv0", 100, (), 0, 2e-5, {"weights": 0.0}, 0).holds()
    assert not Agreement("conv0", 100, (), 0, 0.0, {"weights": 2e-5}, 0).holds()


def test_bits_cannot_be_rebuilt(written: Path) -> None:
    """A recording without numbers says how to get one."""
    with pytest.raises(WorkloadError, match="record it with that level"):
        check_recording(open_workload(str(written)), 0)


@pytest.mark.parametrize(("share", "told"), [(1e-7, False), (1e-5, True)])
def test_rounding_of_what_cancels_is_no_difference(share: float, told: bool) -> None:
    """Means of spikes meet gradients of a norm, whose sum is nearly nothing: so is their dW."""
    net = Builder((1, 4, 4), lif_neuron())
    net.conv(1, kernel=1)
    net.conv(1, kernel=1)
    layer = replace(net.layers[1], input_kind="analog")
    dY = np.tile([10.0, -10.0], 8).reshape(1, 1, 1, 4, 4)
    dY[..., 0, 0] += 1e-3
    inputs = np.full_like(dY, 0.5)
    backward = Backward(SimpleNamespace(layer=layer), inputs, dY, None)  # type: ignore[arg-type]
    off = backward.dW + share * np.abs(dY).sum() * inputs.max()
    values = SimpleNamespace(parameter_gradients=[None, Parameters(off, None, None, None)])
    error = parameter_errors(layer, values, backward)["weights"]  # type: ignore[arg-type]
    assert (error > 1e-5) == told
