"""Who reads what in a layer graph."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.workload.model import Addend, Layer, Shortcut


def heads(layers: Sequence[Layer]) -> tuple[int, ...]:
    """Indices of the layers that no later layer reads or adds: their readers are the loss."""
    used = {read for layer in layers for read in _reads(layer) if read < layer.index}
    return tuple(layer.index for layer in layers if layer.index not in used)


def added_currents(layers: Sequence[Layer]) -> frozenset[int]:
    """Indices of the layers with neurons whose current a later layer adds to its own."""
    return frozenset(
        shortcut.layer
        for layer in layers
        for shortcut in layer.shortcuts
        if not adds_output(shortcut, layers)
    )


def added_outputs(layers: Sequence[Layer]) -> frozenset[int]:
    """Indices of the layers whose output, behind its pool, a later layer adds to its current."""
    return frozenset(
        shortcut.layer
        for layer in layers
        for shortcut in layer.shortcuts
        if adds_output(shortcut, layers)
    )


def shortcuts_from(index: int, layers: Sequence[Layer]) -> list[tuple[Layer, Shortcut]]:
    """The shortcuts that come from a layer, each with the layer that it leads to."""
    return [
        (layer, shortcut)
        for layer in layers
        for shortcut in layer.shortcuts
        if shortcut.layer == index
    ]


def addends_of(index: int, layers: Sequence[Layer]) -> list[tuple[Layer, Addend]]:
    """The addends that a layer is a source of, each with the layer that adds it."""
    added = ((layer, layer.addend) for layer in layers)
    return [
        (layer, addend) for layer, addend in added if addend is not None and index in addend.sources
    ]


def adds_output(shortcut: Shortcut, layers: Sequence[Layer]) -> bool:
    """Whether an output is added, behind its pool; that of a layer without neurons is a current."""
    return shortcut.of == "spikes" or layers[shortcut.layer].neuron is None


def has_dY(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Whether dY of ``layer`` differs from its dU: something lies or joins in between."""
    return not layer.product_is_current or layer.index in added_currents(layers)


def _reads(layer: Layer) -> tuple[int, ...]:
    return (*layer.reads, *layer.added)
