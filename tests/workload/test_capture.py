"""Recording networks of SpikingJelly, snnTorch and plain autograd: each rebuilds from its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlm.errors import WorkloadError
from tlm.workload import Pool, Workload
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tlm.workload.capture import Capture, declare  # noqa: E402

T, B = 5, 4
LABELS = torch.tensor([1, 2, 3, 0])


def frames(*shape: int) -> Any:
    """The same random mini-batch each time it is asked for."""
    return torch.rand(B, *shape, generator=torch.Generator().manual_seed(1))


def louder(net: Any, gain: float = 3.0) -> Any:
    """Scale weights up so that neurons fire at torch's default initialisation."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.mul_(gain)
    return net


def recorded(cap: Any, forward: Callable[[], Any], path: Path, iterations: int = 2) -> Workload:
    """Record ``iterations`` passes, save them exactly and hold the file to the golden model."""
    for iteration in range(iterations):
        with cap.at(iteration):
            F.cross_entropy(forward(), LABELS).backward()
    job = cap.save(path / "job.h5", level="exact")
    for position in range(iterations):
        for agreement in check_recording(job, position):
            assert agreement.holds(), agreement
            assert agreement.free_flips == 0
    return job


def jelly(mode: str, surrogate: Any, **neuron: Any) -> Any:
    """SpikingJelly: conv-BN-LIF-max-conv-IF-average-linear-LIF."""
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional, layer
    from spikingjelly.activation_based.neuron import IFNode, LIFNode

    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(1, 6, 3, padding=1, bias=False),
        layer.BatchNorm2d(6),
        LIFNode(surrogate_function=surrogate, **neuron),
        layer.MaxPool2d(2),
        layer.Conv2d(6, 8, 3, padding=1),
        IFNode(surrogate_function=surrogate),
        layer.AvgPool2d(2),
        layer.Flatten(),
        layer.Linear(32, 10),
        IFNode(surrogate_function=surrogate),
    )
    functional.set_step_mode(net, mode)
    return louder(net)


SURROGATES = {
    "rectangular-open": lambda s: s.Rect(alpha=1.0),
    "triangular": lambda s: s.PiecewiseQuadratic(alpha=1.0),
    "arctangent": lambda s: s.ATan(alpha=2.0),
    "sigmoid": lambda s: s.Sigmoid(alpha=4.0),
}
NEURONS = {
    "default": {},
    "soft, undetached": {"v_reset": None, "detach_reset": False},
    "rest below zero": {"v_reset": -0.2, "detach_reset": False, "decay_input": False},
}
CASES = [
    ("m", "rectangular-open", "default"),
    ("m", "triangular", "soft, undetached"),
    ("m", "sigmoid", "rest below zero"),
    ("s", "arctangent", "default"),
    ("s", "rectangular-open", "soft, undetached"),
]


@pytest.mark.parametrize(("mode", "surrogate", "neuron"), CASES)
def test_spikingjelly(mode: str, surrogate: str, neuron: str, tmp_path: Path) -> None:
    """Both step modes, four surrogates, three kinds of neuron; parameters are read off the net."""
    pytest.importorskip("spikingjelly")
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based import surrogate as surrogates

    net = jelly(mode, SURROGATES[surrogate](surrogates), **NEURONS[neuron])
    images = frames(1, 8, 8)

    def forward() -> Any:
        functional.reset_net(net)
        if mode == "m":
            return net(images.expand(T, *images.shape)).mean(0)
        return torch.stack([net(images) for _ in range(T)]).mean(0)

    job = recorded(Capture(net, steps=T), forward, tmp_path)
    first, second, third = job.layers
    assert first.neuron is not None and first.norm is not None
    assert (first.neuron.surrogate, first.norm.per_step) == (surrogate, mode == "s")
    assert (first.pool, second.pool) == (Pool.square("max", 2, 2), Pool.square("average", 2, 2))
    assert (job.encoding, third.input_kind, third.in_shape) == ("direct", "analog", (32, 1, 1))


class LeakyNet(nn.Module):
    """snnTorch in its own time loop; pools before or behind the first neurons."""

    def __init__(self, reset: str, spike_grad: Any, pool_first: bool) -> None:
        super().__init__()
        snn = pytest.importorskip("snntorch")
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(96, 10)
        neuron = {"beta": 0.9, "reset_mechanism": reset, "spike_grad": spike_grad}
        self.lif1, self.lif2 = snn.Leaky(**neuron), snn.Leaky(**neuron)
        self.pool_first = pool_first
        louder(self)

    def forward(self, images: Any) -> Any:
        """Mean output spikes."""
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for _ in range(T):
            current = self.conv(images)
            if self.pool_first:
                spikes, mem1 = self.lif1(F.max_pool2d(current, 2), mem1)
            else:
                spikes, mem1 = self.lif1(current, mem1)
                spikes = F.max_pool2d(spikes, 2)
            spikes, mem2 = self.lif2(self.fc(spikes.flatten(1)), mem2)
            out.append(spikes)
        return torch.stack(out).mean(0)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("pool_first", [True, False])
