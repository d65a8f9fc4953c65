"""Constants by channel that are not trained: recorded by their tensors, rebuilt, written, run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.running.test_determinism import datasets
from tlm.compiled.sources import why_missing
from tlm.errors import WorkloadError
from tlm.running.kernels import KERNELS
from tlm.running.runner import run_job
from tlm.workload.channels import CONSTANTS, with_channels
from tlm.workload.golden import check_recording
from tlm.workload.golden.neuron import replay
from tlm.workload.report.describe import facts
from tlm.workload.surrogate import lif_neuron

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.parts import Triangle  # noqa: E402
from tests.workload.test_capture_neurons import Loop, norse, snntorch  # noqa: E402
from tlm.workload.capture import Capture, declare, learns  # noqa: E402

T, B, C = 6, 4, 5
LABELS = torch.arange(B) % 5


def ramp(low: float, high: float, channels: int) -> Any:
    """A number for each channel."""
    return torch.linspace(low, high, channels)


def pair(make: Any, gain: float) -> Any:
    """Two linear layers with neurons that ``make`` makes of 16 and of 5 channels."""
    channels = iter((16, 5))
    return Loop(lambda: make(next(channels)), gain)


def plif(channels: int, learn: bool) -> Any:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    node = neuron.ParametricLIFNode(surrogate_function=surrogate.ATan(), v_reset=0.125)
    node.w = nn.Parameter(ramp(-1, 1, channels), requires_grad=learn)
    return node


def sinabs(**options: Any) -> Any:
    layers = pytest.importorskip("sinabs.layers", reason="sinabs is not among the recorder's needs")
    from sinabs.activation import Gaussian, MembraneSubtract, SingleSpike

    options = {"tau_mem": 3.0, "reset_fn": MembraneSubtract(), **options}
    neuron = layers.LIF(spike_fn=SingleSpike, surrogate_grad_fn=Gaussian(), **options)
    return neuron.requires_grad_(False)


KINDS: dict[str, tuple[Any, float, str]] = {
    "snnTorch, decay, subtract": (
        lambda k: snntorch("Leaky", beta=ramp(0.5, 0.9, k))(), 8, "decay reset_value",
    ),
    "snnTorch, decay and threshold, zero": (
        lambda k: snntorch(
            "Leaky", beta=ramp(0.5, 0.9, k), threshold=ramp(0.5, 1.5, k), reset_mechanism="zero"
        )(), 8, "decay threshold",
    ),
    "snnTorch, threshold beside a beta that learns": (
        lambda k: snntorch("Leaky", beta=0.8, learn_beta=True, threshold=ramp(0.5, 1.5, k))(),
        8, "threshold",
    ),
    "snnTorch, decay beside a threshold that learns": (
        lambda k: snntorch("Leaky", beta=ramp(0.5, 0.9, k), learn_threshold=True)(),
        8, "decay reset_value",
    ),
    "snnTorch, Synaptic": (
        lambda k: snntorch("Synaptic", alpha=ramp(0.3, 0.8, k), beta=0.75)(), 4, "current_decay",
    ),
    "Norse": (
        lambda k: norse(
            "LIFCell", tau_mem_inv=ramp(50, 200, k), tau_syn_inv=ramp(100, 300, k),
            v_th=ramp(0.5, 1.2, k), alpha=5.0,
        )(), 30, "decay gain threshold current_decay",
    ),
    "Norse, rest": (
        lambda k: norse(
            "LIFCell", v_leak=ramp(-0.2, 0.2, k), v_reset=ramp(-0.1, 0.1, k), alpha=5.0
        )(), 30, "reset_value offset initial",
    ),
    "SpikingJelly, a fixed w by channel": (lambda k: plif(k, False), 8, "decay gain offset"),
    "SpikingJelly, a w by channel that learns": (lambda k: plif(k, True), 8, ""),
}  # fmt: skip


def recorded(net: Any, inputs: Any, path: Path, **options: Any) -> Any:
    """Record one iteration and rebuild it."""
    cap = Capture(net, steps=T, level="exact", **options)
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(options.get("time_axis", 0)), LABELS).backward()
    job = cap.save(path)
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    assert job.load(0).spikes[1].any()
    return job


def names(layer: Any) -> str:
    return " ".join(layer.channel_constants)


@pytest.mark.parametrize("case", KINDS)
def test_a_tensor_of_a_framework_is_one_number_a_channel(case: str, tmp_path: Path) -> None:
    """Nothing is to be declared; what it sets is held, rebuilt, and read by the chip."""
    make, gain, expected = KINDS[case]
    inputs = (torch.rand(T, B, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    job = recorded(pair(make, gain), inputs, tmp_path / "job.h5")
    assert [names(layer) for layer in job.layers] == [expected] * 2
    lengths = [len(values) for layer in job.layers for _, values in layer.neuron.channels]
    assert lengths == [k for k in (16, 5) for _ in expected.split()]
    for mode in ("training", "inference"):
        result = run_job(job, overrides=["cores=4"], out=tmp_path / mode, trace="off", mode=mode)
        assert result.ok, result.summary.broken


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tau_mem": (2, 8)}, "decay gain"),
        ({"tau_mem": (2, 8), "norm_input": False}, "decay"),
        ({"tau_mem": (2, 8), "tau_syn": (1, 4)}, "decay gain current_decay"),
        ({"spike_threshold": (0.5, 2)}, "threshold reset_value"),
        ({"tau_mem": (2, 8), "train_alphas": True}, "decay gain"),
    ],
)
def test_sinabs(options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """Batch first."""

    def make(channels: int) -> Any:
        ramps = {name: ramp(*ends, channels) for name, ends in options.items()
                 if isinstance(ends, tuple)}  # fmt: skip
        return sinabs(**{**options, **ramps})

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 16), make(16), nn.Linear(16, 5), make(5))
    nn.init.normal_(net[0].weight, std=2.0)
    nn.init.normal_(net[2].weight, std=2.0)
    inputs = (torch.rand(B, T, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, time_axis=1)
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(1), LABELS).backward()
    job = cap.save(tmp_path / "job.h5")
    assert job.load(0).spikes[1].any()
    assert [names(layer) for layer in job.layers] == [expected] * 2


def test_a_surrogate_of_sinabs_that_stretches_with_the_threshold() -> None:
    """A layer has one surrogate."""
    from_threshold = pytest.importorskip("sinabs.activation").SingleExponential()
    neuron = sinabs(spike_threshold=ramp(0.5, 2, 16))
    neuron.surrogate_grad_fn = from_threshold
    with pytest.raises(WorkloadError, match=r"1\.spike_threshold: its surrogate stretches"):
        Capture(nn.Sequential(nn.Linear(12, 16), neuron), steps=T, time_axis=1)


class Own(nn.Module):
    """Leaks by a number of each channel, softly reset by another, around a rest of each."""

    def __init__(self, shape: tuple[int, ...], last: bool = False) -> None:
        super().__init__()
        self.leak, self.at, self.rest = (
            torch.linspace(low, high, C).reshape(shape) for low, high in TERMS
        )
        self.time = 0 if not last else -1

    def forward(self, currents: Any) -> Any:
        """Spikes of currents whose steps are at ``time``."""
        potential, spikes = self.rest.expand_as(currents.select(self.time, 0)), []
        for current in currents.unbind(self.time):
            potential = potential + (current + self.rest - potential) * self.leak
            spikes.append(Triangle.apply(potential - self.at))
            potential = potential - self.at * spikes[-1]
        return torch.stack(spikes, self.time)


TERMS = ((0.3, 0.8), (0.5, 1.0), (-0.1, 0.1))


def own(shape: tuple[int, ...]) -> Any:
    """The equation of ``Own``, its tensors in the shape in which they meet the currents."""
    leak, at, rest = (torch.linspace(low, high, C).reshape(shape) for low, high in TERMS)
    return declare(
        spike=Triangle.apply, decay=1 - leak, gain=leak, offset=leak * rest, initial=rest,
        threshold=at, reset="soft", detach_reset=False,
    )  # fmt: skip


class Convolved(nn.Module):
    """A convolution, neurons of one's own, and a read-out of their spikes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.neuron = nn.Conv2d(2, C, 3, padding=1), Own(shape)
        self.head = nn.Linear(C * 16, 5)
        with torch.no_grad():
            self.conv.weight.mul_(5)

    def forward(self, inputs: Any) -> Any:
        """Of inputs [T, B, 2, 4, 4]."""
        currents = self.conv(inputs.flatten(0, 1)).unflatten(0, (T, B))
        return self.head(self.neuron(currents).flatten(2))


