"""Attention of spikes: products of recorded tensors, however they are written, are recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.attention import SpikingSelfAttention  # noqa: E402
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
from tlm.running.runner import run_job  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402
from tlm.workload.report.reads import reads  # noqa: E402

WIDTH, HEADS, SIDE = 8, 2, 4
TOKENS = SIDE * SIDE


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same weights each time."""
    torch.manual_seed(0)


class Attention(SpikingSelfAttention):
    """Attention as ``multiply`` writes it, of q, k, v by head."""

    def __init__(self, multiply: Callable[[Any, Any, Any], Any]) -> None:
        super().__init__(WIDTH, HEADS)
        self.multiply = multiply

    def multiplied(self, q: Any, k: Any, v: Any) -> Any:
        return self.multiply(q, k, v)


class Net(nn.Module):
    """A convolution, attention over its positions, a read-out."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.conv, self.lif, self.attn = Over(conv(2, WIDTH)), LIF(), attention
        self.out = linear(WIDTH * TOKENS, CLASSES)

    def forward(self, frames: Any) -> Any:
        tokens = self.lif(self.conv(frames)).flatten(-2).transpose(-1, -2)
        return self.out(self.attn(tokens).transpose(-1, -2).flatten(2))


def folded(q: Any, k: Any, v: Any) -> Any:
    """By torch.bmm, which knows one axis of matrices."""
    q, k, v = (each.flatten(0, 2) for each in (q, k, v))
    return torch.bmm(torch.bmm(q, k.mT), v).unflatten(0, (-1, 2, HEADS))


WAYS: dict[str, tuple[Callable[[Any, Any, Any], Any], list[str]]] = {
    "q k' first": (lambda q, k, v: (q @ k.transpose(-2, -1)) @ v, ["(2)' x 1", "3 x 4"]),
    "k' v first": (lambda q, k, v: q @ (k.mT @ v), ["3 x (2)'", "4 x 1"]),
    "scaled in between": (
        lambda q, k, v: (q @ k.mT) * 0.5 @ v,
        ["(2)' x 1", "3 x 4 times 0.5"],
    ),
    "scaled behind": (lambda q, k, v: (q @ k.mT @ v) * 0.5, ["(2)' x 1", "3 x 4 times 0.5"]),
    "divided, and scaled behind": (
        lambda q, k, v: ((q @ k.mT) / 4 @ v) * 2,
        ["(2)' x 1", "3 x 4 times 0.5"],
    ),
    "each scaled": (
        lambda q, k, v: (0.5 * q) @ (0.5 * k).mT @ v,
        ["(2)' x 1 times 0.25", "3 x 4"],
    ),
    "einsum": (
        lambda q, k, v: torch.einsum(
            "tbhnm,tbhmd->tbhnd", torch.einsum("tbhnd,tbhmd->tbhnm", q, k), v
        ),
        ["(2)' x 1", "3 x 4"],
    ),
    "bmm": (folded, ["(2)' x 1", "3 x 4"]),
    "turned": (lambda q, k, v: (v.mT @ (k @ q.mT)).mT, ["(1)' x 2", "3 x (4)'"]),
    "queries last": (lambda q, k, v: ((v.mT @ k) @ q.mT).mT, ["2 x (3)'", "(4)' x 1"]),
    "a sum of two": (
        lambda q, k, v: (q + k) @ k.mT @ v,
        ["(2)' x 1 + 2", "3 x 4"],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_attention_however_it_is_written(way: str, tmp_path: Path) -> None:
    """Both products are layers; they read what they read; spikes, gradients and MACs are right."""
    multiply, expected = WAYS[way]
    net = Net(Attention(multiply))
    job = recorded(net, events(2, SIDE, SIDE), tmp_path)
    products = [layer for layer in job.layers if layer.kind == "matmul"]
    assert [reads(layer) for layer in products] == expected
    assert [layer.groups for layer in products] == [HEADS, HEADS]
    assert products[0].neuron is None
    assert products[1].neuron is not None


class Fused(nn.Module):
    """q, k and v of one linear layer, [T, B, C, N], as SpikingJelly's SpikingSelfAttention."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.bn, self.lif = linear(WIDTH, 3 * WIDTH), nn.BatchNorm1d(3 * WIDTH), LIF()
        self.attn_lif = LIF()

    def forward(self, tokens: Any) -> Any:
        products = self.bn(self.qkv(tokens.flatten(0, 1)).mT)
        spikes = self.lif(products.unflatten(0, tokens.shape[:2]))  # [T, B, 3 C, N]
        q, k, v = spikes.unflatten(2, (3 * HEADS, -1)).chunk(3, 2)
        x = ((v @ k.mT) @ q) * 0.5
        return self.attn_lif(x.flatten(2, 3)).mT


