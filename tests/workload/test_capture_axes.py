"""Which axes are time, channels and places: told by where elements come from, not by sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

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
from tlm.workload.model import Pool  # noqa: E402
from tlm.workload.report.reads import reads  # noqa: E402

WIDTH, SIDES = 4, (4, 6)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights each time."""
    torch.manual_seed(0)


class Video(nn.Module):
    """Convolutions of three dimensions, the axis ``time`` of which is T; as many rows as steps."""

    def __init__(self, time: int, over_all: bool) -> None:
        super().__init__()
        self.time, self.over_all = time, over_all
        window, padding = ((1, 1, 3), (0, 0, 1)) if time == 2 else ((1, 3, 1), (0, 1, 0))
        self.first = loud(nn.Conv3d(2, WIDTH, window, padding=padding))
        self.second = loud(nn.Conv3d(WIDTH, WIDTH, window, padding=padding))
        self.norm, self.lif, self.last = nn.BatchNorm3d(WIDTH), LIF(), LIF()
        self.out = linear(WIDTH if over_all else WIDTH * T * SIDES[1], CLASSES)

    def neurons(self, lif: Any, current: Any) -> Any:
        """Over steps in front."""
        return lif(current.movedim(self.time, 0)).movedim(0, self.time)

    def forward(self, frames: Any) -> Any:
        volume = frames.movedim(0, 1).movedim(1, self.time)
        spikes = self.neurons(self.lif, self.first(volume))
        spikes = self.neurons(self.last, self.norm(self.second(spikes)))
        if self.over_all:
            spikes = spikes.mean((3, 4) if self.time == 2 else (2, 3))
            return self.out(spikes.movedim(-1, 0))
        return self.out(spikes.movedim(self.time, 0).flatten(2))


def test_rows_as_many_as_steps_are_no_time(tmp_path: Path) -> None:
    """Time last: neither a convolution nor a norm takes the axis before it."""
    net = Video(time=4, over_all=False)
    # The network's input says nothing of its axes: what it reads has more rows.
    net.first = loud(nn.Conv3d(2, WIDTH, (2, 3, 1), padding=(0, 1, 0)))
    _, second, _ = recorded(net, events(2, T + 1, SIDES[1]), tmp_path).layers
    assert (second.in_shape, second.kernel) == ((WIDTH, T, SIDES[1]), (1, 3))


@pytest.mark.parametrize("time", [2, 4])
def test_a_mean_over_rows_and_columns_beside_time(time: int, tmp_path: Path) -> None:
    """It is a pool of all places, wherever time lies."""
    job = recorded(Video(time, over_all=True), events(2, T + 1, SIDES[1]), tmp_path)
    assert job.layers[1].pool == Pool("average", (T + 1, SIDES[1]), (T + 1, SIDES[1]))


class OverTokens(nn.Module):
    """A linear layer over the places of spikes that have come through ``window``."""

    def __init__(self, window: Callable[[Any], Any]) -> None:
        super().__init__()
        self.first, self.lif, self.window = Over(conv(2, WIDTH)), LIF(), window
        x = window(torch.zeros(T, 2, WIDTH, *SIDES))
        self.linear, self.last = linear(x.shape[2], 5), LIF()
        self.out = linear(5 * x[0, 0, 0].numel(), CLASSES)

    def forward(self, frames: Any) -> Any:
        tokens = self.window(self.lif(self.first(frames))).flatten(3).mT
        return self.out(self.last(self.linear(tokens)).mT.flatten(2))


WINDOWS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a row down": (lambda x: F.pad(x[..., :-1, :], (0, 0, 1, 0)), "0[0:4, 0:3 pad 1/0, 0:6]"),
    "a row up": (lambda x: F.pad(x[..., 1:, :], (0, 0, 0, 1)), "0[0:4, 1:4 pad 0/1, 0:6]"),
    "a column": (lambda x: F.pad(x[..., :-1], (1, 0)), "0[0:4, 0:4, 0:5 pad 1/0]"),
    "some": (lambda x: x[..., 1:3, ::2], "0[0:4, 1:3, 0:5:2]"),
    "one row": (lambda x: x[..., 1:2, :], "0[0:4, 1:2, 0:6]"),
    "each twice": (
        lambda x: F.interpolate(x.flatten(0, 1), scale_factor=2.0).unflatten(0, (T, -1)),
        "0[0:4, 0:4 x2, 0:6 x2]",
    ),
    "halves swapped": (
        lambda x: torch.cat(x.chunk(2, 2)[::-1], 2),
        "0[2:4] | 0[0:2]",
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_linear_layer_over_the_places_of_a_window(name: str, tmp_path: Path) -> None:
    """Places that are read in rows and columns stay rows and columns."""
    window, expected = WINDOWS[name]
    layer = recorded(OverTokens(window), events(2, *SIDES), tmp_path).layers[1]
    assert (layer.kind, reads(layer)) == ("conv", expected)


class TokensBefore(nn.Module):
    """Step by step, a linear layer over the places of spikes and of its own of the step before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.lif, self.last = conv(2, WIDTH), StepLIF(), StepLIF()
        self.linear, self.out = linear(WIDTH + 3, 3), linear(3 * SIDES[0] * SIDES[1], CLASSES)

    def forward(self, frames: Any) -> Any:
        outputs, back = [], frames.new_zeros(frames.shape[1], SIDES[0] * SIDES[1], 3)
        for frame in frames:
            tokens = self.lif(self.first(frame)).flatten(2).mT
            back = self.last(self.linear(torch.cat((tokens, back), -1)))
            outputs.append(self.out(back.mT.flatten(1)))
        return torch.stack(outputs)


def test_tokens_beside_those_of_the_step_before(tmp_path: Path) -> None:
    """What is of another step beside it does not make steps of an axis of channels."""
    layer = recorded(TokensBefore(), events(2, *SIDES), tmp_path).layers[1]
    assert layer.in_shape == (WIDTH + 3, *SIDES)
    assert reads(layer) == "0 | 1 of 1 before"


class Silenced(nn.Module):
    """A norm behind a convolution whose input never fires: what it takes away is its bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.lif, self.last = Over(conv(2, WIDTH)), LIF(), LIF()
        self.second = Over(conv(WIDTH, WIDTH), nn.BatchNorm2d(WIDTH, affine=False))
        self.out = linear(WIDTH * SIDES[0] * SIDES[1], CLASSES)

    def forward(self, frames: Any) -> Any:
        """No spike is there and not there; with channels last torch adds up one by one."""
        spikes = self.lif(self.first(frames))
        both = (spikes * (1 - spikes)).movedim(2, -1).contiguous().movedim(-1, 2)
        return self.out(self.last(self.second(both)).flatten(2))


@pytest.mark.filterwarnings("ignore::tlm.errors.CaptureWarning")
def test_a_norm_of_one_number_alone(tmp_path: Path) -> None:
    """A mean of the same number, added up again and again, is rounded: that is no difference."""
    second = recorded(Silenced(), events(2, *SIDES), tmp_path).layers[1]
    assert second.norm is not None
