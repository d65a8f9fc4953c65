"""Inputs of every kind: event counts and analog frames by step, recorded, rebuilt and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tlm.cli import main
from tlm.errors import WorkloadError
from tlm.workload.golden import check_recording

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from tests.workload.test_capture_manners import LEAKY, Leaky  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402

T, B = 4, 3


class Net(nn.Module):
    """Convolution, neurons, read-out; ``before`` acts on the input [T, B, 2, 8, 8]."""

    def __init__(self, before: Any = nn.Identity()) -> None:  # noqa: B008
        super().__init__()
        torch.manual_seed(0)
        self.before, self.lif = before, Leaky()
        self.conv, self.out = nn.Conv2d(2, 6, 3, padding=1), nn.Linear(384, 5)
        nn.init.normal_(self.conv.weight, std=0.4)

    def forward(self, inputs: Any) -> Any:
        """Mean output."""
        current = self.conv(self.before(inputs).flatten(0, 1)).unflatten(0, (T, -1))
        return self.out(self.lif(current).flatten(2)).mean(0)


def random(shape: tuple[int, ...] = (T, B, 2, 8, 8)) -> Any:
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))


INPUTS: dict[str, tuple[Any, str | None, str, str]] = {
    "counts": (torch.floor(4 * random() ** 3), None, "counts", "integer"),
    "counts of events": (torch.floor(4 * random() ** 3), "events", "counts", "integer"),
    "analog": (random() - 0.5, None, "frames", "analog"),
    "binary": ((random() < 0.3).float(), None, "rate", "binary"),
    "events": ((random() < 0.3).float(), "events", "events", "binary"),
    "binary, said to be counts": ((random() < 0.3).float(), "counts", "counts", "integer"),
    "one frame": (random((B, 2, 8, 8)).expand(T, B, 2, 8, 8), None, "direct", "analog"),
    "a frame by step": (random((B, 2, 8, 8)).expand(T, B, 2, 8, 8), "frames", "frames", "analog"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_what_an_input_is(case: str, tmp_path: Path) -> None:
    """Its numbers are kept and rebuilt; the chip runs it, its laws hold."""
    inputs, said, coding, kind = INPUTS[case]
    net = Net()
    cap = Capture(net, steps=T, neurons={Leaky: LEAKY}, encoding=said, level="exact")
    with cap.at(0):
        F.cross_entropy(net(inputs), torch.arange(B)).backward()
    job = cap.save(tmp_path / "job.h5")
    assert (job.encoding, job.layers[0].input_kind) == (coding, kind)
    assert all(agreement.holds(1e-4) for agreement in check_recording(job, 0))
    kept = job.load_values(0).inputs
    assert np.array_equal(np.broadcast_to(kept, inputs.shape), inputs.numpy())
    assert main(["run", str(job.path), "--out", str(tmp_path / "run"), "--trace", "off"]) == 0


def test_dropout_on_the_input(tmp_path: Path) -> None:
    """What it leaves is what the first layer reads."""
    net = Net(nn.Dropout(0.2))
    cap = Capture(net, steps=T, neurons={Leaky: LEAKY})
    with cap.at(0):
        F.cross_entropy(net((random() < 0.3).float()), torch.arange(B)).backward()
    assert cap.save(tmp_path / "job.h5").encoding == "frames"


def test_frames_that_are_said_to_be_one() -> None:
    """Direct coding repeats one."""
    net = Net()
    with (
        pytest.raises(WorkloadError, match=r'encoding="direct" repeats one frame'),
        Capture(net, steps=T, neurons={Leaky: LEAKY}, encoding="direct").at(0),
    ):
        F.cross_entropy(net(random()), torch.arange(B)).backward()
