"""A workload as tables for a terminal: what it is, its layers, its densities."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from tlm.workload.density import Densities, densities
from tlm.workload.model import Layer, Shape3, Workload


def info_tables(workload: Workload) -> list[Table]:
    """Tables for ``workload info``: header, layers, then densities of each recorded iteration.

    Reads every recording. Raises WorkloadError if one is damaged.
    """
    tables = [_header(workload), _layers(workload)]
    for which, iteration in enumerate(workload.iterations):
        measured = densities(workload.load(which))
        tables.append(_densities(workload, iteration, measured))
    return tables


def _header(workload: Workload) -> Table:
    table = Table(title=escape(workload.name), show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    rows = {
        "file": str(workload.path),
        "time steps T, batch B": f"{workload.steps}, {workload.batch}",
        "input coding": workload.encoding,
        "neurons": "; ".join(dict.fromkeys(_neuron(layer) for layer in workload.layers)),
        "optimizer": workload.optimizer,
        "test accuracy": f"{workload.accuracy:.3f}",
        "data set": workload.dataset,
        "licence": workload.licence,
        "recorded iterations": ", ".join(map(str, workload.iterations)),
        **workload.provenance,
        "sha256": workload.sha256,
    }
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    return table


def _layers(workload: Workload) -> Table:
    table = Table("layer", "kind", "input CxHxW", "neurons KxExF", "kernel", "pool")
    table.title = "Layers"
    for layer in workload.layers:
        table.add_row(
            escape(f"{layer.index} {layer.name}"),
            layer.kind,
            _shape(layer.in_shape),
            _shape(layer.out_shape),
            _window(layer),
            f"{layer.pool.kind} {layer.pool.size}/{layer.pool.stride}" if layer.pool else "-",
        )
    return table


def _densities(workload: Workload, iteration: int, measured: Densities) -> Table:
    steps = [f"t={step}" for step in range(workload.steps)]
    table = Table("layer", "tensor", "mean", *steps)
    table.title = f"Non-zero share at iteration {iteration} (input {measured.inputs:.3f})"
    for layer in workload.layers:
        named = {"S": measured.spikes, "m": measured.masks, "dU": measured.gradients}
        for tensor, shares in named.items():
            row = shares[layer.index]
            first = escape(f"{layer.index} {layer.name}") if tensor == "S" else ""
            table.add_row(first, tensor, f"{row.mean():.3f}", *(f"{one:.3f}" for one in row))
    return table


def _neuron(layer: Layer) -> str:
    one = layer.neuron
    return (
        f"decay {one.decay:g}, gain {one.gain:g}, threshold {one.threshold:g}, {one.reset} reset"
        f"{' (detached)' if one.detach_reset else ''}, {one.surrogate} surrogate of width "
        f"{one.surrogate_width:g}"
    )


def _shape(shape: Shape3) -> str:
    return "x".join(map(str, shape))


def _window(layer: Layer) -> str:
    if layer.kind == "linear":
        return "-"
    rows, columns = layer.kernel
    return f"{rows}x{columns} stride {layer.stride[0]} pad {layer.padding[0]}"
