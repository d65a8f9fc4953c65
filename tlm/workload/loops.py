"""Layers that read steps before: loops of the graph, which only time opens."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.workload.model import Layer


def feeds_back(layer: Layer) -> bool:
    """Whether it reads itself or a later layer, of steps before."""
    return max(layer.reads) >= layer.index


def loops(layers: Sequence[Layer]) -> list[range]:
    """From each layer that reads a later one to that later one; overlapping ones are one."""
    spans: list[range] = []
    for layer in filter(feeds_back, layers):
        span = range(layer.index, max(layer.reads) + 1)
        if spans and span.start < spans[-1].stop:
            span = range(spans[-1].start, max(span.stop, spans[-1].stop))
            spans.pop()
        spans.append(span)
    return spans
