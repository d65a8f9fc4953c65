"""A recorder in a user's training: early checks, warnings, and no end of the training."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tlm.errors import CaptureWarning, WorkloadError
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.nets.parts import LIF, Triangle  # noqa: E402
from tlm.workload.capture import Capture, declare  # noqa: E402

T, B = 4, 5


class Leaky(LIF):
    """V = 0.5 V + I, reset to 0."""


LEAKY = declare(spike=Triangle.apply, decay=0.5)


def network(gain: float = 4.0) -> Any:
    """Two layers that fire if ``gain`` is not small."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(12, 16, bias=False), Leaky(), nn.Linear(16, 5, bias=False), Leaky()
    )
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(gain)
    return net


def step(net: Any, samples: int = B) -> None:
    """Forward and backward of one mini-batch of a repeated frame."""
    frames = torch.rand(samples, 12, generator=torch.Generator().manual_seed(1))
    F.cross_entropy(
        net(frames.expand(T, samples, 12)).mean(0), torch.arange(samples) % 5
    ).backward()


def capture(net: Any, **options: Any) -> Any:
    return Capture(net, steps=T, neurons={Leaky: LEAKY}, **options)


@pytest.mark.parametrize("gain", [0.0, 0.01, 1.0])
def test_a_dead_layer_is_recorded_with_a_warning(gain: float, tmp_path: Path) -> None:
    """What does not fire is what was trained; the warning stands at the user's own line."""
    cap = capture(network(gain))
    with pytest.warns(CaptureWarning, match="iteration 3: dead: not one spike of") as caught:
        with cap.at(3):
            step(cap._net)
    assert {Path(warning.filename).name for warning in caught} == {Path(__file__).name}
    job = cap.save(tmp_path / "job.h5", level="exact")
    assert all(agreement.holds() for agreement in check_recording(job, 0))
    assert not job.load(0).spikes[1].any()


