"""Operands put together of parts: the kernels that PyTorch launches for them, by hand."""

from __future__ import annotations

from math import prod

import pytest
from tlm_analysis.gpu.step.network import network_of
from tlm_analysis.gpu.step.training_step import training_step

from tests.program.graphs import builder, put_together, window, workload
from tests.program.test_operands import NETS
from tlm.errors import WorkloadError
from tlm.workload.model import Pool
from tlm.workload.operand import Line, Term

IMAGES = 4  # two steps of two samples


def test_a_join_of_a_u_net_counted_by_hand() -> None:
    """4 channels of 4 x 4 beside 3 of 6 channels of 2 x 2, upsampled; 4 bytes an element.

    A slice is a view, upsampling reads and writes, a cat reads and writes all. Back, the gradient
    of the upsampled part is summed up and laid into zeros of the size of what was sliced.
    """
    net = builder((2, 4, 4))
    first = net.conv(4, kernel=1)
    small = net.conv(6, kernel=1, pool=Pool.square("max", 2, 2))
    lines = {"rows": Line(0, 2, repeat=2), "columns": Line(0, 2, repeat=2)}
    up = window((6, 2, 2), channels=(1, 4), **lines)
    parts = (4, [Term(first)]), (3, [Term(small, (up,))])
    put_together(net, *parts, channels=5, kernel=3, padding=1)
    kernels = training_step(network_of(workload(net.layers)), "fp32", "fused")
    moved = {k.name: (k.read_nbytes, k.write_nbytes) for k in kernels if "conv2 input" in k.name}
    each = 4 * IMAGES
    assert moved == {
        "conv2 input upsample": (3 * 4 * each, 3 * 16 * each),
        "conv2 input cat": (7 * 16 * each, 7 * 16 * each),
        "conv2 input upsample grad": (3 * 16 * each, 3 * 4 * each),
        "conv2 input slice zeros": (0, 6 * 4 * each),
        "conv2 input slice grad": (3 * 4 * each, 3 * 4 * each),
    }
    # conv1 returns to conv0, which conv2 reads too.
    adds = [k for k in kernels if k.name == "layer 0 gradient add"]
    assert [(k.read_nbytes, k.write_nbytes) for k in adds] == [(2 * 64 * each, 64 * each)]


@pytest.mark.parametrize("name", [n for n in NETS if "gates" not in n and n != "decoder"])
def test_every_gradient_is_as_large_as_what_it_is_of(name: str) -> None:
    """The way back ends at each source with all of it: its own pool and neurons follow."""
    network = network_of(NETS[name]())
    kernels = {k.name: k for k in training_step(network, "fp32", "fused")}
    for stage in network.stages:
        back = kernels[f"{stage.name} lif grad"]
        gradients = [tensor.nbytes for tensor in back.reads if "grad" in tensor.name]
        assert gradients == [4 * IMAGES * prod(stage.out_shape)], stage.name


def test_zeros_between_rows_are_refused_in_one_line() -> None:
    """A GPU runs a transposed convolution without them."""
    with pytest.raises(WorkloadError, match="zeros between rows"):
        network_of(NETS["decoder"]())
