"""What cannot be recorded is refused in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlm.errors import WorkloadError
from tlm.workload import Pool
from tlm.workload.surrogate import lif_neuron

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tlm.workload.capture import Capture, Declared, declare  # noqa: E402
from tlm.workload.training.lif import LIF  # noqa: E402

T, B = 3, 4


class Net(nn.Module):
    """Linear, BN, LIF, linear, LIF; ``between`` acts on the hidden spikes [T, B, 16]."""

    def __init__(self, between: Callable[[Any], Any] = lambda spikes: spikes) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.norm, self.lif1 = nn.Linear(8, 16), nn.BatchNorm1d(16), LIF(lif_neuron())
        self.fc2, self.lif2 = nn.Linear(16, 5), LIF(lif_neuron(surrogate="arctangent"))
        self.between = between
        with torch.no_grad():
            self.norm.weight.fill_(3.0)
            self.fc2.weight.mul_(6.0)

    def hidden(self, frames: Any) -> Any:
        """Spikes [T, B, 16] of frames [B, 8]."""
        current = self.norm(self.fc1(frames))
        return self.lif1(current.expand(T, *current.shape))

    def forward(self, frames: Any) -> Any:
        """Mean output spikes."""
        return self.lif2(self.fc2(self.between(self.hidden(frames)))).mean(0)


def step(net: Any, samples: int = B) -> None:
    """Forward and backward of one mini-batch."""
    frames = torch.rand(samples, 8, generator=torch.Generator().manual_seed(1))
    F.cross_entropy(net(frames), torch.arange(samples) % 5).backward()


def record(net: Any, action: Callable[[Any], None] = step, steps: int = T) -> Any:
    """Record ``action`` on the network as iteration 0."""
    cap = Capture(net, steps=steps)
    with cap.at(0):
        action(net)
    return cap


def test_the_network_itself_records() -> None:
    """What the cases below change is what they are refused for."""
    record(Net())


def eval_mode(net: Any) -> None:
    step(net.eval())


def without_gradients(net: Any) -> None:
    with torch.no_grad():
        net(torch.rand(B, 8))


def no_backward(net: Any) -> None:
    net(torch.rand(B, 8))


def twice(net: Any) -> None:
    step(net)
    step(net)


def with_optimizer(net: Any) -> None:
    step(net)
    torch.optim.SGD(net.parameters(), lr=0.1).step()


def autocast(net: Any) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        step(net)


def frozen_norm(net: Any) -> None:
    net.norm.eval()
    step(net)


ACTIONS: dict[str, tuple[Callable[[Any], None], str]] = {
    "eval mode": (eval_mode, r"eval mode.*call net\.train\(\)"),
    "frozen statistics": (frozen_norm, "norm: it is in eval mode while the network trains"),
    "no gradients": (without_gradients, "carries no gradient; run forward with gradients on"),
    "no backward": (no_backward, r"no gradient arrived; call loss\.backward\(\)"),
    "two passes": (twice, "bracket one forward and one backward pass, without activation check"),
    "optimizer inside": (
        with_optimizer,
        r"changed while recording; call optimizer\.step\(\) after",
    ),
    "autocast": (autocast, "expected float32, got bfloat16; switch autocast"),
    "nothing called": (lambda net: None, r"no convolution and no nn.Linear was called"),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_training_loop(case: str) -> None:
    """Mistakes round the forward and backward pass."""
    action, expected = ACTIONS[case]
    with pytest.raises(WorkloadError, match=expected) as caught:
        record(Net(), action)
    assert "\n" not in str(caught.value)


BETWEEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "mask": (
        lambda s: s * (torch.arange(s.shape[-1]) % 2),
        "fc2: its input passes.*is no dropout",
    ),
    "product": (lambda s: s * 0.5, "fc2: its input is multiplied with 0.5"),
    "mean over time": (lambda s: s.mean(0), "average over time after the read-out"),
    "steps in another order": (lambda s: s.flip(0), "fc2: it reads other samples or steps of lif1"),
    "shuffled": (
        lambda s: s[:, torch.tensor([1, 0, 2, 3])],
        "fc2: it reads other samples or steps of lif1",
    ),
    "a step later": (lambda s: s.roll(-1, 0), "fc2: it reads other samples or steps of lif1"),
    "detached": (lambda s: s.detach(), "fc2: it reads .* without gradient.*or detached"),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_between_layers(case: str) -> None:
    """Operations that the layer graph cannot say."""
    between, expected = BETWEEN[case]
    with pytest.raises(WorkloadError, match=expected):
        record(Net(between))


def test_activation_checkpointing() -> None:
    """A recomputed forward pass is seen a second time, and refused."""
    from torch.utils.checkpoint import checkpoint

    net = Net()

    def step_again(net: Any) -> None:
        frames = torch.rand(B, 8, requires_grad=True)
        hidden = checkpoint(net.hidden, frames, use_reentrant=False)
        F.cross_entropy(net.lif2(net.fc2(hidden)).mean(0), torch.arange(B)).backward()

    with pytest.raises(WorkloadError, match="activation checkpointing"):
        record(net, step_again)


def test_frozen_layer() -> None:
    """Without a weight gradient there is no WG to record; unfreezing is harmless."""
    net = Net()
    net.fc1.weight.requires_grad_(False)
    with pytest.raises(WorkloadError, match=r"fc1\.weight is frozen.*the optimizer does not step"):
        record(net)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_wrong_steps(steps: int) -> None:
    """T is never guessed from a shape."""
    with pytest.raises(WorkloadError, match="give Capture the right steps"):
        record(Net(), steps=steps)


def test_batch_first_with_as_many_samples_as_steps() -> None:
    """[B, T, ...] has the shape of [T, B, ...] if T = B; the replay tells them apart."""

    class Mixed(LIF):
        def forward(self, current: Any) -> Any:
            return super().forward(current.transpose(0, 1)).transpose(0, 1)

    net = Net()
    net.lif1 = Mixed(lif_neuron())
    net.hidden = lambda frames: net.lif1(
        net.norm(net.fc1(frames.flatten(0, 1))).unflatten(0, (T, T))
    )
    net.between = lambda spikes: spikes.transpose(0, 1)
    frames = torch.rand(T, T, 8, generator=torch.Generator().manual_seed(3))

    def mixed_step(net: Any) -> None:
        F.cross_entropy(net(frames), torch.arange(T)).backward()

    with pytest.raises(WorkloadError, match=r"first axis is not time|changes from step to step"):
        record(net, mixed_step)


def test_wrong_equation() -> None:
    """The replay finds a neuron that was described wrongly, and says which part."""
    net = Net()
    cap = Capture(net, steps=T)
    spikes = net.lif1.forward
    net.lif1.forward = lambda current: spikes(0.9 * current)
    with (
        pytest.raises(WorkloadError, match=r"fc1: \d+ of 192 spikes differ from the replay"),
        cap.at(0),
    ):
        step(net)
    net.lif1.forward = spikes
    cap = Capture(net, steps=T, neurons={LIF: Declared(lif_neuron(reset="soft"))})
    with pytest.raises(WorkloadError, match="differ from the replay"), cap.at(0):
        step(net)


class Cut(LIF):
    """Its membrane is detached before the last step: truncated backpropagation through time."""

    def forward(self, currents: Any) -> Any:
        """Spikes as ever; the gradient of the last step's stays there."""
        last = super().forward(torch.cat((currents[:-1].detach(), currents[-1:])))[-1:]
        return torch.cat((super().forward(currents[:-1]), last))


