"""Recording what lies between products and neurons: shortcuts, bare layers, heads, norms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402

from tests.workload.nets.currents import (  # noqa: E402
    BNTT,
    CSNN,
    InPlaceBlock,
    MembraneBlock,
    ResNet,
    SpikeElementBlock,
    SpikingBlock,
)
from tests.workload.nets.parts import (  # noqa: E402
    CLASSES,
    LIF,
    Over,
    T,
    conv,
    events,
    linear,
    recorded,
)
from tlm.errors import WorkloadError  # noqa: E402
from tlm.running.runner import run_job  # noqa: E402
from tlm.running.structures import check_structures  # noqa: E402
from tlm.workload import Shortcut  # noqa: E402
from tlm.workload.readers import heads  # noqa: E402

RESNET18 = (2, 2, 2, 2)
NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "CSNN": (CSNN, (1, 8, 8)),
    "Spiking-ResNet-18": (lambda: ResNet(SpikingBlock, RESNET18), (2, 8, 8)),
    "SpikingJelly's Spiking-ResNet": (lambda: ResNet(InPlaceBlock, (1, 1)), (2, 8, 8)),
    "MS-ResNet-18": (lambda: ResNet(MembraneBlock, RESNET18), (2, 8, 8)),
    "SEW-ResNet-18": (lambda: ResNet(SpikeElementBlock, RESNET18), (2, 8, 8)),
    "tdBN ResNet-19": (lambda: ResNet(SpikingBlock, (3, 3, 2)), (2, 8, 8)),
    "VGG9-BNTT": (BNTT, (2, 8, 8)),
}


@pytest.mark.parametrize("name", NETS)
def test_networks_of_the_field(name: str, tmp_path: Path) -> None:
    """Each rebuilds from its file; multiply-accumulates are those that hooks count."""
    torch.manual_seed(0)
    make, shape = NETS[name]
    recorded(make(), events(*shape), tmp_path)


def test_the_stream_of_currents_is_added_once(tmp_path: Path) -> None:
    """Each block of an MS-ResNet adds one current, whatever came before it."""
    torch.manual_seed(0)
    job = recorded(ResNet(MembraneBlock, (3,)), events(2, 6, 6), tmp_path)
    assert [layer.shortcuts for layer in job.layers if layer.shortcuts] == [
        (Shortcut(0, "current"),),
        (Shortcut(2, "current"),),
        (Shortcut(4, "current"),),
    ]
    assert all(layer.weighted for layer in job.layers)
    result = run_job(job, overrides=["cores=4"], out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken


class Net(nn.Module):
    """A convolution, then ``behind`` its current, which gives [T, B, classes] with ``parts``."""

    def __init__(self, behind: Callable[[Any, Any], Any], **parts: Any) -> None:
        super().__init__()
        self.conv, self.behind = Over(conv(2, 4)), behind
        self.n, self.m, self.fc = LIF(), LIF(), linear(144, CLASSES)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, inputs: Any) -> Any:
        """[T, B, classes]."""
        return self.behind(self, self.conv(inputs))


def bare(net: Any, current: Any) -> Any:
    return net.last(net.fc(net.n(current).flatten(2)))


def two_heads(net: Any, current: Any) -> Any:
    spikes = net.n(current).flatten(2)
    return net.fc(spikes) + 2 * net.m(net.other(spikes))


def pooled_current(net: Any, current: Any) -> Any:
    small = net.pool(current)
    return net.fc(net.m(net.conv2(net.n(small)) + small).flatten(2))


def norm_of_a_sum(net: Any, current: Any) -> Any:
    spikes = net.n(current)
    return net.fc(net.m(net.norm(spikes + net.conv2(spikes))).flatten(2))


def neurons_behind_neurons(net: Any, current: Any) -> Any:
    return net.fc(net.m(net.pool(net.n(current))).flatten(2))


STRUCTURES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[], dict[str, Any]]]] = {
    "linear behind linear": (bare, lambda: {"last": linear(CLASSES, CLASSES)}),
    "two heads": (two_heads, lambda: {"other": linear(144, CLASSES)}),
    "a pooled current added": (
        pooled_current,
        lambda: {"conv2": Over(conv(4, 4)), "pool": Over(nn.MaxPool2d(2)),
                 "fc": linear(36, CLASSES)},
    ),
    "norm of a sum": (
        norm_of_a_sum, lambda: {"conv2": Over(conv(4, 4)), "norm": Over(nn.BatchNorm2d(4))}
    ),
    "neurons behind neurons": (
        neurons_behind_neurons,
        lambda: {"pool": Over(nn.AvgPool2d(2)), "fc": linear(36, CLASSES)},
    ),
}  # fmt: skip


REFUSED = ("norm of a sum",)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("direct", [False, True])
def test_structures(name: str, direct: bool, tmp_path: Path) -> None:
    """Each is recorded, with events and with the same frames at each step; and run, or refused."""
    torch.manual_seed(0)
    behind, parts = STRUCTURES[name]
    inputs = events(2, 6, 6, density=0.6)
    if direct:
        inputs = torch.rand(1, *inputs.shape[1:]).expand(inputs.shape)
    job = recorded(Net(behind, **parts()), inputs, tmp_path)
    assert len(heads(job.layers)) == 1 + (name == "two heads")
    if name in REFUSED:
        with pytest.raises(WorkloadError, match="the chip model does not run yet"):
            check_structures(job)
        return
    result = run_job(job, overrides=["cores=4"], out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken


class DeepNorm(nn.Module):
    """A norm over [B, C, T, H, W], or with time last; scaled by step if ``factors``."""

    def __init__(self, last: bool, factors: bool) -> None:
        super().__init__()
        self.norm, self.order = nn.BatchNorm3d(4), (1, 2, 3, 4, 0) if last else (1, 2, 0, 3, 4)
        self.factors = nn.Parameter(torch.rand(T, 1, 1, 1, 1) + 0.5) if factors else None

    def forward(self, currents: Any) -> Any:
        """Time first again."""
        out = self.norm(currents.permute(self.order))
        back = [self.order.index(axis) for axis in range(5)]
        return out.permute(back) if self.factors is None else out.permute(back) * self.factors


NORMS: dict[str, tuple[Callable[[], Any], tuple[bool, bool, bool, bool]]] = {
    "without scale and shift": (
        lambda: Over(nn.BatchNorm2d(4, affine=False)),
        (False, False, False, False),
    ),
    "time as depth": (lambda: DeepNorm(last=False, factors=False), (True, True, False, False)),
    "time last": (lambda: DeepNorm(last=True, factors=False), (True, True, False, False)),
    "TEBN": (lambda: DeepNorm(last=False, factors=True), (True, True, False, True)),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name: str, tmp_path: Path) -> None:
    """What each trains is in the file, with its gradient."""
    torch.manual_seed(0)
    make, expected = NORMS[name]

    def behind(net: Any, current: Any) -> Any:
        return net.fc(net.n(net.norm(current)).flatten(2))

    job = recorded(Net(behind, norm=make()), events(2, 6, 6), tmp_path)
    norm = job.layers[0].norm
    assert norm is not None
    assert (norm.scaled, norm.shifted, norm.by_step, norm.step_scaled) == expected
    for policy, mode in (("exact", "training"), ("frozen", "training"), ("exact", "inference")):
        overrides = ["cores=4", f"mapping.batch_norm={policy}"]
        out = tmp_path / policy / mode
        result = run_job(job, overrides=overrides, out=out, trace="off", mode=mode)
        assert result.ok, result.summary.broken


@pytest.mark.parametrize("affine", [True, False])
def test_norms_within_a_sample_are_refused_by_name(affine: bool, tmp_path: Path) -> None:
    """With weights or without: before anything is trained."""
    net = Net(bare, norm=nn.GroupNorm(2, 4, affine=affine), last=linear(CLASSES, CLASSES))
    with pytest.raises(WorkloadError, match="norm: GroupNorm normalises within each sample"):
        recorded(net, events(2, 6, 6), tmp_path)


def test_norms_that_are_not_one_for_each_step(tmp_path: Path) -> None:
    """Three norms behind a product of four steps."""

    def behind(net: Any, current: Any) -> Any:
        normed = [norm(now) for norm, now in zip(net.norms, current, strict=False)]
        return net.fc(net.n(torch.stack([*normed, normed[-1]])).flatten(2))

    net = Net(behind, norms=nn.ModuleList(nn.BatchNorm2d(4) for _ in range(3)))
    with pytest.raises(WorkloadError, match="3 norms read one product; expected one for all steps"):
        recorded(net, events(2, 6, 6), tmp_path)