IMAGES = (torch.rand(T, B, 2, 4, 4, generator=torch.Generator().manual_seed(2)) < 0.5).float()
HELD = "decay gain threshold reset_value offset initial"


def test_a_neuron_of_ones_own_on_both_kernels(tmp_path: Path) -> None:
    """Declared with tensors: read back, shown, resampled, and the same on either kernel."""
    net = Convolved((C, 1, 1))
    job = recorded(net, IMAGES, tmp_path / "job.h5", neurons={Own: own((C, 1, 1))})
    assert names(job.layers[0]) == HELD
    values = dict(job.layers[0].neuron.channels)
    np.testing.assert_array_equal(np.float32(values["threshold"]), np.float32(net.neuron.at).flat)
    assert job.layers[0].neuron.threshold == pytest.approx(0.75)  # the mean
    text = " ".join(facts(job).values())
    assert "decay 0.2..0.7 by channel, gain 0.3..0.8 by channel" in text
    assert "initial -0.1..0.1 by channel" in text
    tables: list[dict[str, bytes]] = []
    for kernel in KERNELS if why_missing() is None else ("simpy",):
        result = run_job(job, overrides=["cores=4"], out=tmp_path / kernel, kernel=kernel)
        assert result.ok, result.summary.broken
        energy = (result.folder / "energy.csv").read_bytes()
        tables.append({**datasets(result.folder / "trace.h5"), "energy": energy})
    assert all(table == tables[0] for table in tables)
    again = run_job(f"{job.path}[B=6,T=8]", overrides=["cores=4"], out=tmp_path / "more")
    assert again.ok, again.summary.broken


