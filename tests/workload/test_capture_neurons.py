"""Neurons of frameworks: read off their modules, recorded, rebuilt exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.running.test_determinism import datasets
from tlm.compiled.sources import why_missing
from tlm.errors import WorkloadError
from tlm.running.kernels import KERNELS
from tlm.running.runner import run_job
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tlm.workload.capture import Capture, declare, learns  # noqa: E402

T, B = 6, 4
LABELS = torch.arange(B) % 5


class Loop(nn.Module):
    """Two layers of one kind of neuron, one step after the other."""

    def __init__(self, make: Any, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.n1, self.b, self.n2 = nn.Linear(12, 16), make(), nn.Linear(16, 5), make()
        with torch.no_grad():
            self.a.weight.mul_(gain)
            self.b.weight.mul_(gain)

    def forward(self, inputs: Any) -> Any:
        """What the last neurons return first, [T, B, 5]."""
        states: dict[Any, tuple[Any, ...]] = {self.n1: (), self.n2: ()}

        def stepped(neuron: Any, current: Any) -> Any:
            output = neuron(current, *states[neuron])
            if not isinstance(output, tuple):
                return output
            states[neuron] = output[1:]
            return output[0]

        return torch.stack([stepped(self.n2, self.b(stepped(self.n1, self.a(x)))) for x in inputs])


def snntorch(kind: str, **options: Any) -> Any:
    snn = pytest.importorskip("snntorch")
    return lambda: getattr(snn, kind)(spike_grad=snn.surrogate.atan(), **options)


def jelly(kind: str, **options: Any) -> Any:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    return lambda: getattr(neuron, kind)(surrogate_function=surrogate.ATan(), **options)


def fixed(make: Any) -> Any:
    return lambda: make().requires_grad_(False)


def norse(kind: str, **options: Any) -> Any:
    norse = pytest.importorskip("norse.torch", reason="Norse is not among the recorder's needs")
    parameters = {"LIFCell": norse.LIFParameters, "LICell": norse.LIParameters}[kind]
    return lambda: getattr(norse, kind)(parameters(**options))


KINDS: dict[str, tuple[Any, dict[str, Any], float]] = {
    "Synaptic, subtract": (snntorch, {"kind": "Synaptic", "alpha": 0.5, "beta": 0.75}, 3),
    "Synaptic, none": (
        snntorch,
        {"kind": "Synaptic", "alpha": 0.5, "beta": 0.75, "reset_mechanism": "none"},
        3,
    ),
    "CUBALIFNode": (jelly, {"kind": "CUBALIFNode"}, 3),
    "norse LIFCell": (norse, {"kind": "LIFCell", "alpha": torch.tensor(5.0)}, 30),
    "norse LIFCell, rest": (
        norse,
        {
            "kind": "LIFCell",
            "alpha": 5.0,
            "v_leak": torch.tensor(0.2),
            "v_reset": torch.tensor(-0.1),
        },
        30,
    ),
}


def recorded(net: Any, path: Path) -> Any:
    """Record two iterations of random spikes and rebuild them."""
    inputs = (torch.rand(T, B, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, level="value")
    for iteration in range(2):
        for neuron in (net.n1, net.n2):
            getattr(neuron, "reset_mem", getattr(neuron, "reset", lambda: None))()
        with cap.at(iteration):
            F.cross_entropy(net(inputs).mean(0), LABELS).backward()
    closed = cap._iterations[0].open_forms == ()
    job = cap.save(path, level="exact" if closed else "value")
    assert not closed or all(agreement.holds(1e-4) for agreement in check_recording(job, 1))
    return job


@pytest.mark.parametrize("case", KINDS)
def test_neurons_by_their_class(case: str, tmp_path: Path) -> None:
    """Nothing is to be declared."""
    make, options, gain = KINDS[case]
    job = recorded(Loop(make(**options), gain), tmp_path / "job.h5")
    assert all(layer.current_based for layer in job.layers)
    assert job.load(0).spikes[1].any()


LEARNT: dict[str, tuple[Any, dict[str, Any], str]] = {
    "Leaky, threshold": (
        snntorch,
        {"kind": "Leaky", "beta": 0.75, "learn_threshold": True},
        "threshold",
    ),
    "Leaky, zero, both": (
        snntorch,
        {
            "kind": "Leaky",
            "beta": 0.75,
            "learn_beta": True,
            "learn_threshold": True,
            "reset_mechanism": "zero",
        },
        "beta threshold",
    ),
    "Leaky, subtract, both": (
        snntorch,
        {"kind": "Leaky", "beta": 0.75, "learn_beta": True, "learn_threshold": True},
        "beta threshold",
    ),
    "PLIF": (jelly, {"kind": "ParametricLIFNode", "init_tau": 3.0}, "leak"),
    "PLIF, rest": (jelly, {"kind": "ParametricLIFNode", "v_reset": 0.125}, "leak"),
    "PLIF, soft, input whole": (
        jelly,
        {"kind": "ParametricLIFNode", "v_reset": None, "decay_input": False, "detach_reset": True},
        "state_leak",
    ),
    "Leaky, subtract": (snntorch, {"kind": "Leaky", "beta": 0.75, "learn_beta": True}, "beta"),
    "Leaky, zero": (
        snntorch,
        {"kind": "Leaky", "beta": 0.75, "learn_beta": True, "reset_mechanism": "zero"},
        "beta",
    ),
    "Synaptic": (
        snntorch,
        {"kind": "Synaptic", "alpha": 0.5, "beta": 0.75, "learn_beta": True},
        "beta",
    ),
}


@pytest.mark.parametrize("case", LEARNT)
def test_a_number_that_learns(case: str, tmp_path: Path) -> None:
    """Each iteration holds its own number and the gradient of it, which the file rebuilds."""
    make, options, names = LEARNT[case]
    torch.manual_seed(1)
    net = Loop(make(**options), 12)
    inputs = (torch.rand(T, B, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, level="exact")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for iteration in range(2):
        for neuron in (net.n1, net.n2):
            getattr(neuron, "reset_mem", getattr(neuron, "reset", lambda: None))()
        optimizer.zero_grad()
        with cap.at(iteration):
            F.cross_entropy(net(inputs).mean(0), LABELS).backward()
        optimizer.step()
    job = cap.save(tmp_path / "job.h5")
    assert [layer.neuron.learnt for layer in job.layers] == [tuple(names.split())] * 2
    for at in range(2):
        assert all(agreement.holds(1e-4) for agreement in check_recording(job, at))
    first, second = (job.load_values(at) for at in range(2))
    for at in range(2):
        for name in names.split():
            assert first.parameters[at].constants[name] != second.parameters[at].constants[name]
            assert first.parameter_gradients[at].constants[name].any()
    for mode in ("training", "inference"):
        result = run_job(job, overrides=["cores=4"], out=tmp_path / mode, trace="off", mode=mode)
        assert result.ok, result.summary.broken


class PLIFNet(nn.Module):
    """Fang et al., arXiv 2007.05785, small: convolutions, norms and PLIF neurons, then a vote."""

    def __init__(self) -> None:
        super().__init__()
        layer = pytest.importorskip("spikingjelly.activation_based.layer")
        make = jelly("ParametricLIFNode", detach_reset=True)
        torch.manual_seed(0)
        self.net = nn.Sequential(
            layer.Conv2d(2, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), make(),
            layer.MaxPool2d(2, 2),
            layer.Conv2d(8, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), make(),
            layer.MaxPool2d(2, 2),
            layer.Flatten(), layer.Linear(32, 16, bias=False), make(),
            layer.Linear(16, 20, bias=False), make(), layer.VotingLayer(4),
        )  # fmt: skip
        for module in self.net:
            module.step_mode = "m"
        with torch.no_grad():
            for at in (9, 11):
                self.net[at].weight.mul_(8)

    def forward(self, inputs: Any) -> Any:
        """Votes [T, B, 5]."""
        return self.net(inputs)


def test_a_plif_net_on_both_kernels(tmp_path: Path) -> None:
    """Recorded, rebuilt, read back and run; every table is the same on either kernel."""
    net = PLIFNet()
    inputs = (torch.rand(T, B, 2, 8, 8, generator=torch.Generator().manual_seed(2)) < 0.4).float()
    cap = Capture(net, steps=T, level="exact")
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(0), LABELS).backward()
    job = cap.save(tmp_path / "job.h5")
    assert [layer.neuron.learnt for layer in job.layers] == [("leak",)] * 4
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    tables: list[dict[str, bytes]] = []
    for kernel in KERNELS if why_missing() is None else ("simpy",):
        result = run_job(job, overrides=["cores=4"], out=tmp_path / kernel, kernel=kernel)
        assert result.ok, result.summary.broken
        energy = (result.folder / "energy.csv").read_text(encoding="utf-8")
        assert "learnt_op" in energy
        tables.append({**datasets(result.folder / "trace.h5"), "energy": energy.encode()})
    assert all(table == tables[0] for table in tables)


class Step(torch.autograd.Function):
    """A spike where the argument is not negative; a triangle for its derivative."""

    @staticmethod
    def forward(ctx: Any, distance: Any) -> Any:
        ctx.save_for_backward(distance)
        return (distance >= 0).float()

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return gradient * (1 - ctx.saved_tensors[0].abs()).clamp(min=0)


class Own(nn.Module):
    """Leaks by a number of each of 4 channels, softly reset to its threshold, which learns too."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.linspace(-1, 1, 4).reshape(4, 1, 1))
        self.at = nn.Parameter(torch.full((4, 1, 1), 0.75))

    def forward(self, currents: Any) -> Any:
        """Spikes of currents [T, B, 4, E, F]."""
        potential, spikes = torch.zeros_like(currents[0]), []
        for current in currents:
            potential = potential + (current - potential) * torch.sigmoid(self.w)
            spikes.append(Step.apply(potential - self.at))
            potential = potential - self.at * spikes[-1]
        return torch.stack(spikes)


