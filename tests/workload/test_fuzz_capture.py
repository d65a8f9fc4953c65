"""Random networks: recorded exactly, or refused on one line; never another exception."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.parts import CLASSES, LIF, StepLIF, conv, events, linear, recorded  # noqa: E402
from tlm.errors import WorkloadError  # noqa: E402

_BOTH: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda x, y: x + y,
    "and": lambda x, y: x * y,
    "and not": lambda x, y: x * (1 - y),
    "one for all": lambda x, y: x * y[..., :1, :1],
    "or": lambda x, y: x + (1.0 - x) * y,
}
"""What is made of two alike."""


class Random(nn.Module):
    """Three to five convolutions; what each reads is drawn from all that there is already."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self.by_step = draw.random() < 0.5
        self.products, self.norms, self.neurons = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.recipes: list[tuple[str, tuple[int, ...]]] = []
        channels = [2]
        for at in range(draw.randint(3, 5)):
            recipe = self._recipe(draw, at, channels)
            self.recipes.append(recipe)
            read = self._channels(recipe, channels)
            groups = draw.choice([1, 1, 1, 2]) if read % 2 == 0 else 1
            channels.append(2 * draw.randint(1, 3))
            # A single weight before a norm has no gradient but rounding.
            kernel = 3 if groups > 1 else draw.choice([1, 3])
            self.products.append(
                conv(read, channels[-1], kernel, groups=groups, bias=draw.random() < 0.5)
            )
            normalised = draw.random() < 0.3
            self.norms.append(nn.BatchNorm2d(channels[-1]) if normalised else nn.Identity())
            self.neurons.append(StepLIF() if self.by_step else LIF())
        self.out = linear(sum(channels[1:]) * 4, CLASSES)
        self.feedback = channels[-1]

    def _recipe(
        self, draw: random.Random, at: int, channels: list[int]
    ) -> tuple[str, tuple[int, ...]]:
        """What convolution ``at`` reads, by the numbers of what there is."""
        if at == 0:
            return "all", (0,)
        kinds = ["all", "cat", "slice", "pad", "pool", "crop", "halves"]
        one, two = draw.randint(1, at), draw.randint(1, at)
        alike = [other for other in range(1, at + 1) if channels[other] == channels[one]]
        kind = draw.choice([*kinds, *_BOTH])
        return kind, (one, draw.choice(alike) if kind in _BOTH else two)

    def _channels(self, recipe: tuple[str, tuple[int, ...]], channels: list[int]) -> int:
        kind, (one, *rest) = recipe
        own = channels[one]
        return {"cat": own + channels[rest[0]] if rest else own, "slice": own // 2}.get(kind, own)

    def read(self, recipe: tuple[str, tuple[int, ...]], outputs: list[Any]) -> Any:
        """One operand [N, C, 8, 8]."""
        kind, (one, *rest) = recipe
        x = outputs[one]
        if kind == "cat":
            return torch.cat((x, outputs[rest[0]]), 1)
        if kind in _BOTH:
            return _BOTH[kind](x, outputs[rest[0]])
        if kind == "slice":
            return x[:, x.shape[1] // 2 :]
        if kind == "pad":
            return F.pad(x[..., :-1], (1, 0))
        if kind == "pool":
            return F.interpolate(F.max_pool2d(x, 2), scale_factor=2)
        if kind == "crop":
            return F.pad(x[..., 2:6, :], (0, 0, 2, 2))
        return torch.cat(x.chunk(2, 1)[::-1], 1) if kind == "halves" else x

    def step(self, frame: Any, over: Any) -> Any:
        """All layers on [N, C, 8, 8]; ``over`` lets neurons see their axes."""
        outputs = [frame]
        for recipe, product, norm, neuron in zip(
            self.recipes, self.products, self.norms, self.neurons, strict=True
        ):
            outputs.append(over(neuron, norm(product(self.read(recipe, outputs)))))
        ends = [F.avg_pool2d(spikes, 4).flatten(1) for spikes in outputs[1:]]
        return self.out(torch.cat(ends, 1))

    def forward(self, frames: Any) -> Any:
        if self.by_step:
            return torch.stack([self.step(frame, lambda neuron, x: neuron(x)) for frame in frames])
        lead = frames.shape[:2]
        out = self.step(
            frames.flatten(0, 1), lambda neuron, x: neuron(x.unflatten(0, lead)).flatten(0, 1)
        )
        return out.unflatten(0, lead)


def check(seed: int, path: Path) -> None:
    """Network number ``seed``: the checks of ``recorded``, or a line."""
    torch.manual_seed(seed)
    net = Random(random.Random(seed))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a dead layer is told as a warning
            recorded(net, events(2, 8, 8, seed=seed), path)
    except WorkloadError as error:
        assert "\n" not in str(error)
        assert "dead" in str(error), error


@pytest.mark.parametrize("seed", range(20))
def test_random_network(seed: int, tmp_path: Path) -> None:
    """Layouts, joins, pools, groups and norms at random."""
    check(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 200))
def test_more_random_networks(seed: int, tmp_path: Path) -> None:
    """More of them."""
    check(seed, tmp_path)
