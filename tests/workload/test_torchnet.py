"""The network of a recipe in torch: shapes, static inputs, pooling, initial weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlm.errors import WorkloadError
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
from tlm.workload.recipe import LIF, Scaling

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

VGG: tuple[Block, ...] = (Conv(4), MaxPool(2), Conv(6), AvgPool(2), Readout(5))
SEW: tuple[Block, ...] = (Conv(4), Residual(4), Residual(6, stride=2), AvgPool(4), Readout(5))
SPIKFORMER: tuple[Block, ...] = (Conv(16), Attention(2), Perceptron(3), AvgPool(8), Readout(5))
CHAIN: tuple[Block, ...] = (Conv(4, kernel=5, stride=2, padding=2), MaxPool(2), Dense(7), Dense(5))


def network(blocks: tuple[Block, ...], norm: bool = False) -> torch.nn.Module:
    """A network for 2 x 8 x 8 inputs over 3 steps."""
    from tlm.workload.training.torchnet import build

    torch.manual_seed(0)
    return build(blocks, (2, 8, 8), 3, LIF, norm)


@pytest.mark.parametrize("blocks", [VGG, SEW, SPIKFORMER, CHAIN])
@pytest.mark.parametrize("norm", [True, False])
def test_static_images_are_the_same_frame_at_every_step(
    blocks: tuple[Block, ...], norm: bool
) -> None:
    """Passing the layers before the first neurons once changes nothing."""
    net = network(blocks, norm)
    images = 3 * torch.rand(6, 2, 8, 8)
    once, each = net(images), net(images.expand(3, *images.shape))
    assert once.shape == (6, 5)
    assert torch.allclose(once, each, atol=1e-5)


def test_residual_adds_spikes() -> None:
    """A block's output is a sum of two spike tensors: 0, 1 or 2."""
    net = network(SEW, norm=True)
    block = net.sew1
    spikes = (torch.rand(18, 4, 8, 8) < 0.5).float()
    assert set(block(spikes).unique().tolist()) == {0, 1, 2}
    assert torch.equal(block(spikes) - block.body(spikes), spikes)


def test_attention_multiplies_spikes_head_by_head() -> None:
    """Neurons behind the products see what each token, head and channel sums up to by hand."""
    body = network(SPIKFORMER, norm=True).attn1.body
    seen: list[torch.Tensor] = []
    body.lif.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    spikes = (torch.rand(6, 16, 2, 3) < 0.5).float()
    assert body(spikes).shape == spikes.shape
    q, k, v = (layer(spikes).flatten(2) for layer in (body.q, body.k, body.v))
    assert q.any() and k.any() and v.any()
    expected = torch.zeros(6, 16, 6)
    for channels in (range(8), range(8, 16)):
        for token in range(6):
            for other in range(6):
                alike = sum(q[:, each, token] * k[:, each, other] for each in channels)
                for channel in channels:
                    expected[:, channel, token] += 0.25 * alike * v[:, channel, other]
    assert torch.equal(seen[0].flatten(2), expected)


def test_attention_starts_awake() -> None:
    """Before training more than a tenth of q, k and v fires, and what is behind has a gradient."""
    net = network(SPIKFORMER, norm=True)
    body = net.attn1.body
    spikes = (torch.rand(60, 16, 4, 4) < 0.2).float()
    with torch.no_grad():
        assert min(float(layer(spikes).mean()) for layer in (body.q, body.k, body.v)) > 0.1
    net(torch.rand(20, 2, 8, 8)).square().sum().backward()
    assert all(layer.conv.weight.grad.any() for layer in (body.q, body.k, body.v, body.proj))


def test_perceptron_adds_spikes_of_as_many_channels() -> None:
    """It is three times as wide inside, and adds 0 or 1 to what it reads."""
    block = network(SPIKFORMER, norm=True).mlp2
    spikes = (torch.rand(18, 16, 2, 2) < 0.5).float()
    assert block.body.conv0.weight.shape == (48, 16, 1, 1)
    assert set((block(spikes) - spikes).unique().tolist()) == {0, 1}


def test_max_pool_sends_the_gradient_to_the_first_of_equals() -> None:
    """The mapping routes output masks through pooling by this rule."""
    spikes = torch.ones(1, 1, 2, 2, requires_grad=True)
    torch.nn.MaxPool2d(2)(spikes).sum().backward()
    assert spikes.grad.reshape(-1).tolist() == [1, 0, 0, 0]


def test_neurons_it_does_not_compute_are_refused() -> None:
    """Another surrogate, or a resting potential, would be trained as something else."""
    from tlm.workload.training.lif import LIF as Neurons

    for other in (replace(LIF, surrogate="sigmoid"), replace(LIF, initial=0.5)):
        with pytest.raises(WorkloadError, match="one of the surrogates rectangular"):
            Neurons(other)


def test_currents_are_scaled_to_the_data() -> None:
    """Hidden currents get their standard deviation; the last layer's classes the threshold."""
    from tlm.workload.training.scaling import scale_weights

    net = network(CHAIN)
    images = torch.rand(40, 2, 8, 8)
    currents: list[torch.Tensor] = []
    scale_weights(net, images, Scaling(2.0, 0.5), seed=1)
    for neurons in (module.neurons for module in net if hasattr(module, "neurons")):
        neurons.register_forward_pre_hook(lambda _, arguments: currents.append(arguments[0]))
    net(images)
    assert [float(current.detach().std()) for current in currents[:2]] == pytest.approx(
        [2, 2], rel=1e-3
    )
    assert currents[2].detach().mean((0, 1)).tolist() == pytest.approx([1] * 5, abs=1e-3)
