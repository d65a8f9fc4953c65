"""Networks without tensors: their shapes, and the masks drawn for them."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest

from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Recording, Workload, open_workload
from tlm.workload.report.density import densities

# GMAC and neurons (1e6) an image and step, convolution weights (1e6), without the first layer and
# the linear ones: computed from the layer tables that the authors of NeuroMC released.
PUBLISHED = {
    "s-resnet18": (1.70, 1.68, 11.2),
    "s-resnet50": (3.97, 10.3, 23.4),
    "s-vgg16": (15.26, 10.3, 14.7),
}

# A small chain that the simulator maps.
NETWORK = """
from tlm.workload.builder import Builder
from tlm.workload.model import Pool
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network

net = Builder((1, 28, 28), lif_neuron())
net.conv(20, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
net.conv(24, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
net.linear(100)
net.linear(10)
NETWORK = Network("mine", tuple(net.layers), 8, 5, "direct", "a test")
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """Path of a described network of one's own."""
    path = tmp_path / "mine.py"
    path.write_text(NETWORK)
    return str(path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_are_the_published_ones(name: str) -> None:
    """Operations, neurons and weights of each network, to the digits given."""
    job = open_workload(f"{name}:dense")
    inner = [layer for layer in job.layers if layer.kind == "conv" and layer.index]
    sizes = (
        sum(prod(layer.weight_shape) * prod(layer.product_shape[1:]) for layer in inner) / 1e9,
        sum(prod(layer.out_shape) for layer in inner) / 1e6,
        sum(prod(layer.weight_shape) for layer in inner) / 1e6,
    )
    assert sizes == pytest.approx(PUBLISHED[name], rel=0.006)
    assert (job.batch, job.steps, job.layers[0].in_shape) == (16, 4, (3, 224, 224))
    assert job.layers[-1].out_shape == (1000, 1, 1)


def test_dense_is_all_set(mine: str) -> None:
    """The work of hardware that skips nothing."""
    measured = densities(open_workload(f"{mine}:dense").load(0))
    for shares in (measured.inputs, measured.spikes, measured.masks, measured.dU):
        assert np.all(shares == 1)


def test_bernoulli_has_its_density(mine: str) -> None:
    """Spikes and masks to four standard deviations; gradients lie on the masks."""
    job = open_workload(f"{mine}:bernoulli(0.2)")
    drawn = job.load(0)
    for tensors in (drawn.spikes, drawn.masks):
        for tensor in tensors:
            assert tensor.mean() == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / tensor.size) ** 0.5)
    assert all(map(np.array_equal, drawn.dU, drawn.masks))
    assert all(map(np.array_equal, drawn.spikes, job.load(0).spikes))


def neighbours(masks: np.ndarray) -> float:
    """How much more often two neighbours in a row are both set than independent ones would be."""
    both = (masks[..., 1:] & masks[..., :-1]).mean()
    return float(both / masks.mean() ** 2)


def test_like_takes_after_the_recording(mine: str) -> None:
    """Densities by step, spread over channels, clustering and the carry of gradients."""
    recorded = open_workload("mnist-csnn")
    end: Recording = recorded.load(2)
    drawn = open_workload(f"{mine}[B=16,T=4]:like(mnist-csnn)").load(0)
    for name in ("spikes", "masks", "dU"):
        ours, theirs = getattr(drawn, name)[0], getattr(end, name)[0]
        assert ours.mean((1, 2, 3, 4)) == pytest.approx(theirs.mean((1, 2, 3, 4)), rel=0.1)
        assert neighbours(ours) == pytest.approx(neighbours(theirs), rel=0.2)
        assert neighbours(ours) > 1.5
        assert ours.mean((0, 1, 3, 4)).std() > 0.8 * theirs.mean((0, 1, 3, 4)).std()
    carried = np.zeros_like(drawn.dU[0])
    carried[:-1] = drawn.dU[0][1:]
    assert not (drawn.dU[0] & ~drawn.masks[0] & ~carried).any()


def test_batch_norm_makes_output_gradients_dense() -> None:
    """Behind batch statistics no gradient is zero, whatever the activity."""
    drawn = open_workload("s-resnet18[B=1,T=1]:bernoulli(0.1)").load(0)
    assert drawn.dU[3].mean() < 0.2
    assert drawn.dY[3].all()


def test_a_drawn_job_runs_and_says_what_it_is(mine: str, tmp_path: Path) -> None:
    """The simulator takes it like a recorded one; the summary is marked."""
    result = run_job(f"{mine}[B=2,T=2]:bernoulli(0.1)", out=tmp_path / "run", trace="off")
    assert result.ok
    assert result.summary.workload.activity == "synthetic activity: bernoulli(0.1)"


def test_different_draws_have_different_digests(mine: str) -> None:
    """What a run depends on is in the digest: shapes, B, T and the source."""
    spelt = [f"{mine}:dense", f"{mine}[B=2]:dense", f"{mine}:bernoulli(0.1)"]
    jobs: list[Workload] = [open_workload(name) for name in spelt]
    assert len({job.sha256 for job in jobs}) == len(jobs)


REFUSED = {
    "s-vgg16": "say how to draw its masks",
    "s-vgg17:dense": "unknown network",
    "s-vgg16:sparse": r"expected dense, bernoulli\(DENSITY\) or like",
    "s-vgg16:bernoulli(2)": r"density in 0\.\.1",
    "s-vgg16:bernoulli(half)": r"density in 0\.\.1",
    "s-vgg16:like(mnist-cssn)": "did you mean",
    "s-vgg16[B=0]:dense": "expected B and T, 1 to 4096",
    "s-vgg16[K=2]:dense": "expected B and T, 1 to 4096",
}


@pytest.mark.parametrize("spelt", REFUSED)
def test_refused_on_one_line(spelt: str) -> None:
    """A wrong name, activity or size says what there is."""
    with pytest.raises(WorkloadError, match=REFUSED[spelt]):
        open_workload(spelt)


def test_drawn_masks_have_no_values() -> None:
    """Nor a second iteration."""
    job = open_workload("s-vgg16:dense")
    with pytest.raises(WorkloadError, match="has no values"):
        job.load_values(0)
    with pytest.raises(WorkloadError, match="there is 0 alone"):
        job.load(1)