def test_truncated_backpropagation() -> None:
    """A state that is detached on the way is named among the causes."""
    net = Net()
    net.lif2 = Cut(lif_neuron(surrogate="arctangent"))
    with pytest.raises(WorkloadError, match=r"fc2: dL/dI differs .* \(truncated backpropagation\)"):
        record(net)


def test_weights_used_twice() -> None:
    """A layer called twice a step is two layers."""
    net = Net()
    net.between = lambda spikes: net.lif1(
        net.norm(net.fc1(spikes[..., :8].flatten(0, 1))).unflatten(0, (T, -1))
    )
    with pytest.raises(WorkloadError):
        record(net)


def test_modules_that_cannot_be_recorded() -> None:
    """Weights outside of known modules would be missed: refused before training."""
    with pytest.raises(WorkloadError, match=r"0: Bilinear has weights of its own"):
        Capture(nn.Sequential(nn.Bilinear(1, 2, 3)), steps=T)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Alpha", "Alpha keeps two synaptic currents.*cannot express that.*use Leaky"),
        ("RLeaky", "RLeaky feeds its spikes back to itself.*use Leaky"),
        ("Lapicque", "the equation of Lapicque is not known.*declare it"),
    ],
)
def test_neurons_of_snntorch_that_no_equation_here_expresses(kind: str, expected: str) -> None:
    """ "Declare it" is said only where a declaration might do."""
    snn = pytest.importorskip("snntorch")
    options = {"Synaptic": {"alpha": 0.8}, "Alpha": {"alpha": 0.95},
               "RLeaky": {"linear_features": 5}}  # fmt: skip
    net = Net()
    net.lif2 = getattr(snn, kind)(beta=0.9, **options.get(kind, {}))
    with pytest.raises(WorkloadError, match=expected):
        Capture(net, steps=T)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("KLIFNode", r"learns k, .*use LIFNode, or ParametricLIFNode.*declare\(learnt=\.\.\.\)"),
        ("QIFNode", "not linear below its threshold"),
    ],
)
def test_neurons_of_spikingjelly_that_no_equation_here_expresses(kind: str, expected: str) -> None:
    """One true line each."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    net = Net()
    net.lif2 = getattr(neuron, kind)()
    with pytest.raises(WorkloadError, match=expected):
        Capture(net, steps=T)


@pytest.mark.parametrize("inside", [False, True])
def test_a_declared_neuron_that_learns_its_threshold(inside: bool) -> None:
    """Its gradient and update would be work that nothing counts; a fixed one records."""

    class Threshold(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.level = nn.Parameter(torch.ones(()))

    class Learning(LIF):
        def __init__(self) -> None:
            super().__init__(lif_neuron())
            if inside:
                self.part = Threshold()
            else:
                self.level = nn.Parameter(torch.ones(()))

    net = Net()
    net.lif2 = Learning()
    with pytest.raises(
        WorkloadError, match=r"lif2\.(part\.)?level: learns.*declare\(learnt.*requires_grad_"
    ):
        Capture(net, steps=T, neurons={Learning: Declared(lif_neuron())})
    for parameter in net.lif2.parameters():
        parameter.requires_grad_(False)
    record(net)


def test_state_left_over() -> None:
    """SpikingJelly without reset_net starts from the mini-batch before."""
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based.neuron import LIFNode

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 5), LIFNode(step_mode="m"))
    with torch.no_grad():
        net[0].weight.mul_(4)
    frames = torch.rand(B, 8).expand(T, B, 8)
    cap = Capture(net, steps=T)
    with cap.at(0):
        F.cross_entropy(net(frames).mean(0), torch.arange(B)).backward()
    with pytest.raises(WorkloadError, match=r"call functional\.reset_net\(net\)"), cap.at(1):
        F.cross_entropy(net(frames).mean(0), torch.arange(B)).backward()


def test_saving(tmp_path: Path) -> None:
    """Nothing to save, levels that do not fit, iterations that go back."""
    cap = Capture(Net(), steps=T)
    with pytest.raises(WorkloadError, match="nothing was recorded"):
        cap.save(tmp_path / "job.h5")
    cap = record(Net())
    with pytest.raises(WorkloadError, match="level: expected 1 of them, got 2"):
        cap.save(tmp_path / "job.h5", level=["bits", "exact"])
    with pytest.raises(WorkloadError, match="expected a later one"), cap.at(0):
        pass


def test_spike_function_that_is_no_step() -> None:
    """A surrogate's own smooth forward would make graded spikes."""
    with pytest.raises(WorkloadError, match="expected a spike function"):
        declare(spike=torch.sigmoid, decay=0.5)


