"""Lists of layers of other tools: every product as it is listed, what lies between inferred."""

from math import prod
from pathlib import Path

import pytest

from tlm.errors import WorkloadError
from tlm.exchange import read_network
from tlm.running.runner import run_job
from tlm.workload import Layer, Pool, open_workload
from tlm.workload.network_file import read_network_file, write_network

RESIDUAL = """Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, C, K, Stride,
stem, 38, 38, 7, 7, 3, 8, 2,
a, 10, 10, 3, 3, 8, 16, 2,
b, 6, 6, 3, 3, 16, 16, 1,
shortcut, 8, 8, 1, 1, 8, 16, 2,
fc, 1, 1, 1, 1, 16, 10, 1,
"""

ZIGZAG = """
- id: 0
  operator_type: Conv
  equation: O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]
  dimension_relations: [ix=2*ox+1*fx, iy=2*oy+1*fy]
  loop_dims: [B, K, C, OY, OX, FY, FX]
  loop_sizes: [1, 4, 3, 8, 6, 3, 1]
- id: 1
  operator_type: Conv
  equation: O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]
  loop_dims: [B, K, C, OY, OX, FY, FX]
  loop_sizes: [1, 4, 4, 8, 6, 3, 3]
  operand_source: {I: 0}
- id: 2
  operator_type: Add
  equation: O[b][k][oy][ox]=I[b][k][oy][ox]+X[b][k][oy][ox]
  loop_dims: [B, K, OY, OX]
  loop_sizes: [1, 4, 8, 6]
  operand_source: {I: 0, X: 1}
- id: 3
  operator_type: Gemm
  equation: O[b][k]+=W[k][c]*I[b][c]
  loop_dims: [B, K, C]
  loop_sizes: [1, 10, 192]
  operand_source: {I: 2}
"""


def layers(tmp_path: Path, name: str, text: str) -> tuple[Layer, ...]:
    """The layers of a file of that name and text."""
    path = tmp_path / name
    path.write_text(text)
    return read_network([path], 2, 2).layers


def test_a_residual_net_of_scale_sim(tmp_path: Path) -> None:
    """Padding and pools fit the sizes; the shortcut is added where nobody else has read it."""
    stem, a, b, shortcut, fc = layers(tmp_path, "net.csv", RESIDUAL)
    assert (stem.in_shape, stem.out_shape, stem.pool) == (
        (3, 38, 38),
        (8, 16, 16),
        Pool.square("max", 2, 2),
    )
    assert (a.padding, b.padding, shortcut.padding) == ((1, 1), (1, 1), (0, 0))
    assert [layer.sources for layer in (a, b, shortcut, fc)] == [(0,), (1,), (0,), (2, 3)]
    assert fc.input_pool == Pool.square("average", 4, 4)
    assert fc.neuron is None and fc.bias


def test_products_are_those_of_the_list(tmp_path: Path) -> None:
    """MACs by hand: filters x channels x window x positions, as SCALE-Sim counts them."""
    macs = [layer.macs for layer in layers(tmp_path, "net.csv", RESIDUAL)]
    assert macs == [
        *(8 * 3 * 49 * 16 * 16, 16 * 8 * 9 * 4 * 4, 16 * 16 * 9 * 4 * 4, 16 * 8 * 4 * 4, 160),
    ]


def test_products_of_matrices(tmp_path: Path) -> None:
    """M positions of K channels make N: a convolution of one position."""
    first, second = layers(tmp_path, "net.csv", "Layer, M, N, K,\na, 64, 20, 32,\nb, 64, 8, 20,\n")
    assert (first.in_shape, first.out_shape) == ((32, 64, 1), (20, 64, 1))
    assert (first.macs, second.macs) == (64 * 20 * 32, 64 * 8 * 20)


def test_a_list_of_zigzag_with_a_sum(tmp_path: Path) -> None:
    """Sources as the list says; an Add is read as what it adds up."""
    first, second, last = layers(tmp_path, "net.yaml", ZIGZAG)
    assert (first.in_shape, first.kernel, first.stride) == ((3, 17, 11), (3, 1), (2, 2))
    assert (second.sources, second.padding) == ((0,), (1, 1))
    assert last.sources == (0, 1)
    assert last.macs == 10 * prod(second.out_shape)


def test_problems_of_timeloop_are_layers_in_order(tmp_path: Path) -> None:
    """One file a layer; P, Q, R, S and strides say the input's size."""
    paths = []
    for number, channels in enumerate((8, 16)):
        paths.append(tmp_path / f"layer{number}.yaml")
        paths[-1].write_text(
            f"problem:\n  shape: cnn-layer\n  instance: {{C: {channels}, M: 16, P: 7, Q: 7, R: 3, "
            "S: 3, N: 1, Hstride: 1, Wstride: 1}\n"
        )
    network = read_network(paths, 2, 2)
    first, second = network.layers
    assert (network.name, first.in_shape, second.padding) == ("layer0", (8, 9, 9), (1, 1))
    assert second.macs == 16 * 16 * 9 * 49


def test_an_imported_network_runs_with_drawn_masks(tmp_path: Path) -> None:
    """Its file holds all of it; it is opened without running anything, and all laws hold."""
    source, path = tmp_path / "net.csv", tmp_path / "net.json"
    source.write_text(RESIDUAL)
    network = read_network([source], 2, 2)
    write_network(path, network)
    assert read_network_file(path) == network
    job = open_workload(f"{path}[B=1]:bernoulli(0.3)")
    assert (job.batch, job.steps, job.layers) == (1, 2, network.layers)
    assert run_job(job, out=tmp_path / "run", trace="off").ok


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "Layer,\nx, 8, 8, 3, 3, 4, 4,\n", "a.csv:2: expected LAYER"),
        ("a.csv", "Layer,\nx, 8, 8, 3, 3, 4, 0, 1\n", "a.csv:2: expected LAYER"),
        ("a.csv", "Layer,\n", "at least one layer"),
        ("a.csv", "Layer,\nx,4,4,1,1,3,8,1,\ny,4,4,1,1,5,8,1,\n", "y: its input of 5x4x4"),
        ("a.csv", "Layer,\nx,4,4,1,1,3,8,1,\ny,4,4,1,1,8,8,1,\nz,9,9,1,1,8,8,1,\n", "z: its input"),
        (
            "a.csv",
            "Layer,\nx,4,4,1,1,3,8,1,\ny,4,4,1,1,8,8,1,\ny,4,4,1,1,8,8,1,\n",
            "a name of its",
        ),
        ("a.yaml", "layers: 3\n", "a list of layers"),
        ("a.yaml", "- {id: 0}\n", 'expected an "equation"'),
        ("a.yaml", "- {equation: 'O[b]=max(I[b])'}\n", "expected a product such as"),
        ("a.yaml", "problem: {instance: {C: 8}}\n", "expected C and M"),
        ("a.yaml", "problem: {instance: {C: 8, M: 0}}\n", "M: expected a whole number"),
        ("a.yaml", "a: &a [1]\nb: *a\n", "anchor"),
        ("a.txt", "x", "expected .nir (NIR)"),
        ("a.nir", "x", "the package nir can read"),
    ],
)
def test_what_cannot_be_taken_over_is_told(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    """One line with the file, the place and what was expected."""
    with pytest.raises(WorkloadError) as refusal:
        layers(tmp_path, name, text)
    assert words in str(refusal.value)
    assert str(refusal.value).startswith(str(tmp_path / name))
    assert "\n" not in str(refusal.value)
