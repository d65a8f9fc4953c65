"""Operands that are more than sums: each is recorded, rebuilt from its file, and counted right."""

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
    NEURONS,
    Over,
    StepLIF,
    conv,
    events,
    linear,
    recorded,
)
from tlm.errors import WorkloadError  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402
from tlm.workload.report.reads import reads  # noqa: E402


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights each time."""
    torch.manual_seed(0)


class Two(nn.Module):
    """Two layers a (4 x 8 x 8) and b (6 x 8 x 8), what ``between`` makes of them, and a third."""

    def __init__(self, between: Callable[[Any, Any], Any], channels: int, side: int = 8) -> None:
        super().__init__()
        self.a, self.b, self.c = Over(conv(2, 4)), Over(conv(4, 6)), Over(conv(channels, 3))
        self.n, self.m, self.k = LIF(), LIF(), LIF()
        self.out = linear(3 * side * side, CLASSES)
        self.between = between

    def forward(self, frames: Any) -> Any:
        a = self.n(self.a(frames))
        b = self.m(self.b(a))
        return self.out(self.k(self.c(self.between(a, b))).flatten(2))


def pooled(spikes: Any, size: int = 2) -> Any:
    """Max-pooled over all steps."""
    return F.max_pool2d(spikes.flatten(0, 1), size).unflatten(0, spikes.shape[:2])


def up(spikes: Any, factor: int = 2) -> Any:
    """Upsampled over all steps."""
    behind = F.interpolate(spikes.flatten(0, 1), scale_factor=factor)
    return behind.unflatten(0, spikes.shape[:2])


def averaged_of(spikes: Any) -> Any:
    """Average-pooled over all steps."""
    return F.avg_pool2d(spikes.flatten(0, 1), 2).unflatten(0, spikes.shape[:2])


def later(spikes: Any) -> Any:
    """One step later; zeros first."""
    return torch.cat((torch.zeros_like(spikes[:1]), spikes[:-1]))


BETWEEN: dict[str, tuple[Callable[[Any, Any], Any], int, int, str]] = {
    "concatenation": (lambda a, b: torch.cat((a, b), 2), 10, 8, "0 | 1"),
    "the other way round": (lambda a, b: torch.cat((b, a), 2), 10, 8, "1 | 0"),
    "split": (lambda a, b: b.split(3, 2)[1], 3, 8, "1[3:6]"),
    "chunks exchanged": (lambda a, b: torch.cat(b.chunk(2, 2)[::-1], 2), 6, 8, "1[3:6] | 1[0:3]"),
    "channels by number": (lambda a, b: b[:, :, [4, 0, 1]], 3, 8, "1[4:5] | 1[0:2]"),
    "sum of a slice": (lambda a, b: a + b[:, :, 1:5], 4, 8, "0 + 1[1:5]"),
    "sum with fewer channels": (
        lambda a, b: F.pad(a, (0, 0, 0, 0, 1, 1)) + b,
        6,
        8,
        "1[0:1] | 0 + 1[1:5] | 1[5:6]",
    ),
    "cropped": (lambda a, b: b[..., 1:7, 2:8], 6, 6, "1[0:6, 1:7, 2:8]"),
    "padded on one side": (
        lambda a, b: F.pad(b, (1, 0, 1, 0)),
        6,
        9,
        "1[0:6, 0:8 pad 1/0, 0:8 pad 1/0]",
    ),
    "every second": (lambda a, b: b[..., ::2, ::2], 6, 4, "1[0:6, 0:7:2, 0:7:2]"),
    "focus": (
        lambda a, b: torch.cat((b[..., ::2, ::2], b[..., 1::2, ::2]), 2),
        12,
        4,
        "1[0:6, 0:7:2, 0:7:2] | 1[0:6, 1:8:2, 0:7:2]",
    ),
    "upsampled": (lambda a, b: up(b), 6, 16, "1[0:6, 0:8 x2, 0:8 x2]"),
    "down and up": (
        lambda a, b: torch.cat((a, up(pooled(b))), 2),
        10,
        8,
        "0 | 1[0:6, 0:4 x2, 0:4 x2]",
    ),
    "each pooled otherwise": (
        lambda a, b: torch.cat((pooled(a), averaged_of(b)), 2),
        10,
        4,
        "0 max 2/2 | 1",
    ),
    "pooled together": (
        lambda a, b: pooled(torch.cat((a, b), 2)),
        10,
        4,
        "max 2/2 of 0 | 1",
    ),
    "repeated": (lambda a, b: b.repeat(1, 1, 2, 1, 1), 12, 8, "1 | 1"),
    "one channel for all": (
        lambda a, b: b[:, :, :1].expand(-1, -1, 3, -1, -1),
        3,
        8,
        "1[0:1] | 1[0:1] | 1[0:1]",
    ),
    "shuffled channels": (
        lambda a, b: b.unflatten(2, (2, 3)).transpose(2, 3).flatten(2, 3),
        6,
        8,
        "1[0:1] | 1[3:4] | 1[1:2] | 1[4:5] | 1[2:3] | 1[5:6]",
    ),
    "with zeros": (lambda a, b: torch.cat((b, torch.zeros_like(a)), 2), 10, 8, "1 | 4 zeros"),
    "of the step before": (lambda a, b: later(b), 6, 8, "1 of 1 before"),
    "now and before": (lambda a, b: torch.cat((b, later(b)), 2), 12, 8, "1 | 1 of 1 before"),
    "now plus before": (lambda a, b: b + later(b), 6, 8, "1 + 1 of 1 before"),
    "pyramid of pools": (
        lambda a, b: torch.cat(
            (pooled(b), pooled(pooled(b)).repeat_interleave(2, 3).repeat_interleave(2, 4)), 2
        ),
        12,
        4,
        "1 | 1 max 2/2[0:6, 0:2 x2, 0:2 x2]",
    ),
    "and": (lambda a, b: a * b[:, :, :4], 4, 8, "0 and 1[0:4]"),
    "and not": (lambda a, b: a * (1 - b[:, :, 2:]), 4, 8, "0 and not 1[2:6]"),
    "not, and": (lambda a, b: (1.0 - a).mul(b[:, :, 1:5]), 4, 8, "1[1:5] and not 0"),
    "ones minus spikes": (
        lambda a, b: b[:, :, :4] * (torch.ones_like(a) - a),
        4,
        8,
        "1[0:4] and not 0",
    ),
    "neither": (
        lambda a, b: b[:, :, :4] * (1 - b[:, :, 2:]) * (1 - a),
        4,
        8,
        "1[0:4] and not 1[2:6] and not 0",
    ),
    "or": (lambda a, b: a + (1 - a) * b[:, :, :4], 4, 8, "0 + 1[0:4] and not 0"),
    "product of a sum": (
        lambda a, b: (a + b[:, :, :4]) * b[:, :, 2:],
        4,
        8,
        "0 and 1[2:6] + 1[0:4] and 1[2:6]",
    ),
    "squared": (lambda a, b: b * b, 6, 8, "1 and 1"),
    "products side by side": (
        lambda a, b: torch.cat((a * b[:, :, :4], b, a * (1 - b[:, :, 2:])), 2),
        14,
        8,
        "0 and 1[0:4] | 1 | 0 and not 1[2:6]",
    ),
    "one position for all": (
        lambda a, b: b[:, :, :4] * a[..., 3:4, 5:6],
        4,
        8,
        "1[0:4] and 0[0:4, 3:4 x8, 5:6 x8]",
    ),
    "averages gated": (
        lambda a, b: up(averaged_of(b)) * (1 - b),
        6,
        8,
        "1 average 2/2[0:6, 0:4 x2, 0:4 x2] and not 1",
    ),
    "gated with averages": (
        lambda a, b: b * up(averaged_of(b)),
        6,
        8,
        "1 average 2/2[0:6, 0:4 x2, 0:4 x2] and 1",
    ),
    "product pooled": (
        lambda a, b: pooled(a * (1 - b[:, :, :4])),
        4,
        4,
        "max 2/2 of 0 and not 1[0:4]",
    ),
    "pooled, then multiplied": (
        lambda a, b: pooled(a) * (1 - pooled(b)[:, :, 1:5]),
        4,
        4,
        "0 max 2/2 and not 1[1:5]",
    ),
    "product padded": (
        lambda a, b: F.pad(a * (1 - b[:, :, :4]), (1, 0, 1, 0)),
        4,
        9,
        "0[0:4, 0:8 pad 1/0, 0:8 pad 1/0] and not 1[0:4, 0:8 pad 1/0, 0:8 pad 1/0]",
    ),
    "gated with the step before": (lambda a, b: b * later(b), 6, 8, "1 and 1 of 1 before"),
    "not in the step before": (lambda a, b: b * (1 - later(b)), 6, 8, "1 and not 1 of 1 before"),
    "product of the step before": (
        lambda a, b: later(a * (1 - b[:, :, :4])),
        4,
        8,
        "0 of 1 before and not 1[0:4] of 1 before",
    ),
    "sum over positions": (
        lambda a, b: (a * b[:, :, :4]).sum((-2, -1), keepdim=True),
        4,
        1,
        "sum 8/8 of 0 and 1[0:4]",
    ),
    "sum over tokens": (
        lambda a, b: (
            (pooled(a, 4) + pooled(b[:, :, :4], 4))
            .flatten(3)
            .transpose(2, 3)
            .sum(2)[..., None, None]
        ),
        4,
        1,
        "sum 2/2 of 0 max 4/4 + 1[0:4] max 4/4",
    ),
    "channels last and back": (
        lambda a, b: torch.cat((a.movedim(2, -1), b.movedim(2, -1)), -1).movedim(-1, 2),
        10,
        8,
        "0 | 1",
    ),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_between_layers(case: str, tmp_path: Path) -> None:
    """What is written between layers comes out as the operand of the third, exactly."""
    between, channels, side, expected = BETWEEN[case]
    job = recorded(Two(between, channels, side), events(2, 8, 8), tmp_path)
    assert reads(job.layers[2]) == expected


class Recurrent(nn.Module):
    """Spikes of a later layer, and of the layer itself, one step before; called step by step."""

    def __init__(self, joined: Callable[[Any, Any], Any], width: int) -> None:
        super().__init__()
        self.a, self.b, self.c = linear(7, 6), linear(width, 16), linear(16, 6)
        self.out = linear(6, CLASSES)
        self.n, self.m, self.k = StepLIF(), StepLIF(), StepLIF()
        self.joined = joined

    def forward(self, events: Any) -> Any:
        later, outs = torch.zeros(events.shape[1], 6), []
        for frame in events:
            first = self.n(self.a(frame))
            later = self.k(self.c(self.m(self.b(self.joined(first, later)))))
            outs.append(self.out(later))
        return torch.stack(outs)


FEEDBACK: dict[str, tuple[Callable[[Any, Any], Any], int, str]] = {
    "added": (lambda now, before: now + before, 6, "0 + 2 of 1 before"),
    "beside": (lambda now, before: torch.cat((now, before), -1), 12, "0 | 2 of 1 before"),
    "half of it": (
        lambda now, before: torch.cat((before[:, 3:], now), -1),
        9,
        "2[3:6] of 1 before | 0",
    ),
}


@pytest.mark.parametrize("case", FEEDBACK)
def test_feedback(case: str, tmp_path: Path) -> None:
    """A layer reads a later one of the step before: rebuilt forced and free, step by step."""
    joined, width, expected = FEEDBACK[case]
    job = recorded(Recurrent(joined, width), events(7), tmp_path)
    assert reads(job.layers[1]) == expected


class Own(nn.Module):
    """A recurrent layer that reads its input beside its own spikes, and is read by the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.n = linear(7 + CLASSES, CLASSES), StepLIF()

    def forward(self, events: Any) -> Any:
        own, outs = torch.zeros(events.shape[1], CLASSES), []
        for frame in events:
            own = self.n(self.cell(torch.cat((frame, own), -1)))
            outs.append(own)
        return torch.stack(outs)


