"""What ``workload info`` says of a layer."""

from dataclasses import replace

import pytest

from tests.program.jobs import conv, linear
from tlm.workload.held import Held
from tlm.workload.model import Layer, Pool, Shortcut
from tlm.workload.report.describe import LAYER_COLUMNS, layer_cells

CONV, LINEAR = conv((4, 8, 8), 4, 3), linear(8, 10)


def cell(layer: Layer, column: str, is_read: bool = True) -> str:
    """What stands in a column of the table of layers."""
    return layer_cells(layer, is_read)[LAYER_COLUMNS.index(column)]


@pytest.mark.parametrize(
    ("layer", "is_read", "words"),
    [
        (CONV, True, "conv"),
        (replace(LINEAR, neuron=None), False, "linear, read-out"),
        (replace(LINEAR, neuron=None), True, "linear, no neurons"),
        (replace(CONV, groups=2, current_pool=Pool.square("average", 2, 2)), True,
         "conv, 2 groups, average 2/2"),
        (replace(CONV, groups=2, kind="matmul", held=Held((0,))), True, "matmul, 2 heads"),
        (replace(CONV, dropout=0.5, shortcuts=(
            Shortcut(0, "spikes"), Shortcut(1, "current", Pool.square("sum", 2, 2)))), True,
         "dropout 0.5, conv, + S of 0, + I of 1 sum 2/2"),
        (replace(LINEAR, neuron=replace(LINEAR.neuron, output="membrane")), False,
         "linear, membrane output"),
    ],
)  # fmt: skip
def test_all_that_a_current_passes_is_named(layer: Layer, is_read: bool, words: str) -> None:
    """In the order of the forward pass; who leaves numbers is a read-out only at an end."""
    assert cell(layer, "kind", is_read) == words


def test_both_sides_of_a_window_are_named_where_they_differ() -> None:
    """A convolution over one dimension has its stride there alone."""
    layer = replace(CONV, kernel=(3, 1), stride=(2, 1), padding=(1, 0), dilation=(2, 1))
    assert cell(layer, "kernel") == "3x1 stride 2x1 pad 1x0 dilation 2x1"
    assert cell(CONV, "kernel") == "3x3 stride 1 pad 0"
