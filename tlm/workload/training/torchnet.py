"""The network a recipe describes, as a torch module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import conv2d

from tlm.workload.blocks import (
    Attention,
    AvgPool,
    Block,
    Conv,
    Dense,
    MaxPool,
    Perceptron,
    Readout,
    Residual,
)
from tlm.workload.model import Neuron, Shape3
from tlm.workload.training.attention import SpikingSelfAttention
from tlm.workload.training.lif import LIF, Unfolded


class RecipeNetwork(nn.Sequential):
    """A feed-forward network over T steps: images -> mean output [B, K].

    Layers see batches folded to [T * B, ...], step by step. A static image [B, C, H, W] passes
    the layers before the first neurons once, since these have no memory; binary input is
    [T, B, C, H, W].
    """

    def __init__(self, steps: int, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.steps = steps

    def forward(self, inputs: Tensor) -> Tensor:
        """Output of the last layer, averaged over the steps."""
        outputs = self.around(inputs, None)[1]
        return outputs.reshape(self.steps, -1, *outputs.shape[1:]).mean(0)

    def around(self, inputs: Tensor, stop: nn.Module | None) -> tuple[Tensor, Tensor]:
        """Input and output of module ``stop`` (None: of the last one), the output at all steps."""
        static = inputs.dim() == 4
        before = after = inputs if static else inputs.flatten(0, 1)
        for module, following in zip(self, [*[*self][1:], None], strict=True):
            before, after = after, module(after)
            if static and isinstance(following, Unfolded):
                after, static = self._at_every_step(after), False
            if module is stop:
                break
        return before, after

    def _at_every_step(self, current: Tensor) -> Tensor:
        """[B, ...] -> [T * B, ...]: the same at each step."""
        return current.expand(self.steps, *current.shape).flatten(0, 1)


class PointwiseLinear(nn.Linear):
    """A linear layer computed as a 1 x 1 convolution.

    The sums are the same but for their rounding, which is that of the bundled jobs.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C] -> [N, K]."""
        return conv2d(inputs[..., None, None], self.weight[..., None, None]).flatten(1)


class SewBlock(nn.Module):
    """Residual block on spikes: ADD of the body's spikes and what the shortcut leaves."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, spikes: Tensor) -> Tensor:
        """Small integers: sums of spikes."""
        outputs: Tensor = self.body(spikes) + self.shortcut(spikes)
        return outputs


def build(
    blocks: Sequence[Block], in_shape: Shape3, steps: int, neuron: Neuron, norm: bool
) -> RecipeNetwork:
    """The network of ``blocks`` for inputs of ``in_shape`` (C, H, W), batch-normed if ``norm``.

    Weights are torch's default initialisation, drawn from its global generator.
    """
    builder = _Builder(in_shape, steps, neuron, norm)
    modules: dict[str, nn.Module] = {}
    for block in blocks:
        modules |= builder.modules(block)
    return RecipeNetwork(steps, modules)


class _Builder:
    """Follows the shape of the signal from block to block; names modules by their layer."""

    def __init__(self, in_shape: Shape3, steps: int, neuron: Neuron, norm: bool) -> None:
        self.channels, self.height, self.width = in_shape
        self.steps, self.neuron, self.norm = steps, neuron, norm
        self.layer = -1
        self.flat = False

    def modules(self, block: Block) -> dict[str, nn.Module]:
        if isinstance(block, MaxPool | AvgPool):
            return self._pool(block)
        self.layer += 1
        if isinstance(block, Conv):
            return self._conv(block, str(self.layer))
        if isinstance(block, Residual):
            return {f"sew{self.layer}": self._residual(block)}
        if isinstance(block, Attention):
            return {f"attn{self.layer}": SewBlock(self._attention(block), nn.Identity())}
        if isinstance(block, Perceptron):
            return {f"mlp{self.layer}": SewBlock(self._perceptron(block), nn.Identity())}
        return self._linear(block, str(self.layer))

    def _pool(self, block: MaxPool | AvgPool) -> dict[str, nn.Module]:
        self.height, self.width = self.height // block.size, self.width // block.size
        kind = nn.MaxPool2d if isinstance(block, MaxPool) else nn.AvgPool2d
        return {f"pool{self.layer}": kind(block.size)}

    def _conv(self, block: Conv, name: str) -> dict[str, nn.Module]:
        conv = nn.Conv2d(
            self.channels, block.channels, block.kernel, block.stride, block.padding, bias=False
        )
        grown = 2 * block.padding - block.kernel
        self.channels = block.channels
        self.height = (self.height + grown) // block.stride + 1
        self.width = (self.width + grown) // block.stride + 1
        norm = {f"norm{name}": nn.BatchNorm2d(block.channels)} if self.norm else {}
        return {f"conv{name}": conv, **norm, f"lif{name}": self._neurons()}

    def _residual(self, block: Residual) -> SewBlock:
        same = block.stride == 1 and block.channels == self.channels
        before = self.channels, self.height, self.width
        shortcut = nn.Identity() if same else self._shortcut(block)
        self.channels, self.height, self.width = before
        body = self._conv(Conv(block.channels, 3, block.stride), "0")
        return SewBlock(_chain(body | self._conv(Conv(block.channels), "1")), shortcut)

    def _shortcut(self, block: Residual) -> nn.Sequential:
        return _chain(self._conv(Conv(block.channels, 1, block.stride, 0), ""))

    def _attention(self, block: Attention) -> SpikingSelfAttention:
        return SpikingSelfAttention(self._over_tokens, self._neurons(), block.heads)

    def _over_tokens(self, shift: float) -> nn.Sequential:
        layer = _chain(self._conv(Conv(self.channels, kernel=1, padding=0), ""))
        if self.norm:
            nn.init.constant_(layer.norm.bias, shift)
        return layer

    def _perceptron(self, block: Perceptron) -> nn.Sequential:
        channels = self.channels
        body = self._conv(Conv(block.ratio * channels, kernel=1, padding=0), "0")
        return _chain(body | self._conv(Conv(channels, kernel=1, padding=0), "1"))

    def _linear(self, block: Dense | Readout, name: str) -> dict[str, nn.Module]:
        inputs = self.channels if self.flat else self.channels * self.height * self.width
        fold = {} if self.flat else {f"flatten{name}": nn.Flatten()}
        self.flat, self.channels = True, block.channels
        if isinstance(block, Readout):
            return {**fold, f"fc{name}": nn.Linear(inputs, block.channels)}
        linear = PointwiseLinear(inputs, block.channels, bias=False)
        norm = {f"norm{name}": nn.BatchNorm1d(block.channels)} if self.norm else {}
        return {**fold, f"fc{name}": linear, **norm, f"lif{name}": self._neurons()}

    def _neurons(self) -> Unfolded:
        return Unfolded(self.steps, LIF(self.neuron))


def _chain(modules: dict[str, nn.Module]) -> nn.Sequential:
    chain = nn.Sequential()
    for name, module in modules.items():
        chain.add_module(name, module)
    return chain