def test_one_layer_for_all_three(tmp_path: Path) -> None:
    """Operands are windows on the channels of one layer, also what is held."""
    job = recorded(Net(Fused()), events(2, SIDE, SIDE), tmp_path)
    products = [layer for layer in job.layers if layer.kind == "matmul"]
    assert [reads(layer) for layer in products] == [
        "1[8:16] x (1[16:24])'",
        "(2)' x 1[0:8] times 0.5",
    ]


class ByStep(nn.Module):
    """The same network, called step by step, with one head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv(2, WIDTH)
        self.q, self.k = linear(WIDTH, WIDTH), linear(WIDTH, WIDTH)
        self.lif, self.q_lif, self.k_lif, self.attn_lif = (StepLIF() for _ in range(4))
        self.out = linear(WIDTH, CLASSES)

    def step(self, frame: Any) -> Any:
        tokens = self.lif(self.conv(frame)).flatten(-2).mT
        q, k = self.q_lif(self.q(tokens)), self.k_lif(self.k(tokens))
        return self.out(self.attn_lif(q @ k.mT @ tokens).mean(1))

    def forward(self, frames: Any) -> Any:
        return torch.stack([self.step(frame) for frame in frames])


def test_step_by_step(tmp_path: Path) -> None:
    """T calls of one product are one layer; a mean over tokens is a global pool."""
    job = recorded(ByStep(), events(2, SIDE, SIDE), tmp_path)
    assert [layer.kind for layer in job.layers] == [
        "conv", "conv", "conv", "matmul", "matmul", "linear",
    ]  # fmt: skip
    assert reads(job.layers[-1]) == "4"
    assert job.layers[4].pool is not None
    assert job.layers[4].pool.size == (SIDE, SIDE)


def test_tokens_as_many_as_samples_and_steps(tmp_path: Path) -> None:
    """Which axis is which is told by where elements come from, not by sizes."""
    net = Net(Attention(WAYS["q k' first"][0]))
    net.conv = Over(conv(2, WIDTH, 3, padding=0))
    net.out = linear(WIDTH * 4, CLASSES)
    job = recorded(net, events(2, 4, 4), tmp_path)  # T = 4 steps, 4 tokens
    assert job.layers[1].in_shape == (WIDTH, 2, 2)


@pytest.mark.parametrize("attention", [Attention(WAYS["k' v first"][0]), Fused()])
def test_recorded_attention_runs(attention: Any, tmp_path: Path) -> None:
    """Inference and training of what was recorded break no law."""
    recorded(Net(attention), events(2, SIDE, SIDE), tmp_path)
    job = str(tmp_path / "job.h5")
    assert run_job(job, mode="inference", out=tmp_path / "run").ok
    assert run_job(job, out=tmp_path / "training").ok


def refused(multiply: Callable[[Any, Any, Any], Any]) -> str:
    """What the recorder says of attention that is written so."""
    net, frames = Net(Attention(multiply)), events(2, SIDE, SIDE)
    cap = Capture(net, steps=len(frames), neurons=NEURONS)
    with pytest.raises(WorkloadError) as refusal, cap.at(0):
        F.cross_entropy(net(frames).mean(0), torch.arange(2)).backward()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def constant(q: Any, k: Any, v: Any) -> Any:
    return torch.ones(TOKENS, TOKENS).expand(*q.shape[:3], -1, -1) @ q


def used_twice(q: Any, k: Any, v: Any) -> Any:
    product = q @ k.mT
    return product @ v + product * 0.5 @ v


@pytest.mark.parametrize(
    ("multiply", "expected"),
    [
        (lambda q, k, v: torch.softmax(q @ k.mT, -1) @ v, "operation Softmax"),
        (constant, "a product with a matrix that has no gradient"),
        (lambda q, k, v: (q @ k.mT @ v) * 0.5 + q, "multiplied with 0.5 and 1"),
        (lambda q, k, v: 0.5 * q, "its input is multiplied with 0.5; only a product"),
        (lambda q, k, v: q.flip(-2) @ k.mT @ v, "arranged as no window"),
    ],
)
def test_refused(multiply: Callable[[Any, Any, Any], Any], expected: str) -> None:
    """What no layer says is refused with its true cause."""
    assert expected in refused(multiply)
