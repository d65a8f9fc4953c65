"""Windows of convolutions and pools: each recorded, rebuilt from its file, counted as hooks count.

What a golden model rebuilds is what torch computed: outputs, both gradients, and masks.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.pools import pools_on  # noqa: E402
from tests.workload.nets.parts import (  # noqa: E402
    CLASSES,
    LIF,
    Over,
    StepLIF,
    T,
    conv,
    events,
    linear,
    loud,
    recorded,
)
from tlm.errors import WorkloadError  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402
from tlm.workload.model import Pool  # noqa: E402
from tlm.workload.report.reads import reads  # noqa: E402

SIDES = (9, 8)
FREELY = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Three(nn.Module):
    """A convolution, LIF, ``between`` as it stands, LIF, and a linear read-out."""

    def __init__(self, between: Any, behind: int, channels: int = 6) -> None:
        super().__init__()
        self.first, self.lif = Over(conv(2, channels)), LIF()
        self.between, self.last = Over(between), LIF()
        with torch.no_grad():
            size = between(torch.zeros(1, channels, *SIDES)).numel()
        self.out = linear(size, behind)

    def forward(self, frames: Any) -> Any:
        spikes = self.lif(self.first(frames))
        return self.out(self.last(self.between(spikes)).flatten(2))


def job_of(between: Any, path: Path) -> Any:
    """The job of a network with ``between`` in its middle."""
    return recorded(Three(between, CLASSES), events(2, *SIDES), path)


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


class Padded(nn.Module):
    """``inner`` behind zeros, or where sizes are below 0 behind a cut, as F.pad has them."""

    def __init__(self, sizes: tuple[int, ...], inner: Any) -> None:
        super().__init__()
        self.sizes, self.inner = sizes, inner

    def forward(self, x: Any) -> Any:
        return self.inner(F.pad(x, self.sizes))


@FREELY
@given(
    kernel=PAIRS,
    dilation=PAIRS,
    stride=PAIRS,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    groups=st.sampled_from((1, 2, 6)),
    seed=st.integers(0, 99),
)
def test_dilated_convolutions(seed: int, tmp_path: Path, **window: Any) -> None:
    """Of any stride and padding, grouped and of each channel alone."""
    torch.manual_seed(seed)
    layer = job_of(conv(6, 6, **window), tmp_path).layers[1]
    assert (layer.kernel, layer.dilation) == (window["kernel"], window["dilation"])


class Pooled(nn.Module):
    """A convolution, LIF, a pool of its spikes, and a linear read-out."""

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.first, self.lif, self.pool = Over(conv(2, 6)), LIF(), pool
        self.out = linear(prod(pool.pooled((6, *SIDES))), CLASSES)

    def forward(self, frames: Any) -> Any:
        spikes = self.lif(self.first(frames)).flatten(0, 1)
        windows = (self.pool.size, self.pool.stride, self.pool.padding)
        if self.pool.kind == "max":
            pooled = F.max_pool2d(spikes, *windows, ceil_mode=any(self.pool.overhang))
        else:
            pooled = F.avg_pool2d(spikes, *windows)
        return self.out(pooled.flatten(1)).unflatten(0, frames.shape[:2])


@FREELY
@given(pool=pools_on((6, *SIDES), ("max", "average")), seed=st.integers(0, 99))
def test_pools(pool: Pool, seed: int, tmp_path: Path) -> None:
    """Of oblong windows, strides and padding, and rounded up."""
    up = any(pool.overhang)
    if up:  # torch rounds both sides up
        short = ((side + 2 * pad - size) % step for side, pad, size, step in zip(
            SIDES, pool.padding, pool.size, pool.stride, strict=True))  # fmt: skip
        over = [step - rest if rest else 0 for step, rest in zip(pool.stride, short, strict=True)]
        pool = replace(pool, overhang=(over[0], over[1]))
        assume(pool.fits((6, *SIDES)))
    torch.manual_seed(seed)
    layer = recorded(Pooled(pool), events(2, *SIDES), tmp_path).layers[0]
    assert layer.pooled_shape == pool.pooled((6, *SIDES))
    assert layer.pool == pool


def test_a_dilated_convolution_that_keeps_the_size(tmp_path: Path) -> None:
    """Padding "same" counts the zeros between the taps."""
    layer = job_of(conv(6, 4, 3, dilation=(2, 3), padding="same"), tmp_path).layers[1]
    assert (layer.padding, layer.out_shape) == ((2, 3), (4, *SIDES))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_even_kernels_that_keep_the_size(tmp_path: Path) -> None:
    """One row and column more of zeros behind than before, on spikes and on the network's input."""
    net = Three(conv(6, 4, (2, 4), padding="same"), CLASSES)
    net.first = Over(conv(2, 6, 2, padding="same"))
    first, second, _ = recorded(net, events(2, *SIDES), tmp_path).layers
    assert (first.in_shape, first.padding) == ((2, SIDES[0] + 1, SIDES[1] + 1), (0, 0))
    assert (second.in_shape, second.padding) == ((6, SIDES[0] + 1, SIDES[1] + 1), (0, 1))


