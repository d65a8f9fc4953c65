"""A workload in words and figures: what it is, its layers, its densities."""

from __future__ import annotations

from typing import Any

from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import Layer, Neuron, Shape3, Shortcut, Workload
from tlm.workload.report.density import densities, measured_tensors
from tlm.workload.report.reads import pool_words, reads, sides

LAYER_COLUMNS = ("layer", "reads", "kind", "input CxHxW", "neurons KxExF", "kernel", "pool")
SYMBOLS = {"spikes": "S", "masks": "m", "dU": "dU", "dY": "dY"}


def info_figures(workload: Workload) -> dict[str, Any]:
    """What ``workload info`` shows, as plain values: densities are non-zero shares by layer, step.

    Reads every recording. Raises WorkloadError if one is damaged.
    """
    recorded, answers = {}, {}
    for position, iteration in enumerate(workload.iterations):
        recording = workload.load(position)
        measured = densities(recording)
        if recording.answers is not None:
            answers[iteration] = {
                name: numbers.tolist() for name, numbers in vars(recording.answers).items()
            }
        recorded[iteration] = {
            layer.name: {
                SYMBOLS[tensor]: getattr(measured, tensor)[layer.index].tolist()
                for tensor in measured_tensors(workload, layer)
            }
            for layer in workload.layers
        }
    layers = [
        {field: getattr(layer, field) for field in ("name", "kind", "in_shape", "out_shape")}
        for layer in workload.layers
    ]
    figures = {**facts(workload), "layers": layers, "densities": recorded}
    return {**figures, "answers": answers} if answers else figures


def facts(workload: Workload) -> dict[str, str]:
    """What a job is, in words by name."""
    return {
        "file": str(workload.path),
        **({"recorded for": workload.mode} if workload.mode == "inference" else {}),
        "time steps T, batch B": f"{workload.steps}, {workload.batch}",
        "input coding": workload.encoding,
        "neurons": "; ".join(
            dict.fromkeys(_neuron(layer.neuron) for layer in workload.layers if layer.neuron)
        ),
        "optimizer": workload.optimizer,
        "test accuracy": f"{workload.accuracy:.3f}",
        "data set": workload.dataset,
        "licence": workload.licence,
        "activity": workload.activity,
        "recorded iterations": ", ".join(
            f"{iteration} ({level})"
            for iteration, level in zip(workload.iterations, workload.levels, strict=True)
        ),
        **workload.provenance,
        "sha256": workload.sha256,
    }


def layer_cells(layer: Layer, is_read: bool) -> tuple[str, ...]:
    """What a layer is, in the order of ``LAYER_COLUMNS``; ``is_read`` by a later layer."""
    return (
        f"{layer.index} {layer.name}",
        reads(layer),
        _kind(layer, is_read),
        _shape(layer.in_shape),
        _shape(layer.out_shape),
        _window(layer),
        pool_words(layer.pool),
    )


def _kind(layer: Layer, is_read: bool) -> str:
    """What makes the current, what it passes, and what leaves the layer if that is no spikes."""
    parts = [f"dropout {layer.dropout:g}"] if layer.dropout else []
    parts.append(layer.kind)
    if layer.groups > 1:
        parts.append(f"{layer.groups} {'groups' if layer.held is None else 'heads'}")
    if layer.norm is not None:
        parts.append("norm")
    parts += map(_added, layer.shortcuts)
    if layer.current_pool is not None:
        parts.append(pool_words(layer.current_pool))
    if layer.neuron is None:
        parts.append("no neurons" if is_read else "read-out")
    elif layer.membrane_output:
        parts.append("membrane output")
    return ", ".join(parts)


def _added(shortcut: Shortcut) -> str:
    pool = "" if shortcut.pool is None else f" {pool_words(shortcut.pool)}"
    return f"+ {'S' if shortcut.of == 'spikes' else 'I'} of {shortcut.layer}{pool}"


def _neuron(neuron: Neuron | GLMNeuron) -> str:
    if isinstance(neuron, GLMNeuron):
        return (
            f"GLM, {neuron.functions} raised cosines over {neuron.taps} steps, weights of "
            f"{neuron.devices} binary devices in steps of {neuron.weight_step:.3g}, sigmoid of "
            f"2^{neuron.address_bits} entries of {neuron.output_bits} bit, shift register of "
            f"{neuron.register_bits} bit ({neuron.shifts} shifts a draw)"
        )
    shown = ["current_decay"] * bool(neuron.current_decay) + ["decay", "gain", "threshold"]
    shown += [name for name, _ in neuron.channels if name not in shown]
    return ", ".join(
        [
            *(_constant(neuron, name) for name in shown),
            f"{neuron.reset} reset{' (detached)' if neuron.detach_reset else ''}",
            f"{neuron.surrogate} surrogate of width {neuron.surrogate_width:g}",
            *(f"learns {name}{' by channel' * neuron.by_channel}" for name in neuron.learnt),
        ]
    )


def _constant(neuron: Neuron, name: str) -> str:
    """A constant and its value, or the least and the largest of its channels."""
    word, values = name.replace("_", " "), dict(neuron.channels).get(name)
    if values is None:
        return f"{word} {getattr(neuron, name):g}"
    return f"{word} {min(values):g}..{max(values):g} by channel"


def _shape(shape: Shape3) -> str:
    return "x".join(map(str, shape))


def _window(layer: Layer) -> str:
    if layer.kind != "conv":
        return "-"
    rows, columns = layer.kernel
    dilated = "" if layer.dilation == (1, 1) else f" dilation {sides(layer.dilation)}"
    return f"{rows}x{columns} stride {sides(layer.stride)} pad {sides(layer.padding)}{dilated}"
