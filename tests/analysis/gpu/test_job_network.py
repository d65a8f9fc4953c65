"""The network that is measured is that of the job, or one line says why it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.program.graphs import NORM, builder, put_together, workload
from tests.program.jobs import NEURON
from tests.program.test_matmul import attention_layers
from tlm.errors import WorkloadError
from tlm.workload import Workload
from tlm.workload.model import Layer
from tlm.workload.operand import Term

torch = pytest.importorskip("torch")

from tlm_analysis.gpu.measuring.job_network import JobNetwork  # noqa: E402


def plain() -> list[Layer]:
    """Two convolutions."""
    net = builder((2, 4, 4))
    net.conv(4, kernel=1)
    net.conv(4, kernel=1)
    return list(net.layers)


def last(**changes: Any) -> Workload:
    """The same, with another last layer."""
    first, second = plain()
    return workload([first, replace(second, **changes)])


def parts() -> Workload:
    net = builder((2, 4, 4))
    first = net.conv(4, kernel=1)
    put_together(net, (4, [Term(first)]), (4, [Term(first)]), channels=3)
    return workload(net.layers)


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (parts(), "conv1 reads parts put together, or gates, which is not measured"),
        (workload(attention_layers("q k' first")), "multiplies what two layers leave"),
        (last(neuron=replace(NEURON, output="membrane")), "puts out its membrane potential"),
        (last(neuron=replace(NEURON, learnt=("leak",))), "neurons that learn a number"),
        (last(neuron=replace(NEURON, channels=(("decay", (0.5, 0.75)),))), "constants differ"),
        (last(norm=replace(NORM, by_step=True, per_step=True)), "a norm with numbers of each step"),
        (last(sources=(-1,), in_shape=(2, 4, 4)), r"has 2 outputs \(conv0, conv1\)"),
    ],
)
def test_what_is_not_built_is_refused(job: Workload, text: str) -> None:
    """Nothing else is measured in its place."""
    with pytest.raises(WorkloadError, match=text):
        JobNetwork(job, lambda neuron: torch.nn.Sigmoid())


def test_an_identity_has_no_product() -> None:
    """What it reads is its current."""
    job = last(kind="identity")
    network = JobNetwork(job, lambda neuron: torch.nn.Sigmoid())
    assert sum(value.numel() for value in network.parameters()) == 4 * 2
    assert network(torch.rand(4, 2, 4, 4)).shape == (2, 4, 4, 4)