@FREELY
@given(
    kernel_size=PAIRS,
    stride=PAIRS,
    dilation=PAIRS,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    groups=st.sampled_from((1, 2)),
    sizes=st.tuples(*(st.integers(-3, 2),) * 4),
    seed=st.integers(0, 99),
)
def test_transposed_convolutions(
    sizes: tuple[int, ...], seed: int, tmp_path: Path, **window: Any
) -> None:
    """Plain ones over rows and columns apart; counted as torch counts them, with zeros before."""
    torch.manual_seed(seed)
    assume(window["stride"] != (1, 1))  # that is a plain convolution, and counted as one
    reach = [d * (k - 1) for d, k in zip(window["dilation"], window["kernel_size"], strict=True)]
    window["padding"] = tuple(map(min, window["padding"], reach))
    between = Padded(sizes, loud(nn.ConvTranspose2d(6, 4, **window)))
    layer = job_of(between, tmp_path).layers[1]
    assert (layer.kernel, layer.stride) == (window["kernel_size"], (1, 1))


def test_a_transposed_convolution_that_doubles_the_size(tmp_path: Path) -> None:
    """As decoders have it: rows two apart, one more behind the last, and the kernel's padding."""
    between = loud(nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1))
    job = job_of(between, tmp_path)
    layer = job.layers[1]
    assert layer.padding == (1, 1)
    assert layer.out_shape == (4, 2 * SIDES[0], 2 * SIDES[1])
    assert reads(layer) == "0[0:6, 0:9 every 2 pad 0/1, 0:8 every 2 pad 0/1]"
    assert layer.macs == 6 * 4 * 9 * prod(SIDES)


def test_a_transposed_convolution_behind_a_shift(tmp_path: Path) -> None:
    """A row of zeros that comes in is a row of inputs, and multiplied as torch multiplies it."""
    torch.manual_seed(0)
    between = Padded((0, 0, 1, -1), loud(nn.ConvTranspose2d(6, 4, 2, stride=2)))
    layer = job_of(between, tmp_path).layers[1]
    assert reads(layer) == "0[0:6, 0:8 pad 1/0, 0:8][0:6, 0:9 every 2, 0:8 every 2]"
    assert layer.macs == 6 * 4 * 4 * prod(SIDES)


def test_a_transposed_convolution_of_one_place(tmp_path: Path) -> None:
    """One place has no neighbours, and is multiplied once all the same."""
    torch.manual_seed(0)
    between = nn.Sequential(nn.MaxPool2d(SIDES), loud(nn.ConvTranspose2d(6, 4, 3, stride=2)))
    layer = job_of(between, tmp_path).layers[1]
    assert layer.out_shape == (4, 3, 3)
    assert layer.macs == 6 * 4 * 9


def test_a_transposed_convolution_of_one_place_of_a_sum(tmp_path: Path) -> None:
    """Where sums are pooled to one place, it would not be known that it is one."""

    class Summed(Three):
        def forward(self, frames: Any) -> Any:
            spikes = self.lif(self.first(frames))
            return self.out(self.last(self.between(spikes + spikes)).flatten(2))

    between = nn.Sequential(nn.MaxPool2d(SIDES), loud(nn.ConvTranspose2d(6, 4, 3, stride=2)))
    with pytest.raises(WorkloadError, match="reads one place, a pool of a sum of spikes"):
        recorded(Summed(between, CLASSES), events(2, *SIDES), tmp_path)


def test_a_transposed_convolution_of_the_network_input(tmp_path: Path) -> None:
    """Its frame would be the one with zeros put between."""
    net = Three(conv(6, 4), CLASSES)
    net.first = Over(nn.ConvTranspose2d(2, 6, 2, stride=2))
    with pytest.raises(WorkloadError, match="a transposed convolution reads something without"):
        recorded(net, events(2, *SIDES), tmp_path)


LINE = 12
ONE_DIMENSION: dict[str, tuple[Any, Pool | None]] = {
    "as it is": (nn.Identity, None),
    "largest": (lambda: nn.MaxPool1d(3, 2, 1), Pool("max", (3, 1), (2, 1), (1, 0))),
    "mean": (lambda: nn.AvgPool1d(2), Pool("average", (2, 1), (2, 1))),
    "adaptive": (lambda: nn.AdaptiveAvgPool1d(4), Pool("average", (3, 1), (3, 1))),
    "over all": (lambda: nn.AdaptiveAvgPool1d(1), Pool("average", (LINE, 1), (LINE, 1))),
}


