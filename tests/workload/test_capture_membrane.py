"""Losses on membrane potentials, and read-outs that leak: recorded, rebuilt, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tlm.cli import main
from tlm.errors import WorkloadError
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tlm.workload.capture import Capture, declare  # noqa: E402

T, B = 6, 4
LABELS = torch.arange(B) % 5


def trains() -> Any:
    """Random spikes [T, B, 12]."""
    return (torch.rand(T, B, 12, generator=torch.Generator().manual_seed(2)) < 0.4).float()


class TwoLayers(nn.Module):
    """snnTorch's two layers in a time loop; the last one's membranes [T, B, 5] come out."""

    def __init__(self, hidden: bool = False, **neuron: Any) -> None:
        super().__init__()
        snn = pytest.importorskip("snntorch")
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(12, 16), nn.Linear(16, 5)
        self.hidden = hidden
        state = {"init_hidden": True, "output": True} if hidden else {}
        self.n1, self.n2 = (snn.Leaky(beta=0.875, **neuron, **state) for _ in range(2))
        with torch.no_grad():
            self.a.weight.mul_(3)
            self.b.weight.mul_(3)

    def forward(self, inputs: Any) -> tuple[Any, Any]:
        """Spikes and membranes of the last layer."""
        m1, m2, spikes, membranes = self.n1.reset_mem(), self.n2.reset_mem(), [], []
        for now in inputs:
            if self.hidden:
                z, (out, m2) = self.n1(self.a(now))[0], (None, None)
                out, m2 = self.n2(self.b(z))
            else:
                z, m1 = self.n1(self.a(now), m1)
                out, m2 = self.n2(self.b(z), m2)
            spikes.append(out)
            membranes.append(m2)
        return torch.stack(spikes), torch.stack(membranes)


def every_step(membranes: Any) -> Any:
    return F.cross_entropy(membranes.flatten(0, 1), LABELS.repeat(T))


def last_step(membranes: Any) -> Any:
    return F.cross_entropy(membranes[-1], LABELS)


@pytest.mark.parametrize("loss", [every_step, last_step])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_a_loss_on_membranes(reset: str, loss: Any, tmp_path: Path) -> None:
    """The gradient that arrives at the potential is recorded, apart from that through time."""
    net = TwoLayers(reset_mechanism=reset)
    cap = Capture(net, steps=T, level="exact")
    with cap.at(0):
        loss(net(trains())[1]).backward()
    job = cap.save(tmp_path / "job.h5")
    hidden, last = job.layers
    assert (hidden.membrane_output, last.membrane_output) == (False, True)
    for agreement in check_recording(job, 0):
        assert agreement.holds(1e-4) and agreement.free_flips == 0
    recording = job.load(0)
    assert recording.masks[1].all()
    assert recording.spikes[1].any() == (reset != "none")
    assert (
        main(["workload", "info", str(job.path)]) == main(["workload", "check", str(job.path)]) == 0
    )
    assert main(["run", str(job.path), "--out", str(tmp_path / "run")]) == 0
    assert main(["gpu", str(job.path)]) == 0


def test_numbers_learnt_through_potentials(tmp_path: Path) -> None:
    """The threshold of a read-out learns where it is subtracted, not through spikes."""
    net = TwoLayers(learn_beta=True, learn_threshold=True)
    cap = Capture(net, steps=T, level="exact")
    with cap.at(0):
        every_step(net(trains())[1]).backward()
    job = cap.save(tmp_path / "job.h5")
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    gradients = job.load_values(0).parameter_gradients[1].constants
    assert gradients["beta"].any() and gradients["threshold"].any()
    assert main(["run", str(job.path), "--out", str(tmp_path / "run")]) == 0
    zero = TwoLayers(learn_threshold=True, reset_mechanism="zero")
    with pytest.raises(WorkloadError, match=r"n2\.threshold: no gradient arrived: the loss"):
        with Capture(zero, steps=T).at(0):
            every_step(zero(trains())[1]).backward()


def test_a_state_inside_of_the_module(tmp_path: Path) -> None:
    """With hidden state the potential is returned all the same."""
    net = TwoLayers(hidden=True)
    cap = Capture(net, steps=T)
    with cap.at(0):
        every_step(net(trains())[1]).backward()
    assert cap.save(tmp_path / "job.h5").layers[1].membrane_output


def test_a_loss_on_spikes_and_membranes() -> None:
    """One of them can be recorded."""
    net = TwoLayers()
    with pytest.raises(WorkloadError, match="n2: the loss reads more than one of its spikes and"):
        with Capture(net, steps=T).at(0):
            spikes, membranes = net(trains())
            (every_step(membranes) + spikes.mean()).backward()


def test_a_potential_that_no_call_returns() -> None:
    """SpikingJelly keeps it as an attribute: a true line."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 5), neuron.LIFNode(step_mode="m", store_v_seq=True))
    with pytest.raises(WorkloadError, match="1: a gradient reached its input, but not its spikes"):
        with Capture(net, steps=T).at(0):
            net(trains())
            every_step(net[1].v_seq).backward()


class Bare(nn.Module):
    """A read-out that leaks and never fires: V = 0.75 V + I."""

    def forward(self, currents: Any) -> Any:
        """Potentials of [T, B, K]."""
        membrane, out = torch.zeros_like(currents[0]), []
        for current in currents:
            membrane = 0.75 * membrane + current
            out.append(membrane)
        return torch.stack(out)


def test_a_read_out_that_leaks(tmp_path: Path) -> None:
    """Declared by its output; without the right decay it is refused."""
    snn = pytest.importorskip("snntorch")
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.n, self.b, self.out = (
                nn.Linear(12, 16), snn.Leaky(beta=0.5, init_hidden=True), nn.Linear(16, 5), Bare()
            )  # fmt: skip
            nn.init.normal_(self.a.weight, std=0.5)

        def forward(self, inputs: Any) -> Any:
            self.n.reset_mem()
            return self.out(self.b(torch.stack([self.n(self.a(now)) for now in inputs])))

    def record(decay: float) -> Any:
        net = Net()
        leaky = declare(decay=decay, reset="none", output="membrane")
        cap = Capture(net, steps=T, neurons={Bare: leaky}, level="exact")
        with cap.at(0):
            last_step(net(trains())).backward()
        return cap

    job = record(0.75).save(tmp_path / "job.h5")
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    assert job.layers[1].membrane_output and not job.load(0).spikes[1].any()
    with pytest.raises(WorkloadError, match=r"b: .*(state that the loss reads|replay)"):
        record(0.5)
