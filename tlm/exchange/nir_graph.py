"""Graphs of the Neuromorphic Intermediate Representation (NIR) -> a layer graph.

Convolutions, linear maps, pools, flattening, neurons and sums of spikes are taken over. Weights are
not, as a network without tensors has none; nor is the leak of a last read-out. NIR knows no
surrogate, batch norm, mini-batch or number of steps: neurons have the surrogate of ``lif_neuron``.
Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 8122
(2024), and the package ``nir``, by whose class names nodes are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from math import prod
from pathlib import Path
from typing import Any, Literal

from tlm.errors import WorkloadError
from tlm.exchange.layer_list import ListedLayer, layer_of
from tlm.workload.input_kind import input_kind
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Shape3
from tlm.workload.surrogate import lif_neuron

_PRODUCTS = ("Conv1d", "Conv2d", "Linear", "Affine")
_NEURONS = ("LIF", "IF", "CubaLIF")
_READOUTS = ("LI", "CubaLI", "I")
_POOLS: dict[str, Literal["average", "sum"]] = {"AvgPool2d": "average", "SumPool2d": "sum"}
_PASSED = ("Output", "Flatten", "Scale")


@dataclass(frozen=True)
class _Signal:
    """What flows along an edge: a sum of layers' outputs, or the product of a ``layer``.

    ``shape`` is (C, H, W); ``pool`` the pool that it has passed.
    """

    shape: Shape3
    sources: tuple[int, ...] = ()
    pool: Pool | None = None
    layer: int | None = None


def layers_of(path: Path, graph: Any) -> tuple[Layer, ...]:
    """The layers of ``graph``, a ``nir.NIRGraph``, in an order in which they can be computed.

    Raises WorkloadError naming the node that has no counterpart, the edge that goes back, or the
    output of the graph that other layers read too.
    """
    nodes, reads = _flat(path, graph, "")
    try:
        order = list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1][:4])
        raise WorkloadError(
            f"{path}: {circle}: recurrent connections cannot be imported; record the network"
        ) from None
    importer = _Importer(path)
    signals: dict[str, _Signal] = {}
    for name in order:
        signals[name] = importer.signal(name, nodes[name], [signals[at] for at in reads[name]])
    if not importer.layers:
        raise WorkloadError(f"{path}: expected a graph with Conv2d, Linear or Affine nodes")
    for name in graph.outputs:
        importer.leave(name, signals[name])
    return tuple(importer.layers)


def _flat(path: Path, graph: Any, prefix: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Nodes of a graph and its subgraphs by name, and what each of them reads."""
    nodes: dict[str, Any] = {}
    reads: dict[str, list[str]] = {}
    ends: dict[str, tuple[str, str]] = {}  # of a subgraph: where it is entered and left
    for name, node in graph.nodes.items():
        if type(node).__name__ != "NIRGraph":
            nodes[prefix + name], reads[prefix + name] = node, []
            continue
        inner_nodes, inner_reads = _flat(path, node, f"{prefix}{name}.")
        nodes |= inner_nodes
        reads |= inner_reads
        ends[name] = (f"{prefix}{name}.{next(iter(node.inputs))}",
                      f"{prefix}{name}.{next(iter(node.outputs))}")  # fmt: skip
    for source, target in graph.edges:
        for end in (source, target):
            if end not in graph.nodes:
                raise WorkloadError(
                    f"{path}: edge {prefix}{source} -> {prefix}{target}: there is no node {end!a}"
                )
        _, leaving = ends.get(source, ("", prefix + source))
        entered, _ = ends.get(target, (prefix + target, ""))
        reads[entered].append(leaving)
    return nodes, reads