def test_layer_that_reads_itself(tmp_path: Path) -> None:
    """The network's input is a part of what its first layer reads."""
    job = recorded(Own(), events(7), tmp_path)
    assert (reads(job.layers[0]), job.input_shape) == ("input | 0 of 1 before", (4, 2, 7, 1, 1))


class Cell(nn.Module):
    """The recurrent cell of most spoken-digit networks: W x[t] + V s[t - 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.own, self.out = linear(7, 12), linear(12, 12), linear(12, CLASSES)
        self.n = StepLIF()

    def forward(self, events: Any) -> Any:
        spikes, outs = torch.zeros(events.shape[1], 12), []
        for frame in events:
            spikes = self.n(self.inputs(frame) + self.own(spikes))
            outs.append(self.out(spikes))
        return torch.stack(outs)


def test_recurrent_cell(tmp_path: Path) -> None:
    """Two products enter one neuron; one of them reads its spikes of the step before."""
    job = recorded(Cell(), events(7), tmp_path)
    assert [reads(layer) for layer in job.layers] == ["input", "1 of 1 before", "1"]
    assert job.layers[1].shortcuts[0].layer == 0


def test_input_beside_spikes(tmp_path: Path) -> None:
    """The network's input goes into a later layer, too, beside spikes."""

    class Skip(Two):
        def forward(self, frames: Any) -> Any:
            b = self.m(self.b(self.n(self.a(frames))))
            return self.out(self.k(self.c(torch.cat((frames, b), 2))).flatten(2))

    job = recorded(Skip(torch.cat, 8), events(2, 8, 8), tmp_path)
    assert reads(job.layers[2]) == "input | 1"


