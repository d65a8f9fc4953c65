"""Layers as other tools list them -> a layer graph.

A list of loop bounds says what each layer multiplies, but not what lies between layers. So that is
inferred, and told: pools and padding from the sizes on both sides, sums from outputs that nobody
has read. The multiply-accumulates of each layer are those of the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from tlm.errors import WorkloadError
from tlm.workload.input_kind import input_kind
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Shape3, extent
from tlm.workload.surrogate import lif_neuron

_LARGEST_POOL = 8  # side of a window between two layers; one over a whole image may be larger


@dataclass(frozen=True)
class ListedLayer:
    """A product as it is listed.

    ``padded`` is (C, H, W) of the input with its padding, ``outputs`` K, ``padding`` (rows,
    columns) if the list says so, ``sources`` the names of the layers whose outputs it adds up, ()
    the network's input; None if the list does not say.
    """

    name: str
    padded: Shape3
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] | None = None
    groups: int = 1
    sources: tuple[str, ...] | None = None
    dilation: tuple[int, int] = (1, 1)

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first tap of the kernel to its last."""
        return extent(self.kernel, self.dilation)

    @property
    def linear(self) -> bool:
        """Whether it reads one position and is one."""
        return self.padded[1:] == (1, 1) and self.kernel == (1, 1)


@dataclass(frozen=True)
class _Join:
    """What lies between a source and a reader: a pool, and padding of the pooled."""

    pool: Pool | None
    padding: tuple[int, int]


def joined(where: str, listed: Sequence[ListedLayer]) -> tuple[Layer, ...]:
    """The layer graph of a list, in its order; ``where`` names it in errors.

    A layer whose sources are not listed adds up all outputs that fit it and that nobody has read;
    if there are none it reads the latest that fits. The last layer is a read-out if it is linear.

    Raises WorkloadError if a layer's input fits no output before it, or an output is read by none.
    """
    layers: list[Layer] = []
    unread: set[int] = set()
    for row in listed:
        joins = _sources(where, row, layers, unread)
        join = next(iter(joins.values()))
        layer, pool = layer_of(row, len(layers), tuple(sorted(joins)), join.padding), join.pool
        if len(joins) == 1 and joins.keys() <= unread:
            (source,) = joins
            layers[source] = replace(layers[source], pool=pool)
        else:  # of a sum, or of an output that others read as it is
            layer = replace(layer, input_pool=pool)
        layers.append(layer)
        unread -= joins.keys()
        unread.add(layer.index)
    lost = sorted(unread - {len(layers) - 1})
    if lost:
        raise WorkloadError(
            f"{where}: {layers[lost[0]].name}: no later layer reads its {layers[lost[0]].out_shape}"
            " output; list the layers in order of the forward pass, up to one last layer"
        )
    if layers[-1].kind == "linear":
        layers[-1] = replace(layers[-1], neuron=None, bias=True)
    return tuple(_with_input_kinds(layers))


def _sources(
    where: str, row: ListedLayer, layers: Sequence[Layer], unread: set[int]
) -> dict[int, _Join]:
    """The layers that ``row`` reads, with what lies between."""
    if not layers or row.sources == ():
        padding = row.padding or (0, 0)
        return {NETWORK_INPUT: _Join(None, padding)}
    if row.sources is not None:
        by_name = {layer.name: layer.index for layer in layers}
        asked = [by_name[name] for name in row.sources]
    else:
        asked = list(range(len(layers)))
    fitting = {at: join for at in asked if (join := _join(layers[at], row, at in unread))}
    if not fitting or (row.sources is not None and len(fitting) < len(asked)):
        last = layers[asked[-1]]
        raise WorkloadError(
            f"{where}: {row.name}: its input of {_text(row.padded)}, padding included, fits no "
            f"output before it ({last.name} leaves {_text(last.out_shape)}); concatenations and "
            "uneven padding cannot be imported"
        )
    if row.sources is not None:
        return fitting
    waiting = {at: join for at, join in fitting.items() if at in unread}
    if not waiting:
        latest = max(fitting)
        return {latest: fitting[latest]}
    same = waiting[max(waiting)]
    return {at: join for at, join in waiting.items() if join == same}