def test_snntorch(reset: str, pool_first: bool, tmp_path: Path) -> None:
    """Each reset; functional pools on either side of the neurons are found in the graph."""
    snn = pytest.importorskip("snntorch")
    net = LeakyNet(reset, snn.surrogate.atan(alpha=2.0), pool_first)
    job = recorded(Capture(net, steps=T), lambda: net(frames(1, 8, 8)), tmp_path)
    conv, fc = job.layers
    assert (conv.name, fc.name) == ("conv", "fc")
    assert (conv.current_pool if pool_first else conv.pool) == Pool.square("max", 2, 2)
    assert conv.neuron is not None and not conv.neuron.fires_at_threshold
    assert job.load(0).dY[0].shape == (T, B, 6, 8, 8)


class SynapticNet(nn.Module):
    """snnTorch's current-based neurons in a time loop."""

    def __init__(self) -> None:
        super().__init__()
        snn = pytest.importorskip("snntorch")
        torch.manual_seed(0)
        spike_grad = snn.surrogate.atan(alpha=2.0)
        self.fc1, self.fc2 = nn.Linear(64, 20), nn.Linear(20, 10)
        self.lif1, self.lif2 = (
            snn.Synaptic(alpha=0.75, beta=0.875, spike_grad=spike_grad) for _ in range(2)
        )
        louder(self)

    def forward(self, images: Any) -> Any:
        """Mean output spikes."""
        states, out = [self.lif1.reset_mem(), self.lif2.reset_mem()], []
        for _ in range(T):
            first, *states[0] = self.lif1(self.fc1(images.flatten(1)), *states[0])
            second, *states[1] = self.lif2(self.fc2(first), *states[1])
            out.append(second)
        return torch.stack(out).mean(0)


def test_current_based_neurons_of_snntorch(tmp_path: Path) -> None:
    """Declared with the decay of their current; without it the recording is refused."""
    net = SynapticNet()
    kind, spike = type(net.lif1), net.lif1.spike_grad

    def declared(current_decay: float) -> Capture:
        equation = declare(
            spike=spike, decay=0.875, reset="soft", reset_value=1 / 0.875,
            current_decay=current_decay,
        )  # fmt: skip
        return Capture(net, steps=T, neurons={kind: equation})

    job = recorded(declared(0.75), lambda: net(frames(1, 8, 8)), tmp_path)
    assert all(layer.current_based for layer in job.layers)
    with pytest.raises(WorkloadError, match="differ"):
        recorded(declared(0.0), lambda: net(frames(1, 8, 8)), tmp_path)


class Bell(torch.autograd.Function):
    """A step with a scaled triangle (Bellec et al., arXiv 1803.09574) for its derivative."""

    @staticmethod
    def forward(ctx: Any, distance: Any) -> Any:
        """Above the threshold, not at it."""
        ctx.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Peak 0.3, support -1..1."""
        (distance,) = ctx.saved_tensors
        return gradient * 0.3 * torch.clamp(1 - distance.abs(), min=0)


def integrate(currents: Any) -> Any:
    """Soft reset, not detached; decay 0.8."""
    membrane, out = torch.zeros_like(currents[0]), []
    for current in currents:
        membrane = 0.8 * membrane + current
        spike = Bell.apply(membrane - 1)
        membrane = membrane - spike
        out.append(spike)
    return torch.stack(out)


class Integrate(nn.Module):
    """The same as a module."""

    def forward(self, currents: Any) -> Any:
        """Spikes of [T, B, K]."""
        return integrate(currents)


OWN = {"decay": 0.8, "reset": "soft", "detach_reset": False}


def test_declared_neuron(tmp_path: Path) -> None:
    """A neuron class of one's own, its equation given; the surrogate is measured."""
    torch.manual_seed(0)
    net = louder(
        nn.Sequential(nn.Linear(16, 32), Integrate(), nn.Linear(32, 10, bias=False), Integrate())
    )
    cap = Capture(net, steps=T, neurons={Integrate: declare(spike=Bell.apply, **OWN)})
    job = recorded(cap, lambda: net(frames(16).expand(T, B, 16)).mean(0), tmp_path)
    neuron = job.layers[0].neuron
    assert neuron is not None
    assert (neuron.surrogate, neuron.surrogate_width, neuron.compact) == ("triangular", 2.0, True)
    assert neuron.surrogate_peak == pytest.approx(0.3)
    assert (job.layers[0].bias, job.layers[1].bias) == (True, False)


def test_named_taps(tmp_path: Path) -> None:
    """Functional code without neuron modules: its boundaries are named."""
    torch.manual_seed(0)
    net = louder(nn.ModuleDict({"one": nn.Linear(16, 32), "two": nn.Linear(32, 10)}))
    neuron = declare(spike=Bell.apply, **OWN)
    cap = Capture(net, steps=T, neurons={"hidden": neuron, "output": neuron})

    def spikes(name: str, currents: Any) -> Any:
        return cap.tap(f"{name}.spike", integrate(cap.tap(f"{name}.current", currents)))

    def forward() -> Any:
        hidden = spikes("hidden", net["one"](frames(16).expand(T, B, 16)))
        return spikes("output", net["two"](hidden)).mean(0)

    assert forward().shape == (B, 10)  # outside of at() taps do nothing
    assert [layer.name for layer in recorded(cap, forward, tmp_path).layers] == ["one", "two"]