class Unrecordable(nn.Module):
    """Spikes pass through a product, which no layer graph can say."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, frames: Any) -> Any:
        """As the network, but for the product."""
        hidden = self.inner[1](self.inner[0](frames))
        return self.inner[3](self.inner[2](hidden * 0.5))


def test_a_refusal_can_be_a_warning() -> None:
    """Gradients are those of an unrecorded pass, later passes are untouched, save says why."""
    net, plain = Unrecordable(), Unrecordable()
    cap = capture(net, on_error="warn")
    with pytest.warns(CaptureWarning, match=r"iteration 0 is not recorded: .*multiplied with 0.5"):
        with cap.at(0):
            step(net)
    step(plain)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    with pytest.raises(WorkloadError, match="nothing was recorded; iteration 0 is not recorded: "):
        cap.save("never.h5")
    with pytest.raises(WorkloadError, match=r"test_capture_manners\.py:\d+: .*multiplied with 0.5"):
        with capture(net).at(0):
            step(net)


def test_a_later_iteration_is_recorded_after_one_that_was_not(tmp_path: Path) -> None:
    """Only what was refused is missing."""
    net = network()
    cap = capture(net, on_error="warn")
    for iteration, samples in ((0, B), (1, B - 1), (2, B)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CaptureWarning)
            with cap.at(iteration):
                step(net, samples)
    assert cap.save(tmp_path / "job.h5").iterations == (0, 2)


@pytest.mark.parametrize("on_error", ["raise", "warn"])
def test_an_error_of_the_users_own_code_passes(on_error: str) -> None:
    """It is theirs, whatever is to happen to ours."""
    net = network()
    with pytest.raises(ZeroDivisionError):
        with capture(net, on_error=on_error).at(0):
            step(net)
            1 / 0  # noqa: B018


NUMBERS = {
    "numpy": np.float32(0.5),
    "tensor": torch.tensor(0.5),
    "one element": torch.full((1,), 0.5),
    "equal channels": torch.full((5, 1, 1), 0.5),
    "array": np.array(0.5),
    "fixed parameter": nn.Parameter(torch.tensor(0.5), requires_grad=False),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_type_are_declared(kind: str, tmp_path: Path) -> None:
    """A file holds plain ones."""
    net, number = network(), NUMBERS[kind]
    equation = declare(
        spike=Triangle.apply, decay=number, threshold=2 * number, detach_reset=np.bool_(True)
    )
    cap = Capture(net, steps=np.int64(T), neurons={Leaky: equation})
    with cap.at(0):
        step(net)
    assert cap.save(tmp_path / "job.h5").layers[0].neuron == LEAKY.neuron


DECLARATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "learnt": ({"threshold": nn.Parameter(torch.tensor(1.0))}, "threshold.*is learnt"),
    "a channel": ({"decay": torch.tensor([0.1, 1.2])}, r"decay=.*: expected 0\.\.1, got 1\.2"),
    "none at all": ({"decay": torch.tensor([])}, "decay.*got an array without any"),
    "another library's word": ({"reset": "subtract"}, 'reset.*"hard" or "soft" or "n.*snnTorch'),
    "no word": ({"reset": None}, "reset"),
    "decay": ({"decay": 1.5}, r"decay=\.\.\.\): expected 0\.\.1, got 1\.5"),
    "negative threshold": ({"threshold": -1}, "threshold.*expected 0 or more"),
    "not finite": ({"offset": float("nan")}, "offset.*expected a finite number"),
    "text": ({"decay": "0.5"}, "decay.*expected a number, got '0.5'"),
    "no flag": ({"detach_reset": "no"}, "detach_reset.*expected True or False"),
    "class for its apply": ({"spike": Triangle}, r"spike=\.\.\.\).*Triangle\.apply"),
    "no function": ({"spike": 3}, r"spike=\.\.\.\): expected a function"),
    "two arguments": ({"spike": lambda a, b: a}, r"spike=\.\.\.\): .*TypeError"),
}  # fmt: skip


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_wrong_declaration_is_told_at_once(case: str) -> None:
    """In one line, at ``declare``."""
    options, expected = DECLARATIONS[case]
    with pytest.raises(WorkloadError, match=expected) as caught:
        declare(**{"spike": Triangle.apply, "decay": 0.5, **options})
    assert "\n" not in str(caught.value)


class Odd(torch.autograd.Function):
    """A step with a derivative without closed form here."""

    @staticmethod
    def forward(ctx: Any, distance: Any) -> Any:
        """Fires at the threshold."""
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """exp(-x^4)."""
        (distance,) = ctx.saved_tensors
        return gradient * torch.exp(-(distance**4))


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "level": ({"level": "bit"}, """level: expected "bits" or "value" or "exact", got 'bit'"""),
    "levels": ({"level": ["bits", 3]}, "level: expected"),
    "on_error": ({"on_error": "ignore"}, 'on_error: expected "raise" or "warn"'),
    "encoding": ({"encoding": "event"}, "encoding: expected"),
    "steps": ({"steps": "four"}, "steps: expected T, 1 or more, got 'four'"),
    "no steps": ({"steps": 0}, "steps: expected T, 1 or more, got 0"),
    "class in quotes": ({"neurons": {"Leaky": LEAKY}}, "give the class itself"),
    "no equation": ({"neurons": {Leaky: Triangle.apply}}, r"expected declare\(\.\.\.\) for Leaky"),
    "no class": ({"neurons": {3: LEAKY}}, "expected a class or the name of a tap"),
    "no closed form": (
        {"level": "exact", "neurons": {Leaky: declare(spike=Odd.apply, decay=0.5)}},
        '1: its surrogate has no closed form known here.*level="value"',
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_wrong_option_is_told_before_any_training(case: str) -> None:
    """Not at ``save``, behind it all."""
    options, expected = OPTIONS[case]
    with pytest.raises(WorkloadError, match=expected):
        Capture(network(), **{"steps": T, "neurons": {Leaky: LEAKY}, **options})


def test_a_level_told_early_is_the_one_saved(tmp_path: Path) -> None:
    """A wrong one told late leaves what was recorded."""
    net = network()
    cap = capture(net, level="exact")
    with cap.at(0):
        step(net)
    with pytest.raises(WorkloadError, match="level: expected"):
        cap.save(tmp_path / "job.h5", level="bit")
    assert cap.save(tmp_path / "job.h5").levels == ("exact",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_networks(tmp_path: Path) -> None:
    """Wrapped whole, in part or called in place of the network: recorded as they run uncompiled."""
    plain = network()
    cap = capture(torch.compile(plain))
    with cap.at(0):
        step(torch.compile(plain))
    part = network()
    part[0] = torch.compile(part[0])
    second = capture(part)
    with second.at(0):
        step(part)
    for recorder in (cap, second):
        assert [layer.name for layer in recorder.save(tmp_path / "job.h5").layers] == ["0", "2"]


def pruned(net: Any) -> None:
    from torch.nn.utils import prune

    prune.l1_unstructured(net[0], "weight", 0.5)


DERIVED = {
    "weight norm": (
        lambda net: nn.utils.parametrizations.weight_norm(net[0]),
        r"0\.weight: is made by the parametrization WeightNorm.*remove_parametrizations",
    ),
    "spectral norm": (
        lambda net: nn.utils.parametrizations.spectral_norm(net[2]),
        r"2\.weight: is made by the parametrization SpectralNorm",
    ),
    "older spectral norm": (
        lambda net: nn.utils.spectral_norm(net[2]),
        r"2\.weight: is made by spectral_norm.*remove_spectral_norm",
    ),
    "pruning": (pruned, r"0\.weight: is made by pruning.*prune\.remove"),
}


@pytest.mark.parametrize("case", DERIVED)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_are_made_of_others(case: str) -> None:
    """Told by what makes them, before any training."""
    derive, expected = DERIVED[case]
    net = network()
    derive(net)
    with pytest.raises(WorkloadError, match=expected):
        capture(net)


def penalised(term: Any) -> Any:
    """A step whose loss has ``term`` of the network besides."""

    def action(net: Any) -> None:
        frames = torch.rand(B, 12, generator=torch.Generator().manual_seed(1))
        loss = F.cross_entropy(net(frames.expand(T, B, 12)).mean(0), torch.arange(B) % 5)
        (loss + term(net)).backward()

    return action


def rate_penalty(net: Any) -> None:
    """A loss with the mean rate of the hidden spikes in it."""
    frames = torch.rand(B, 12, generator=torch.Generator().manual_seed(1)).expand(T, B, 12)
    hidden = net[:2](frames)
    loss = F.cross_entropy(net[2:](hidden).mean(0), torch.arange(B) % 5)
    (loss + hidden.mean()).backward()


class Quantised(nn.Linear):
    """A linear layer whose weights are rounded to eighths, straight through."""

    def forward(self, inputs: Any) -> Any:
        """The product with rounded weights."""
        rounded = self.weight + (torch.round(self.weight * 8) / 8 - self.weight).detach()
        return F.linear(inputs, rounded, self.bias)


class Standardised(nn.Linear):
    """A linear layer whose weights have mean 0 and deviation 1."""

    def forward(self, inputs: Any) -> Any:
        """The product with standardised weights."""
        centred = self.weight - self.weight.mean(1, keepdim=True)
        return F.linear(inputs, centred / centred.std(1, keepdim=True), self.bias)


def with_first(kind: Any) -> Any:
    """A maker of the network with another kind of first layer."""

    def make() -> Any:
        net = network()
        net[0] = kind(12, 16, bias=False)
        return net

    return make


def cut_through_time(net: Any) -> None:
    with torch.no_grad():
        step(net)


CAUSES: dict[str, tuple[Any, Any, str]] = {
    "L2 in the loss": (
        network,
        penalised(lambda net: 0.1 * sum(weight.square().sum() for weight in net.parameters())),
        r"0: the gradient of its weights holds 0\.2 times the parameter.*weight_decay",
    ),
    "L1 in the loss": (
        network,
        penalised(lambda net: 0.1 * net[2].weight.abs().sum()),
        r"2: the gradient of its weights holds 0\.1 times its sign",
    ),
    "penalty on rates": (network, rate_penalty, r"0: its dL/dS.*a penalty on spikes or rates"),
    "quantised weights": (
        with_first(Quantised),
        step,
        r"0\.weight: passes through Add before it is multiplied",
    ),
    "standardised weights": (
        with_first(Standardised),
        step,
        r"0\.weight: passes through Div, .*before it is multiplied",
    ),
    "no gradients": (network, cut_through_time, r"no torch\.no_grad"),
}


@pytest.mark.parametrize("case", CAUSES)
def test_the_true_cause(case: str) -> None:
    """What is wrong, by its name, in one line."""
    make, action, expected = CAUSES[case]
    net = make()
    with pytest.raises(WorkloadError, match=expected) as caught, capture(net).at(0):
        action(net)
    assert "\n" not in str(caught.value)


def test_a_neuron_that_nobody_named() -> None:
    """Its own function between two layers gives it away."""
    net = network()
    with pytest.raises(WorkloadError, match=r"2: its input passes through Triangle, an autograd"):
        with Capture(net, steps=T).at(0):
            step(net)