def test_flattened_side_by_side(tmp_path: Path) -> None:
    """Feature maps flattened and concatenated before the classifier."""

    class Flat(Two):
        def forward(self, frames: Any) -> Any:
            a = self.n(self.a(frames))
            b = pooled(self.m(self.b(a)))
            both = (self.k(self.c(b)).flatten(2), a.flatten(2))
            return self.head(torch.cat(both, 2))

    net = Flat(torch.cat, 6)
    net.head = linear(3 * 16 + 4 * 64, CLASSES)
    del net.out
    job = recorded(net, events(2, 8, 8), tmp_path)
    assert reads(job.layers[3]).startswith("2")


class Tokens(Two):
    """Positions are tokens: q and (k and v added up over them, then neurons), head by head."""

    heads = 2

    def forward(self, frames: Any) -> Any:
        tokens = [
            spikes.flatten(3).unflatten(2, (self.heads, -1)).transpose(3, 4)  # [T, B, h, N, d]
            for spikes in (self.n(self.a(frames)), self.m(self.b(frames)))
        ]
        q, k, v = tokens[0], *tokens[1].chunk(2, -1)
        summed = self.k(k.mul(v).sum(-2, keepdim=True))
        attention = q.mul(summed).transpose(3, 4).flatten(2, 3)
        return self.out(attention.mean(3))