def test_a_neuron_of_ones_own_that_learns(tmp_path: Path) -> None:
    """Two numbers a channel, one behind a function, with a reset that gradients pass."""
    layer = pytest.importorskip("spikingjelly.activation_based.layer")
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1, step_mode="m"), Own(),
        layer.Conv2d(4, 4, 4, step_mode="m"), Own(), nn.Flatten(2),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.mul_(4)
        net[2].weight.mul_(4)
    known = {"leak": learns("w", torch.sigmoid), "threshold": learns("at")}
    own = declare(
        spike=Step.apply, decay=0.5, gain=0.5, threshold=0.75, reset="soft", detach_reset=False,
        learnt=known, by_channel=True,
    )  # fmt: skip
    inputs = (torch.rand(T, B, 2, 4, 4, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, level="exact", neurons={Own: own})
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(0), LABELS % 4).backward()
    job = cap.save(tmp_path / "job.h5")
    assert [layer.neuron.learnt for layer in job.layers] == [("leak", "threshold")] * 2
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    assert job.load_values(0).parameter_gradients[0].constants["threshold"].shape == (4,)
    result = run_job(job, overrides=["cores=4"], out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken
    with pytest.raises(WorkloadError, match=r"1\.w: learns.*declare\(learnt"):
        Capture(net, steps=T, neurons={Own: declare(spike=Step.apply, decay=0.5)})
    with pytest.raises(WorkloadError, match="set one decay"):
        declare(spike=Step.apply, decay=0.5, learnt={"leak": learns("w"), "decay": learns("w")})


def test_numbers_of_channels_that_learn(tmp_path: Path) -> None:
    """One a channel, in a shape that says so."""
    net = Loop(snntorch("Leaky", beta=0.75), 4)
    snn = pytest.importorskip("snntorch")
    net.n1 = snn.Leaky(beta=torch.linspace(0.5, 0.9, 16), learn_beta=True)
    inputs = (torch.rand(T, B, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, level="exact")
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(0), LABELS).backward()
    job = cap.save(tmp_path / "job.h5")
    assert job.layers[0].neuron.by_channel
    assert job.load_values(0).parameters[0].constants["beta"].shape == (16,)
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    net.n1 = snn.Leaky(beta=torch.full((1, 16), 0.5), learn_beta=True)
    net.n2.reset_mem()
    with pytest.raises(WorkloadError, match=r"n1\.beta: is of shape \(1, 16\).*\(16,\)"):
        with Capture(net, steps=T).at(0):
            F.cross_entropy(net(inputs).mean(0), LABELS).backward()


def test_a_learnt_time_constant_that_is_fixed(tmp_path: Path) -> None:
    """ParametricLIFNode with a constant w is a LIF neuron."""
    job = recorded(Loop(fixed(jelly("ParametricLIFNode", init_tau=4.0)), 8), tmp_path / "job.h5")
    assert job.layers[0].neuron.decay == pytest.approx(0.75)


def test_a_leaky_read_out_of_norse(tmp_path: Path) -> None:
    """LI returns its potential."""
    net = Loop(norse("LIFCell", alpha=5.0), 30)
    net.n2 = norse("LICell")()
    job = recorded(net, tmp_path / "job.h5")
    assert [layer.membrane_output for layer in job.layers] == [False, True]


def test_a_current_that_is_reset() -> None:
    """snnTorch's zero reset of Synaptic."""
    make = snntorch("Synaptic", alpha=0.5, beta=0.5, reset_mechanism="zero")
    with pytest.raises(WorkloadError, match='reset_mechanism="zero" resets its current too'):
        Capture(Loop(make, 1), steps=T)


def sinabs_net(**options: Any) -> Any:
    """Linear layers and sinabs's neurons, [B, T, 12] in."""
    layers = pytest.importorskip("sinabs.layers", reason="sinabs is not among the recorder's needs")
    from sinabs.activation import MembraneReset, SingleExponential, SingleSpike

    torch.manual_seed(0)
    options = {"reset_fn": MembraneReset(), "spike_fn": SingleSpike, "tau_mem": 3.0, **options}
    make = lambda: layers.LIF(surrogate_grad_fn=SingleExponential(), **options)  # noqa: E731
    net = nn.Sequential(nn.Linear(12, 16), make(), nn.Linear(16, 5), make())
    nn.init.normal_(net[0].weight, std=2.0)
    nn.init.normal_(net[2].weight, std=2.0)
    return net


@pytest.mark.parametrize("options", [{}, {"tau_syn": 2.0}, {"norm_input": False}, {"reset_fn": 1}])
def test_sinabs(options: dict[str, Any], tmp_path: Path) -> None:
    """Once its time constants are fixed; batch first."""
    if "reset_fn" in options:
        options = {"reset_fn": pytest.importorskip("sinabs.activation").MembraneSubtract()}
    net = sinabs_net(**options)
    net[1].requires_grad_(False)
    net[3].requires_grad_(False)
    inputs = (torch.rand(B, T, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, time_axis=1)
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(1), LABELS).backward()
    job = cap.save(tmp_path / "job.h5", level="value")
    assert job.load(0).spikes[1].any()
    with pytest.raises(WorkloadError, match=r"left over.*reset_states"), cap.at(1):
        net(inputs)


@pytest.mark.parametrize(
    ("options", "learnt"),
    [
        ({}, "leak"),
        ({"norm_input": False}, "decay"),
        ({"norm_input": False, "tau_syn": 2.0}, "decay"),
        ({"train_alphas": True}, "leak"),
        ({"tau_mem": torch.linspace(2, 5, 16)}, "leak"),
    ],
)
def test_time_constants_of_sinabs_learn(
    options: dict[str, Any], learnt: str, tmp_path: Path
) -> None:
    """Unless somebody says otherwise; of a synapse they may not."""
    net = sinabs_net(**options)
    net[3].requires_grad_(False)
    net[3] = net[3] if "tau_mem" not in options else sinabs_net()[3].requires_grad_(False)
    if "tau_syn" in options:
        with pytest.raises(WorkloadError, match=r"1\.tau_syn: is learnt"):
            Capture(net, steps=T, time_axis=1)
        net[1].tau_syn.requires_grad_(False)
    inputs = (torch.rand(B, T, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, time_axis=1)
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(1), LABELS).backward()
    job = cap.save(tmp_path / "job.h5", level="value")
    assert [layer.neuron.learnt for layer in job.layers] == [(learnt,), ()]
    values = job.load_values(0)
    assert values.parameter_gradients[0].constants[learnt].any()
    alpha = net[1].alpha_mem_calculated.detach().reshape(-1).numpy()
    expected = 1 - alpha if learnt == "leak" else alpha
    assert values.parameters[0].constants[learnt] == pytest.approx(expected, rel=1e-3)
    result = run_job(job, overrides=["cores=4"], out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken


def test_a_leaky_read_out_of_sinabs(tmp_path: Path) -> None:
    """ExpLeak returns its potential."""
    net = sinabs_net()
    net[3] = pytest.importorskip("sinabs.layers").ExpLeak(tau_mem=4.0)
    inputs = (torch.rand(B, T, 12, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    cap = Capture(net, steps=T, time_axis=1)
    with cap.at(0):
        F.cross_entropy(net(inputs).mean(1), LABELS).backward()
    job = cap.save(tmp_path / "job.h5", level="value")
    assert [layer.membrane_output for layer in job.layers] == [False, True]
    assert job.layers[1].neuron.learnt == ("decay",)
    net[3] = pytest.importorskip("sinabs.layers").ExpLeak(tau_mem=4.0, min_v_mem=-1.0)
    with pytest.raises(WorkloadError, match=r"3: a job's neuron.*use min_v_mem=None"):
        Capture(net, steps=T, time_axis=1)


def test_what_a_time_constant_sets_beside_a_synapse() -> None:
    """With norm_input the gain is no number of the decay alone."""
    net = sinabs_net(tau_syn=2.0)
    net[1].tau_syn.requires_grad_(False)
    with pytest.raises(WorkloadError, match=r"1\.tau_mem: learns.*use norm_input=False"):
        Capture(net, steps=T, time_axis=1)


def test_sinabs_beyond_a_job() -> None:
    """Several spikes a step, or a lower bound."""
    activation = pytest.importorskip("sinabs.activation")
    for options, remedy in (
        ({"spike_fn": activation.MultiSpike}, "SingleSpike"),
        ({"min_v_mem": -1.0}, "min_v_mem=None"),
    ):
        with pytest.raises(WorkloadError, match=f"1: a job's neuron.*use .*{remedy}"):
            Capture(sinabs_net(**options), steps=T)