class ConvNet(nn.Module):
    """A convolution, LIF, ``behind`` on the spikes, and a linear read-out."""

    def __init__(self, conv: Any, behind: Callable[[Any], Any], between: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif = conv, LIF(lif_neuron())
        self.behind, self.between = behind, between or (lambda current: current)
        with torch.no_grad():
            conv.weight.mul_(6)
        spikes = self.spikes(torch.rand(B, 2, 9, 9))
        self.out = nn.Linear(spikes.flatten(1).shape[1], 5)

    def spikes(self, frames: Any) -> Any:
        """[T B, ...] of frames [B, 2, 9, 9]."""
        current = self.between(self.conv(frames))
        return self.behind(self.lif(current.expand(T, *current.shape)).flatten(0, 1))

    def forward(self, frames: Any) -> Any:
        """Mean output."""
        return self.out(self.spikes(frames).flatten(1)).unflatten(0, (T, -1)).mean(0)


def conv_step(net: Any) -> None:
    frames = torch.rand(B, 2, 9, 9, generator=torch.Generator().manual_seed(1))
    F.cross_entropy(net(frames), torch.arange(B)).backward()


def plain_conv(**options: Any) -> Any:
    return nn.Conv2d(2, 4, **{"kernel_size": 3, **options})


def test_padded_and_overlapping_pools(tmp_path: Path) -> None:
    """What ResNet's stem has is recorded, on either side of the neurons."""
    behind = record(ConvNet(plain_conv(padding=1), lambda s: F.max_pool2d(s, 3, 2, 1)), conv_step)
    assert behind.save(tmp_path / "job.h5").layers[0].pool == Pool.square("max", 3, 2, 1)
    before = ConvNet(plain_conv(), lambda s: s, lambda y: F.avg_pool2d(y, 2, 2, 1))
    layer = record(before, conv_step).save(tmp_path / "job.h5").layers[0]
    assert layer.current_pool == Pool.square("average", 2, 2, 1)
    assert (layer.out_shape, layer.product_shape) == ((4, 4, 4), (4, 7, 7))


POOLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "ceil_mode of a mean": (
        lambda s: F.avg_pool2d(s, 2, ceil_mode=True),
        r"average pool before it rounds up \(ceil_mode=True\) from 7 x 7 to 4 x 4: .*; use ceil_",
    ),
    "dilated": (lambda s: F.max_pool2d(s, 2, dilation=2), "dilated, which is not modelled; use"),
    "padding left out": (
        lambda s: F.avg_pool2d(s, 2, padding=1, count_include_pad=False),
        r"average pool before it leaves its padding out of the mean \(count_include_pad=False\)",
    ),
    "other divisor": (
        lambda s: F.avg_pool2d(s, 2, divisor_override=1),
        "divides by 1 instead of 4; leave divisor_override out",
    ),
    "adapted windows": (
        lambda s: F.adaptive_avg_pool2d(s, 3),
        "adapts its windows to come from 7 x 7 to 3 x 3, .*; pool to a size that divides",
    ),
}


