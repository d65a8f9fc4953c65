"""What recording computes again: nothing of the products, and all else once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tests.evidence import networks, recording  # noqa: E402
from tests.workload.nets.catalogue import PUBLISHED  # noqa: E402
from tests.workload.nets.samples import samples  # noqa: E402
from tlm.workload.capture import call_reading, iteration, layer_tensors  # noqa: E402
from tlm.workload.golden import network, passes, probes  # noqa: E402
from tlm.workload.model import Workload  # noqa: E402

COUNTED = {
    "products": (network, "product"),
    "dX": (network, "input_gradient"),
    "dW": (passes, "weight_gradient"),
    "FP": (iteration, "forward"),
    "BP": (iteration, "backward"),
    "replays": (layer_tensors, "replay"),
    "norms": (network, "normalise"),
}
MAPS = {"maps": (call_reading, "row_map")}


def counted(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    path: Path,
    functions: Mapping[str, tuple[Any, str]] = COUNTED,
) -> tuple[Workload, Counter[str]]:
    """A small public network recorded, and how often each of ``functions`` was called for it."""
    calls: Counter[str] = Counter()

    def counting(what: str, function: Any) -> Any:
        def count(*arguments: Any, **named: Any) -> Any:
            calls[what] += getattr(arguments[0], "weighted", True)  # an identity costs nothing
            return function(*arguments, **named)

        return count

    for what, (module, function) in functions.items():
        monkeypatch.setattr(module, function, counting(what, getattr(module, function)))
    torch.manual_seed(0)
    published = PUBLISHED[name]
    net, seen = published.build(True), samples(published, None, small=True)
    return networks.record(published, net, seen, path / "job.h5"), calls


@pytest.mark.parametrize(
    "name",
    [
        "CSNN",
        "SEW-ResNet-18 ADD",
        "MS-ResNet-18",
        "TEBN VGG-9",
        "TET VGG",
        "Spiking U-Net",
        "Recurrent SNN",
    ],
)
def test_nothing_is_computed_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """No product of weights at all; every neuron and every norm once."""
    job, calls = counted(monkeypatch, name, tmp_path)
    neurons = sum(layer.neuron is not None for layer in job.layers)
    norms = sum(layer.norm is not None for layer in job.layers)
    once = Counter({"FP": 1, "BP": 1, "replays": neurons, "norms": norms})
    assert +calls == +once


def test_steps_that_read_alike_are_looked_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Step 0 reads no spikes of a step before, step 1 reads some, and all others as step 1."""
    job, calls = counted(monkeypatch, "Recurrent SNN", tmp_path, MAPS)
    assert (job.steps > 2, calls["maps"]) == (True, 2)


def test_a_doubt_is_settled_by_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Probes that rounding trips cost time, and refuse nothing."""
    monkeypatch.setattr(probes, "_relative", lambda difference, recorded: 1.0)
    job, calls = counted(monkeypatch, "CSNN", tmp_path)
    weighted = sum(layer.weighted for layer in job.layers)
    assert (calls["FP"], calls["BP"], calls["products"], calls["dW"]) == (1, 1, weighted, weighted)


def test_the_page_is_that_of_the_results() -> None:
    """Measured networks are those of the page; none costs more than it says."""
    assert recording.section(recording.rows()) in recording.PAGE.read_text(encoding="utf-8")