class Line(nn.Module):
    """Two convolutions of one dimension with batch norms, and a pool between."""

    def __init__(self, pool: Any, by_step: bool, length: int = LINE) -> None:
        super().__init__()
        self.by_step = by_step
        self.first, self.norm = loud(nn.Conv1d(2, 6, 3, padding=1)), nn.BatchNorm1d(6)
        self.lif, self.pool = StepLIF() if by_step else LIF(), pool
        self.second = loud(nn.Conv1d(6, 4, 3, padding=2, dilation=2, groups=2, bias=False))
        with torch.no_grad():
            self.second.weight.mul_(4)  # a mean over all is small
        self.last = StepLIF() if by_step else LIF()
        self.out = linear(4 * pool(torch.zeros(1, 6, length)).shape[-1], CLASSES)

    def forward(self, frames: Any) -> Any:
        if self.by_step:
            return torch.stack([self.step(frame, self.lif, self.last) for frame in frames])

        def over_steps(neurons: Any) -> Any:
            return lambda current: neurons(current.unflatten(0, frames.shape[:2])).flatten(0, 1)

        out = self.step(frames.flatten(0, 1), over_steps(self.lif), over_steps(self.last))
        return out.unflatten(0, frames.shape[:2])

    def step(self, frames: Any, lif: Any, last: Any) -> Any:
        """Frames [N, C, L]."""
        spikes = self.pool(lif(self.norm(self.first(frames))))
        return self.out(last(self.second(spikes)).flatten(1))


@pytest.mark.parametrize("by_step", [False, True])
@pytest.mark.parametrize("case", ONE_DIMENSION)
def test_networks_of_one_dimension(case: str, by_step: bool, tmp_path: Path) -> None:
    """Planes of one column."""
    torch.manual_seed(0)
    pool, expected = ONE_DIMENSION[case]
    first, second, _ = recorded(Line(pool(), by_step), events(2, LINE), tmp_path).layers
    assert (first.in_shape, first.kernel, first.pool) == ((2, LINE, 1), (3, 1), expected)
    assert (second.padding, second.dilation, second.groups) == ((2, 0), (2, 1), 2)


def test_a_line_as_long_as_there_are_steps(tmp_path: Path) -> None:
    """A norm of one dimension does not take places for steps."""
    job = recorded(Line(nn.AvgPool1d(2), False, T), events(2, LINE)[:, :, :, :T], tmp_path)
    assert job.layers[0].out_shape == (6, T, 1)


class Volumes(nn.Module):
    """Three dimensions: [B, C, T, H, W], or with time ``last``."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        window = (3, 3, 1) if last else (1, 3, 3)
        self.time, padding = -1 if last else 2, tuple(size // 2 for size in window)
        self.first = loud(nn.Conv3d(2, 6, window, padding=padding))
        self.norm, self.lif = nn.BatchNorm3d(6), LIF()
        self.pool = nn.MaxPool3d((2, 2, 1) if last else (1, 2, 2))
        self.second, self.last = loud(nn.Conv3d(6, 4, window, padding=padding)), LIF()
        self.out = linear(4 * (SIDES[0] // 2) * (SIDES[1] // 2), CLASSES)

    def neurons(self, lif: Any, current: Any) -> Any:
        """Over steps in front."""
        return lif(current.movedim(self.time, 0)).movedim(0, self.time)

    def forward(self, frames: Any) -> Any:
        volume = frames.movedim(0, 1).movedim(1, self.time)
        spikes = self.pool(self.neurons(self.lif, self.norm(self.first(volume))))
        spikes = self.neurons(self.last, self.second(spikes))
        return self.out(spikes.movedim(self.time, 0).flatten(2))


@pytest.mark.parametrize("last", [False, True])
def test_three_dimensions_of_which_one_is_time(last: bool, tmp_path: Path) -> None:
    """As SLAYER and ANN libraries lay out video."""
    first, second, _ = recorded(Volumes(last), events(2, *SIDES), tmp_path).layers
    assert (first.in_shape, first.kernel) == ((2, *SIDES), (3, 3))
    assert (first.pool, second.kernel) == (Pool.square("max", 2, 2), (3, 3))


def test_kernels_over_three_dimensions_are_refused() -> None:
    """Before anything is trained."""
    with pytest.raises(WorkloadError, match=r"0: its kernel \(3, 3, 3\) reaches over three"):
        Capture(nn.Sequential(nn.Conv3d(1, 2, 3)), steps=T)


class Tokens(nn.Module):
    """Two linear layers over tokens, the first of which reads the network's input."""

    def __init__(self, tokens: int, by_step: bool) -> None:
        super().__init__()
        self.by_step, self.first, self.second = by_step, linear(6, 8), linear(8, 5)
        self.lif, self.last = (StepLIF(), StepLIF()) if by_step else (LIF(), LIF())
        self.out = linear(5 * tokens, CLASSES)

    def forward(self, frames: Any) -> Any:
        if self.by_step:
            return torch.stack([self.step(frame) for frame in frames])
        return self.step(frames)

    def step(self, frames: Any) -> Any:
        """Frames [..., N, C]."""
        spikes = self.last(self.second(self.lif(self.first(frames))))
        return self.out(spikes.mT.flatten(-2))


@pytest.mark.parametrize("by_step", [False, True])
def test_linear_layers_over_tokens_of_the_input(by_step: bool, tmp_path: Path) -> None:
    """Convolutions of kernel 1 over planes of one column."""
    first, second, last = recorded(Tokens(7, by_step), events(7, 6), tmp_path).layers
    assert (first.kind, first.in_shape, first.out_shape) == ("conv", (6, 7, 1), (8, 7, 1))
    assert (second.kind, second.in_shape, last.operand) == ("conv", (8, 7, 1), None)