@pytest.mark.parametrize("case", POOLS)
def test_pools_that_are_not_modelled(case: str) -> None:
    """Windows that the format cannot say: told in the forward pass, at the line that reads them."""
    behind, expected = POOLS[case]
    with pytest.raises(WorkloadError, match=rf"^{Path(__file__).name}:\d+: out: .*" + expected):
        record(ConvNet(plain_conv(), behind), conv_step)


SAME_POOLS: dict[str, tuple[Callable[[Any], Any], Pool]] = {
    "nothing hangs over": (
        lambda s: F.max_pool2d(s, 3, 2, ceil_mode=True),
        Pool.square("max", 3, 2),
    ),
    "no window in the padding": (
        lambda s: F.avg_pool2d(s, 3, 3, 1, ceil_mode=True),
        Pool.square("average", 3, 3, 1),
    ),
    "no padding": (
        lambda s: F.avg_pool2d(s, 2, count_include_pad=False),
        Pool.square("average", 2, 2),
    ),
    "its own divisor": (
        lambda s: F.avg_pool2d(s, 2, divisor_override=4),
        Pool.square("average", 2, 2),
    ),
    "equal windows": (lambda s: F.adaptive_max_pool2d(s, 1), Pool.square("max", 7, 7)),
    "rounded up": (
        lambda s: F.max_pool2d(s, 2, ceil_mode=True),
        Pool("max", (2, 2), (2, 2), overhang=(1, 1)),
    ),
    "oblong": (
        lambda s: F.max_pool2d(s, (3, 2), (1, 2), (1, 0)),
        Pool("max", (3, 2), (1, 2), (1, 0)),
    ),
    "of whole rows": (lambda s: F.adaptive_avg_pool2d(s, (7, 1)), Pool("average", (1, 7), (1, 7))),
    "over all": (lambda s: s.mean((-2, -1), keepdim=True), Pool.square("average", 7, 7)),
}


@pytest.mark.parametrize("case", SAME_POOLS)
def test_a_pool_of_windows_of_one_size_is_recorded(case: str, tmp_path: Path) -> None:
    """However it is written; verified as everything recorded is."""
    behind, expected = SAME_POOLS[case]
    job = record(ConvNet(plain_conv(), behind), conv_step).save(tmp_path / "job.h5", level="exact")
    assert job.layers[0].pool == expected


@pytest.mark.parametrize(
    "options",
    [{"padding_mode": "circular"}, {"padding_mode": "reflect"}],
)
def test_convolutions_that_are_not_modelled(options: dict[str, Any]) -> None:
    """Otherwise padded convolutions, told before anything is trained."""
    net = ConvNet(plain_conv(padding=1, **options), lambda s: s)
    with pytest.raises(WorkloadError, match=r"^conv: .* not modelled; use "):
        Capture(net, steps=T)