def _join(layer: Layer, row: ListedLayer, unread: bool) -> _Join | None:
    """What lies between ``layer`` and a reader of its output; None if nothing makes it fit."""
    left = layer.out_shape if unread else layer.pooled_shape
    for pool in _pools(left, row.linear):
        shape = left if pool is None else pool.pooled(left)
        if row.linear:
            join = _Join(pool, (0, 0)) if prod(shape) == row.padded[0] else None
        else:
            join = _padded(row, shape, pool) if shape[0] == row.padded[0] else None
        if join is not None:
            return join
    return None


def _pools(shape: Shape3, linear: bool) -> list[Pool | None]:
    """Pools of an output, the least surprising first: none, windows of 2 to 8, one over all.

    Before a linear layer one over all comes first.
    """
    _, rows, columns = shape
    largest = min(rows, columns, _LARGEST_POOL)
    windows = [Pool.square("max", size, size) for size in range(2, largest + 1)]
    whole = [Pool("average", (rows, columns), (rows, columns))] if rows * columns > 1 else []
    return [None, *whole, *windows] if linear else [None, *windows, *whole]


def _padded(row: ListedLayer, shape: Shape3, pool: Pool | None) -> _Join | None:
    """The padding that makes ``shape`` the input of ``row``; None if there is none.

    A list may leave out rows that a stride does not reach.
    """
    padding = []
    for axis in (0, 1):
        size, asked, step = shape[1 + axis], row.padded[1 + axis], row.stride[axis]
        stated = None if row.padding is None else row.padding[axis]
        choices = range(row.extent[axis]) if stated is None else (stated,)
        fitting = [pad for pad in choices if asked <= size + 2 * pad < asked + step]
        if not fitting:
            return None
        padding.append(fitting[0])
    return _Join(pool, (padding[0], padding[1]))


def layer_of(
    row: ListedLayer, index: int, sources: tuple[int, ...], padding: tuple[int, int]
) -> Layer:
    """The layer that ``row`` lists, reading ``sources``; its pool is known with its readers.

    What it reads is taken for spikes, and what it computes goes to LIF neurons.
    """
    channels, rows, columns = row.padded
    inside = (channels, rows - 2 * padding[0], columns - 2 * padding[1])
    out = (
        row.outputs,
        (rows - row.extent[0]) // row.stride[0] + 1,
        (columns - row.extent[1]) // row.stride[1] + 1,
    )
    return Layer(
        index=index,
        name=row.name,
        kind="linear" if row.linear else "conv",
        in_shape=inside,
        out_shape=out,
        kernel=row.kernel,
        stride=(1, 1) if row.linear else row.stride,
        padding=padding,
        sources=sources,
        input_pool=None,
        input_kind="binary",
        bias=False,
        norm=None,
        current_pool=None,
        neuron=lif_neuron(),
        pool=None,
        groups=row.groups,
        dilation=(1, 1) if row.linear else row.dilation,
    )


def _with_input_kinds(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Layers with the kind of numbers that each reads, and sizes that a stride left out."""
    for layer in layers:
        pools = [layer.input_pool, *(layers[at].pool for at in layer.producers)]
        kind = input_kind(layer.sources, pools, network_input="analog")
        shape = layer.in_shape
        if layer.kind == "conv" and layer.producers:
            shape = layers[layer.producers[0]].pooled_shape
            shape = shape if layer.input_pool is None else layer.input_pool.pooled(shape)
        yield replace(layer, input_kind=kind, in_shape=shape)


def _text(shape: Shape3) -> str:
    return "x".join(map(str, shape))