class SewNet(nn.Module):
    """Two residual blocks that ADD spikes, pooled after the sum, and a linear read-out."""

    def __init__(self) -> None:
        super().__init__()
        from tlm.workload.surrogate import lif_neuron
        from tlm.workload.training.lif import LIF

        torch.manual_seed(0)
        self.lif = nn.ModuleList([LIF(lif_neuron()) for _ in range(3)])
        self.convs = nn.ModuleList(
            [nn.Conv2d(2 if at == 0 else 4, 4, 3, padding=1, bias=False) for at in range(3)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm2d(4) for _ in range(3)])
        self.out = nn.Linear(4, 10)

    def stage(self, at: int, spikes: Any) -> Any:
        """Convolution, norm over all steps, neurons; folded to [T B, ...] and back."""
        current = self.norms[at](self.convs[at](spikes.flatten(0, 1)))
        return self.lif[at](current.unflatten(0, (T, -1)))

    def forward(self, events: Any) -> Any:
        """Mean output of [T, B, 2, 8, 8] events."""
        first = self.stage(0, events)
        second = first + self.stage(1, first)
        third = second + self.stage(2, second)
        pooled = F.adaptive_avg_pool2d(third.flatten(0, 1), 1)
        return self.out(pooled.flatten(1)).unflatten(0, (T, -1)).mean(0)


def test_residuals_events_and_read_out(tmp_path: Path) -> None:
    """Sums of spikes become sources, however nested; event input is kept as bits."""
    net = SewNet()
    events = (torch.rand(T, B, 2, 8, 8, generator=torch.Generator().manual_seed(2)) < 0.3).float()
    job = recorded(Capture(net, steps=T, encoding="events"), lambda: net(events), tmp_path)
    assert [layer.sources for layer in job.layers] == [(-1,), (0,), (0, 1), (0, 1, 2)]
    assert [layer.input_kind for layer in job.layers] == ["binary", "binary", "integer", "analog"]
    assert job.layers[3].input_pool == Pool.square("average", 8, 8)
    assert job.layers[3].neuron is None
    assert job.encoding == "events"
    assert (job.load(0).inputs == (events.numpy() != 0)).all()
    # Batch statistics spread every gradient over its whole channel.
    assert job.load(0).dY[1].mean() > 0.99 > job.load(0).dU[1].mean()


def test_levels_keep_what_they_say(tmp_path: Path) -> None:
    """A level for each iteration: bits hold no numbers, value rounds them, exact does not."""
    torch.manual_seed(0)
    net = louder(
        nn.Sequential(nn.Linear(16, 32), Integrate(), nn.Linear(32, 10, bias=False), Integrate())
    )
    cap = Capture(net, steps=T, neurons={Integrate: declare(spike=Bell.apply, **OWN)})
    for iteration in range(3):
        with cap.at(iteration):
            F.cross_entropy(net(frames(16).expand(T, B, 16)).mean(0), LABELS).backward()
    job = cap.save(tmp_path / "job.h5", level=["bits", "value", "exact"])
    assert job.levels == ("bits", "value", "exact")
    with pytest.raises(WorkloadError, match='of level "bits" and holds no numbers'):
        job.load_values(0)
    with pytest.raises(WorkloadError, match='only "exact" can be rebuilt'):
        check_recording(job, 1)
    rounded, exact = job.load_values(1), job.load_values(2)
    assert not rounded.loss_gradients and list(exact.loss_gradients) == [1]
    assert (exact.parameters[0].weights == net[0].weight.detach().numpy()[..., None, None]).all()
    for ours, theirs in zip(rounded.dI, exact.dI, strict=True):
        assert abs(ours - theirs).max() <= abs(theirs).max() * 2**-11


def test_grouped_convolutions_and_padding_by_word(tmp_path: Path) -> None:
    """A depthwise convolution of stride 2 behind one padded by the word "same", then a read-out."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding="same"),
        Integrate(),
        nn.Flatten(0, 1),
        nn.Conv2d(6, 12, 3, stride=2, padding=1, groups=6),
        nn.Unflatten(0, (T, B)),
        Integrate(),
        nn.Flatten(2),
        nn.Linear(192, 10),
    )

    def forward() -> Any:
        images = frames(3, 8, 8).expand(T, B, 3, 8, 8)
        current = net[0](images.flatten(0, 1)).unflatten(0, (T, B))
        return net[1:](current).mean(0)

    louder(net)
    cap = Capture(net, steps=T, neurons={Integrate: declare(spike=Bell.apply, **OWN)})
    same, depthwise, _ = recorded(cap, forward, tmp_path, iterations=1).layers
    assert (same.padding, same.product_shape) == ((1, 1), (6, 8, 8))
    assert (depthwise.groups, depthwise.weight_shape) == (6, (12, 1, 3, 3))