def test_tokens(tmp_path: Path) -> None:
    """Neurons behind a sum over tokens are a layer of channels; their spikes gate all tokens."""
    net = Tokens(torch.cat, 6)
    net.b, net.out = Over(conv(2, 8)), linear(4, CLASSES)
    del net.c
    net.n, net.m = LIF(), LIF()
    job = recorded(net, events(2, 8, 8), tmp_path)
    k, head = job.layers[2:]
    assert (k.kind, k.in_shape) == ("identity", (4, 1, 1))
    assert reads(k) == "sum 8/8 of 1[0:2] and 1[2:4] | 1[4:6] and 1[6:8]"
    assert reads(head) == "average 8/8 of 0 and 2[0:4, 0:1 x8, 0:1 x8]"


REFUSED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "mirrored": (lambda a, b: b.flip(-1), "c.*no window of channels"),
    "interpolated": (
        lambda a, b: F.interpolate(b.flatten(0, 1), scale_factor=1.5, mode="bilinear").unflatten(
            0, b.shape[:2]
        ),
        "operation UpsampleBilinear2D; interpolation mixes spikes",
    ),
    "put together in place": (
        lambda a, b: torch.zeros_like(b).index_copy(0, torch.arange(4), b),
        "operation IndexCopy",
    ),
    "maximum of two": (lambda a, b: torch.maximum(b, b.roll(1, 2)), "a maximum .OR. of spikes"),
    "inverted alone": (lambda a, b: 1 - b, "of subtractions only 1 - spikes"),
    "one spike more": (lambda a, b: b * (2 - b), "of subtractions only 1 - spikes"),
    "not a product": (lambda a, b: b * (1 - b * b), "of subtractions only 1 - spikes"),
    "not a sum": (lambda a, b: b * (1 - (b + b)), "of subtractions only 1 - spikes"),
    "difference": (lambda a, b: b - b.roll(1, 2), "of subtractions only 1 - spikes"),
    "inverted, then padded": (
        lambda a, b: b * F.pad(1 - b[..., 1:], (1, 0)),
        "to 1 - spikes zeros are added",
    ),
    "inverted, then later": (
        lambda a, b: b * F.pad(1 - b[:-1], (0, 0) * 4 + (1, 0)),
        "to 1 - spikes zeros are added",
    ),
    "scaled": (lambda a, b: b * 0.5, "its input is multiplied with 0.5"),
    "masked": (lambda a, b: b * (b > 0), "operation Mul; it is multiplied by what has no gradient"),
    "two averages": (
        lambda a, b: up(averaged_of(b)) * up(averaged_of(b)),
        "c.*: it reads .* multiplied with .*, and neither is 0 or 1",
    ),
    "product pooled beside another": (
        lambda a, b: up(pooled(b * b)) + b,
        "a pool of products of spikes beside other things",
    ),
    "scaled sum": (lambda a, b: torch.add(b, b, alpha=2), "added times 2"),
    "a constant added": (lambda a, b: b + 1.0, "no gradient and is not zero"),
    "a parameter added": (
        lambda a, b: b + nn.Parameter(torch.ones(1)),
        "a parameter of shape .1. goes into its input",
    ),
    "another sample": (lambda a, b: b.roll(1, 1), "other samples or steps"),
    "a later step": (lambda a, b: torch.cat((b[1:], b[:1])), "other samples or steps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """What no operand can say is refused on one line."""
    between, expected = REFUSED[case]
    net = Two(between, 6, 12 if case == "interpolated" else 8)
    with pytest.raises(WorkloadError, match=expected) as caught:
        cap = Capture(net, steps=4, neurons=NEURONS)
        with cap.at(0):
            net(events(2, 8, 8)).sum().backward()
    assert "\n" not in str(caught.value)
