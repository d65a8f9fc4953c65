"""Operands put together of parts: the kernels that PyTorch launches for them, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
from tlm_analysis.gpu.step.recorded import network_of
from tlm_analysis.gpu.step.training_step import training_step

from tests.program.graphs import builder, put_together, window, workload
from tests.program.test_matmul import attention_layers
from tests.program.test_operands import NETS
from tlm.errors import WorkloadError
from tlm.workload.model import Pool
from tlm.workload.operand import Gate, Line, Operand, Term

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
    adds = [k for k in kernels if k.name == "conv0 spikes gradient add"]
    assert [(k.read_nbytes, k.write_nbytes) for k in adds] == [(2 * 64 * each, 64 * each)]


@pytest.mark.parametrize("name", NETS)
def test_every_gradient_is_as_large_as_what_it_is_of(name: str) -> None:
    """The way back ends at each source with all of it: its own pool and neurons follow."""
    network = network_of(NETS[name]())
    kernels = {k.name: k for k in training_step(network, "fp32", "fused")}
    for stage in network.stages:
        back = kernels[f"{stage.name} lif grad"]
        gradients = [tensor.nbytes for tensor in back.reads if "grad" in tensor.name]
        assert gradients == [4 * IMAGES * prod(stage.out_shape)], stage.name


def test_a_transposed_convolution_has_no_zeros() -> None:
    """4 and 6 channels of 5 x 4 to 5 of 12 x 10: inputs as they are, each with all its weights."""
    network = network_of(NETS["decoder"]())
    kernels = {k.name: k for k in training_step(network, "fp32", "fused")}
    forward, back = (kernels[f"conv2 {what}"] for what in ("conv", "dgrad"))
    assert forward.reads[0].nbytes == back.writes[0].nbytes == 4 * IMAGES * 10 * 20
    assert forward.flop == back.flop == 2 * IMAGES * 20 * 10 * 5 * 9
    assert kernels["conv2 wgrad"].flop == forward.flop


def test_zeros_between_rows_of_some_are_refused_in_one_line() -> None:
    """A GPU runs a transposed convolution without them, and nothing else with them."""
    job = NETS["decoder"]()
    whole, apart = job.layers[2].operand.parts
    some = Operand((whole, replace(apart, terms=(Term(1),))))
    layers = (*job.layers[:2], replace(job.layers[2], operand=some), *job.layers[3:])
    with pytest.raises(WorkloadError, match="conv2 reads zeros between rows and is no transposed"):
        network_of(replace(job, layers=layers))


def test_a_gate_is_a_kernel_forward_and_one_a_factor_back() -> None:
    """Two factors in, their product out; with 1 minus one of them, a kernel more each way."""
    net = builder((2, 4, 4))
    first, second = net.conv(4, kernel=1), net.conv(4, kernel=1)
    put_together(net, (4, [Term(first, gates=(Gate(second, inverted=True),))]), channels=3)
    kernels = training_step(network_of(workload(net.layers)), "fp32", "fused")
    moved = [(k.name, k.read_nbytes, k.write_nbytes) for k in kernels if "conv2 input" in k.name]
    each = 4 * IMAGES * 64
    assert moved == [
        ("conv2 input invert", each, each),
        ("conv2 input gate", 2 * each, each),
        ("conv2 input gate grad", 2 * each, each),
        ("conv2 input gate grad", 2 * each, each),
        ("conv2 input invert grad", each, each),
    ]


def test_what_two_layers_read_is_put_together_once() -> None:
    """The second reads the tensor that the first has left."""
    net = builder((2, 4, 4))
    first, second = net.conv(4, kernel=1), net.conv(4, kernel=1)
    for _ in range(2):
        put_together(net, (4, [Term(first)]), (4, [Term(second)]), channels=3)
    names = [k.name for k in training_step(network_of(workload(net.layers)), "fp32", "fused")]
    assert sum(name.endswith(" cat") for name in names) == 1


def test_a_matmul_is_a_batched_product_and_two_back() -> None:
    """Of each image and head: M [K, C] X [C, n], two operations a multiply-accumulate."""
    network = network_of(workload(attention_layers("q k' first")))
    kernels = {k.name: k for k in training_step(network, "fp32", "fused")}
    stage = next(stage for stage in network.stages if stage.kind == "matmul")
    flop = 2 * network.images * prod(stage.product_shape) * stage.in_shape[0] // stage.groups
    for what in ("matmul", "matmul dgrad", "matmul held grad"):
        assert kernels[f"{stage.name} {what}"].flop == flop
    assert stage.weights == 0
