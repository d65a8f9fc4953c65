"""Graphs of the Neuromorphic Intermediate Representation, written by its own package."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tlm.errors import WorkloadError
from tlm.exchange import read_network
from tlm.running.runner import run_job
from tlm.workload import Pool, open_workload
from tlm.workload.network_file import write_network

nir = pytest.importorskip("nir")


def lif(shape: tuple[int, ...]) -> object:
    """Neurons of one kind over ``shape``."""
    ones = np.ones(shape)
    return nir.LIF(tau=ones, r=ones, v_leak=0 * ones, v_reset=0 * ones, v_threshold=ones)


def conv(outputs: int, inputs: int, size: int, **options: object) -> object:
    """A square convolution with its window at most."""
    words = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **options}
    return nir.Conv2d(
        (size, size), np.ones((outputs, inputs, 3, 3)), bias=np.zeros(outputs), **words
    )


def written(tmp_path: Path, nodes: dict[str, object], edges: list[tuple[str, str]]) -> Path:
    """A file of that graph."""
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
    return path


def chain(names: str) -> list[tuple[str, str]]:
    """Edges from each name to the next."""
    words = names.split()
    return list(pairwise(words))


def test_a_convolutional_net(tmp_path: Path) -> None:
    """Conv, LIF, pool, flatten, linear, LIF: two layers, and a run of them holds all laws."""
    two = np.array([2, 2])
    nodes = {
        "in": nir.Input({"input": np.array([2, 8, 8])}),
        "c": conv(4, 2, 8, padding=1),
        "n": lif((4, 8, 8)),
        "p": nir.SumPool2d(two, two, np.array([0, 0])),
        "f": nir.Flatten({"input": np.array([4, 4, 4])}, 0, -1),
        "l": nir.Affine(np.ones((10, 64)), np.ones(10)),
        "m": lif((10,)),
        "out": nir.Output({"output": np.array([10])}),
    }
    network = read_network([written(tmp_path, nodes, chain("in c n p f l m out"))], 2, 3)
    first, second = network.layers
    assert (first.name, first.in_shape, first.padding) == ("c", (2, 8, 8), (1, 1))
    assert first.pool == Pool.square("sum", 2, 2)
    assert (second.in_shape, second.out_shape, second.bias) == ((64, 1, 1), (10, 1, 1), True)
    assert (network.encoding, first.input_kind, second.input_kind) == ("rate", "binary", "integer")
    path = tmp_path / "net.json"
    write_network(path, network)
    assert run_job(open_workload(f"{path}:bernoulli(0.3)"), out=tmp_path / "run", trace="off").ok


def test_an_even_kernel_that_keeps_the_size(tmp_path: Path) -> None:
    """It would pad more on one side, which a layer that reads no operand cannot say."""
    nodes = {
        "in": nir.Input({"input": np.array([2, 8, 8])}),
        "c": nir.Conv2d((8, 8), np.ones((4, 2, 2, 3)), 1, "same", 1, 1, np.zeros(4)),
        "n": lif((4, 8, 8)),
        "out": nir.Output({"output": np.array([4, 8, 8])}),
    }
    with pytest.raises(WorkloadError, match=r"c: pads an even kernel .*; state the padding in"):
        read_network([written(tmp_path, nodes, chain("in c n out"))], 2, 3)


def test_a_sum_of_spikes_and_a_subgraph(tmp_path: Path) -> None:
    """Two populations that meet at a node are added up; nodes of subgraphs keep their place."""
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([6])}),
            "w": nir.Linear(np.ones((6, 6))),
            "n": lif((6,)),
            "output": nir.Output({"output": np.array([6])}),
        },
        edges=chain("input w n output"),
        type_check=False,
    )
    nodes = {
        "in": nir.Input({"input": np.array([4])}),
        "a": nir.Linear(np.ones((6, 4))),
        "x": lif((6,)),
        "block": inner,
        "b": nir.Linear(np.ones((3, 6))),
        "li": nir.LI(np.ones(3), np.ones(3), np.zeros(3)),
        "out": nir.Output({"output": np.array([3])}),
    }
    edges = [*chain("in a x block b li out"), ("x", "b")]
    layers = read_network([written(tmp_path, nodes, edges)], 2, 2).layers
    assert [layer.name for layer in layers] == ["a", "block.w", "b"]
    assert layers[2].sources == (0, 1)
    assert layers[2].neuron is None


def refused(tmp_path: Path, nodes: dict[str, object], edges: list[tuple[str, str]]) -> str:
    """What is said of a graph that cannot be taken over."""
    with pytest.raises(WorkloadError) as refusal:
        read_network([written(tmp_path, nodes, edges)], 2, 2)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_recurrence_is_refused(tmp_path: Path) -> None:
    """The circle is named."""
    nodes = {
        "in": nir.Input({"input": np.array([4])}),
        "a": nir.Linear(np.ones((4, 4))),
        "n": lif((4,)),
        "w": nir.Linear(np.ones((4, 4))),
        "out": nir.Output({"output": np.array([4])}),
    }
    edges = [*chain("in a n out"), ("n", "w"), ("w", "n")]
    assert "recurrent connections" in refused(tmp_path, nodes, edges)


def test_what_has_no_counterpart_is_named(tmp_path: Path) -> None:
    """A delay, two products in a row, and a window that does not fit."""
    ends = {
        "in": nir.Input({"input": np.array([4])}),
        "out": nir.Output({"output": np.array([4])}),
    }
    square = nir.Linear(np.ones((4, 4)))
    delay = {**ends, "d": nir.Delay(np.ones(4))}
    assert "d: Delay has no counterpart" in refused(tmp_path, delay, chain("in d out"))
    two = {**ends, "a": square, "b": square}
    assert "b: follows another product" in refused(tmp_path, two, chain("in a b out"))
    pool = {**ends, "p": nir.AvgPool2d(*(np.array([2, 2]),) * 2, np.array([0, 0])), "a": square}
    assert "p: expected one pool, behind" in refused(tmp_path, pool, chain("in p a out"))
    wide = {**ends, "a": nir.Linear(np.ones((4, 5)))}
    assert "a: its weights (4, 5) do not fit" in refused(tmp_path, wide, chain("in a out"))
    lost = {**ends, "a": square}
    line = refused(tmp_path, lost, [*chain("in a out"), ("a", "b")])
    assert line.endswith("edge a -> b: there is no node 'b'")


def test_an_output_is_that_of_a_layer_that_no_other_reads(tmp_path: Path) -> None:
    """A second output on the way is named; a pool before the output is that of the last layer."""
    nodes = {
        "in": nir.Input({"input": np.array([3, 6, 6])}),
        "a": conv(3, 3, 6, padding=1),
        "n": lif((3, 6, 6)),
        "b": conv(3, 3, 6, padding=1),
        "m": lif((3, 6, 6)),
        "p": nir.AvgPool2d(*(np.array([2, 2]),) * 2, np.array([0, 0])),
        "out": nir.Output({"output": np.array([3, 3, 3])}),
        "early": nir.Output({"output": np.array([3, 6, 6])}),
    }
    line = refused(tmp_path, nodes, [*chain("in a n b m p out"), ("n", "early")])
    assert "early: puts out what b reads too" in line
    del nodes["early"]
    first, last = read_network([written(tmp_path, nodes, chain("in a n b m p out"))], 2, 2).layers
    assert (first.pool, last.pool) == (None, Pool.square("average", 2, 2))


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    """Whatever the package raises becomes one line."""
    path = tmp_path / "net.nir"
    path.write_bytes(b"no HDF5")
    with pytest.raises(WorkloadError, match="the package nir can read"):
        read_network([path], 2, 2)