def test_a_tap_and_a_neuron_that_carries_its_equation(tmp_path: Path) -> None:
    """Both hold what a declared class holds."""
    declared = own((C, 1, 1))

    class Tapped(Convolved):
        def forward(self, inputs: Any) -> Any:
            currents = self.conv(inputs.flatten(0, 1)).unflatten(0, (T, B))
            spikes = Own((C, 1, 1))(cap.tap("hidden.current", currents))
            return self.head(cap.tap("hidden.spike", spikes).flatten(2))

    net = Tapped((C, 1, 1))
    net.neuron = nn.Identity()
    cap = Capture(net, steps=T, neurons={"hidden": declared})
    with cap.at(0):
        F.cross_entropy(net(IMAGES).mean(0), LABELS).backward()
    tapped = cap.save(tmp_path / "tapped.h5").layers[0].neuron
    net = Convolved((C, 1, 1))
    net.neuron.neuron = tapped
    assert recorded(net, IMAGES, tmp_path / "job.h5").layers[0].neuron == tapped


class Tokens(nn.Module):
    """Neurons on tokens [T, B, N, C], whose channels come last."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.neuron, self.head = nn.Linear(8, C), Own((C,)), nn.Linear(C, 5)
        with torch.no_grad():
            self.embed.weight.mul_(5)

    def forward(self, inputs: Any) -> Any:
        """Of inputs [T, B, N, 8]."""
        return self.head(self.neuron(self.embed(inputs))).mean(2)


def test_channels_that_come_last(tmp_path: Path) -> None:
    """A tensor [C] meets tokens [..., N, C] where these have their channels."""
    inputs = (torch.rand(T, B, 3, 8, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    job = recorded(Tokens(), inputs, tmp_path / "job.h5", neurons={Own: own((C,))})
    assert job.layers[0].out_shape[0] == C
    assert names(job.layers[0]) == HELD


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 1), "differs within a channel"),
        ((3, 1, 1), r"of shape \[3, 1, 1\], which does not meet \[6, 4, 5, 4, 4\]"),
        ((4, 1, 1, 1), "differs from step to step or by sample"),
    ],
)
def test_numbers_that_are_not_of_channels(shape: tuple[int, ...], expected: str) -> None:
    """Each row, another count, each sample: one true line with the module and the constant."""
    net = Convolved((C, 1, 1))
    decay = torch.linspace(0.3, 0.7, shape[0]).reshape(shape)
    equation = declare(spike=Triangle.apply, decay=decay, reset="soft")
    with pytest.raises(WorkloadError, match=rf"neuron: its decay.*{expected}.*\[C, 1, 1\]"):
        with Capture(net, steps=T, neurons={Own: equation}).at(0):
            F.cross_entropy(net(IMAGES).mean(0), LABELS).backward()


def spikes_of(neuron: Any, terms: dict[str, Any], currents: Any) -> Any:
    """The equation as its users write it, [T, B, K, 1, 1]."""
    membrane, synaptic = terms["initial"].expand_as(currents[0]), torch.zeros_like(currents[0])
    spikes = []
    for current in currents:
        synaptic = terms["current_decay"] * synaptic + current
        charged = terms["decay"] * membrane + terms["gain"] * synaptic + terms["offset"]
        spikes.append(Triangle.apply(charged - terms["threshold"]))
        reset = spikes[-1].detach() if neuron.detach_reset else spikes[-1]
        if neuron.reset == "hard":
            membrane = (1 - reset) * charged + reset * terms["reset_value"]
        else:
            membrane = charged - reset * terms["reset_value"] * (neuron.reset == "soft")
    return torch.stack(spikes)


@given(
    several=st.sets(st.sampled_from(CONSTANTS)),
    reset=st.sampled_from(["hard", "soft", "none"]),
    detach=st.booleans(),
    seed=st.integers(0, 1000),
)
@example(several=set(CONSTANTS), reset="hard", detach=False, seed=0)
@example(several={"current_decay"}, reset="soft", detach=True, seed=0)
def test_random_constants_against_autograd(
    several: set[str], reset: Any, detach: bool, seed: int
) -> None:
    """Any of them may be of the channels: spikes and dI are those of torch's own equation."""
    draw = np.random.default_rng(seed)
    drawn = {name: np.float32(draw.uniform(0.1, 0.9, C)) for name in CONSTANTS if name in several}
    neuron = replace(
        lif_neuron(surrogate="triangular", width=2.0, gain=0.75, threshold=0.5),
        surrogate_peak=1.0, reset=reset, detach_reset=detach, reset_value=0.25, initial=0.125,
        channels=tuple((name, tuple(map(float, values))) for name, values in drawn.items()),
    )  # fmt: skip
    terms = {name: torch.tensor(getattr(neuron, name), dtype=torch.float64) for name in CONSTANTS}
    terms |= {name: torch.tensor(values).double()[:, None, None] for name, values in drawn.items()}
    currents, dS = draw.normal(0.6, 1.0, (T, B, C, 1, 1)), draw.normal(size=(T, B, C, 1, 1))
    leaf = torch.tensor(currents, requires_grad=True)
    spikes = spikes_of(neuron, terms, leaf)
    spikes.backward(torch.tensor(dS))
    rebuilt = replay(with_channels(neuron), currents, dS)
    np.testing.assert_array_equal(rebuilt.spikes, spikes.detach().numpy() != 0)
    np.testing.assert_allclose(rebuilt.dI, leaf.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_a_start_by_channel_of_a_number_that_learns(tmp_path: Path) -> None:
    """Given where it begins: the tensor says no more than that."""

    class Learning(Own):
        def __init__(self) -> None:
            super().__init__((C, 1, 1))
            self.leak = nn.Parameter(self.leak)

    net = Convolved((C, 1, 1))
    net.neuron = Learning()
    given = own((C, 1, 1))
    equation = declare(
        spike=Triangle.apply, decay=net.neuron.leak.detach(), gain=0.5, threshold=net.neuron.at,
        initial=net.neuron.rest, reset="soft", detach_reset=False,
        learnt={"leak": learns("leak")}, by_channel=True,
    )  # fmt: skip
    assert set(given.several) - set(equation.several) == {"decay", "gain", "offset"}
    job = recorded(net, IMAGES, tmp_path / "job.h5", neurons={Learning: equation})
    assert names(job.layers[0]) == "threshold reset_value initial"
    assert job.layers[0].neuron.learnt == ("leak",)
