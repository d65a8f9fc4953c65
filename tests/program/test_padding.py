"""Paddings as large as the kernel or larger, which PyTorch trains: outputs of the padding alone."""

from __future__ import annotations

import pytest

from tests.reliability import pairs
from tests.reliability.probe import CHIPS, SMALL
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.model import Workload
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job


def padded(kernel: int, padding: int, stride: int) -> Workload:
    """Two such convolutions between an ordinary one and a linear layer."""
    net = Builder((3, 6, 6), lif_neuron(), analog=False)
    net.conv(8, kernel=3, padding=1)
    net.conv(12, kernel, stride, padding)
    net.conv(8, kernel, stride, padding)
    net.linear(5)
    network = Network("padded", tuple(net.layers), 4, 3, "rate", "made up")
    return network_job(network, Bernoulli(0.3), "bernoulli(0.3)")


@pytest.mark.parametrize(
    ("kernel", "padding", "stride"), [(1, 1, 1), (1, 3, 1), (3, 3, 1), (3, 5, 2), (2, 4, 3)]
)
@pytest.mark.parametrize("chip", ["default", "channels, pipelined, lanes, little memory"])
def test_a_padding_beyond_the_kernel_runs(
    kernel: int, padding: int, stride: int, chip: str
) -> None:
    """All laws hold, those that count every slot and message anew from the masks among them."""
    job = padded(kernel, padding, stride)
    end, reason = pairs.outcome(pairs.Pair([*SMALL, *CHIPS[chip]], job, "recorded", "off"))
    assert end == pairs.OK, reason