class _Importer:
    """Collects layers while it follows the signals of one graph."""

    def __init__(self, path: Path) -> None:
        self.layers: list[Layer] = []
        self._path = path

    def signal(self, name: str, node: Any, read: Sequence[_Signal]) -> _Signal:
        """What ``node`` puts out, having ``read`` these."""
        kind = type(node).__name__
        if kind == "Input" and not read:
            shape = self._shape(name, node.input_type["input"])
            return _Signal(shape, (NETWORK_INPUT,))
        arriving = self._sum(name, read)
        if kind in _PRODUCTS:
            return self._product(name, kind, node, arriving)
        if kind in _NEURONS or kind in _READOUTS:
            return self._neuron(name, kind, arriving)
        if kind in _POOLS:
            return self._pool(name, _POOLS[kind], node, arriving)
        if kind in (*_PASSED, "Input"):
            return arriving
        raise self._refusal(name, f"{kind} has no counterpart here; record the network instead")

    def leave(self, name: str, leaving: _Signal) -> None:
        """Let the graph's output ``name`` be that of heads: of layers that no other reads."""
        heads = leaving.sources if leaving.layer is None else (leaving.layer,)
        for head in heads:
            readers = [layer.name for layer in self.layers if head in layer.sources]
            if readers:
                raise self._refusal(
                    name, f"puts out what {readers[0]} reads too, and only layers that no other "
                    "reads have a loss; take the output away, or record the network"
                )  # fmt: skip
            if head != NETWORK_INPUT:
                self._set_pool(name, head, leaving.pool)

    def _refusal(self, name: str, what: str) -> WorkloadError:
        return WorkloadError(f"{self._path}: {name}: {what}")

    def _sum(self, name: str, read: Sequence[_Signal]) -> _Signal:
        """Signals that meet at one node are added up."""
        if not read:
            raise self._refusal(name, "expected an edge that leads to it")
        first = read[0]
        if len(read) == 1:
            return first
        if any(each.layer is not None or each.pool != first.pool for each in read):
            raise self._refusal(
                name, "adds up currents, or outputs pooled otherwise; only sums of spikes can be "
                "imported"
            )  # fmt: skip
        return replace(first, sources=tuple(sorted(at for each in read for at in each.sources)))

    def _product(self, name: str, kind: str, node: Any, arriving: _Signal) -> _Signal:
        if arriving.layer is not None:
            raise self._refusal(name, "follows another product without neurons between them")
        if _uneven(node):
            what = 'pads an even kernel "same", by more on one side; state the padding in numbers'
            raise self._refusal(name, what)
        layer = _layer(len(self.layers), name, kind, node, arriving)
        if layer is None or min(layer.out_shape) < 1:
            weights = tuple(map(int, node.weight.shape))
            raise self._refusal(
                name, f"its weights {weights} do not fit the input {arriving.shape}"
            )
        for source in arriving.sources:
            if source != NETWORK_INPUT:
                self._set_pool(name, source, arriving.pool)
        pools = [arriving.pool]
        self.layers.append(
            replace(layer, input_kind=input_kind(arriving.sources, pools, network_input="binary"))
        )
        return _Signal(layer.out_shape, layer=layer.index)

    def _set_pool(self, name: str, source: int, pool: Pool | None) -> None:
        layer = self.layers[source]
        others = [reader for reader in self.layers if source in reader.sources]
        if others and layer.pool != pool:
            raise self._refusal(name, f"reads {layer.name} through another pool than others do")
        self.layers[source] = replace(layer, pool=pool)

    def _neuron(self, name: str, kind: str, arriving: _Signal) -> _Signal:
        if arriving.layer is None:
            raise self._refusal(name, f"{kind} behind no product; put a Linear or Conv2d before it")
        if kind in _NEURONS:
            layer = self.layers[arriving.layer]
            self.layers[arriving.layer] = replace(layer, neuron=lif_neuron())
        return _Signal(arriving.shape, (arriving.layer,))

    def _pool(
        self, name: str, kind: Literal["average", "sum"], node: Any, arriving: _Signal
    ) -> _Signal:
        if arriving.layer is not None or arriving.pool or NETWORK_INPUT in arriving.sources:
            raise self._refusal(name, "expected one pool, behind neurons")
        size, stride, padding = (
            _pair(getattr(node, key)) for key in ("kernel_size", "stride", "padding")
        )
        pool = Pool(kind, size, stride, padding)
        return replace(arriving, shape=pool.pooled(arriving.shape), pool=pool)

    def _shape(self, name: str, shape: Any) -> Shape3:
        sizes = [] if shape is None else [int(size) for size in shape]
        while len(sizes) > 3 and sizes[0] == 1:
            sizes = sizes[1:]  # a batch of one
        if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
            raise self._refusal(name, f"expected a shape of channels, rows, columns, got {sizes}")
        channels, height, width = (*sizes, 1, 1)[:3]
        return (channels, height, width)


def _layer(index: int, name: str, kind: str, node: Any, arriving: _Signal) -> Layer | None:
    """The layer that a product node is; None if it does not fit what arrives."""
    weights = node.weight.shape
    linear = kind in ("Linear", "Affine")
    if linear:
        shape: Shape3 = (prod(arriving.shape), 1, 1)
        kernel, stride, padding, groups, dilation = (1, 1), (1, 1), (0, 0), 1, (1, 1)
    else:
        shape = arriving.shape
        kernel, groups = (int(weights[2]), int((*weights, 1)[3])), int(node.groups)
        stride, dilation = _pair(node.stride, kind), _pair(node.dilation, kind)
        padding = _padding(node, kind, kernel, dilation)
    if int(weights[-1] if linear else weights[1] * groups) != shape[0]:
        return None
    padded = (shape[0], shape[1] + 2 * padding[0], shape[2] + 2 * padding[1])
    outputs = int(weights[-2] if linear else weights[0])
    row = ListedLayer(name[-64:], padded, outputs, kernel, stride, groups=groups, dilation=dilation)
    bias = getattr(node, "bias", None)
    return replace(
        layer_of(row, index, arriving.sources, padding),
        kind="linear" if linear else "conv",
        stride=stride,
        bias=bias is not None and bool(bias.any()),
        neuron=None,
    )


def _uneven(node: Any) -> bool:
    """Whether a convolution that keeps the size needs more zeros on one side than on the other."""
    if not isinstance(padding := getattr(node, "padding", None), str) or padding != "same":
        return False
    sides = zip(_pair(node.dilation), node.weight.shape[2:], strict=False)  # one of a Conv1d
    return any(dilation * (taps - 1) % 2 for dilation, taps in sides)


def _pair(value: Any, kind: str = "Conv2d") -> tuple[int, int]:
    """Rows and columns of a node's number or pair; of one dimension, rows alone."""
    numbers = [int(number) for number in getattr(value, "flat", _listed(value))]
    rest = 1 if kind == "Conv1d" else numbers[-1]
    return (numbers[0], rest)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _padding(
    node: Any, kind: str, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int]:
    if isinstance(node.padding, str):
        same = (kernel[0] // 2 * dilation[0], kernel[1] // 2 * dilation[1])
        return (0, 0) if node.padding == "valid" else same
    rows, columns = _pair(node.padding)
    return (rows, 0 if kind == "Conv1d" else columns)
