"""Calls of a module -> one array with a time axis and a batch axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.values import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

# A tensor without time axis is [N, K] or [N, K, E, F]; with a time axis [T, B, K] or
# [T, B, K, E, F].
_PLAIN_RANKS = (2, 4)
_TIMED_RANKS = (3, 5)
_ORDERS = ("[T, B, ...]", "[B, T, ...]")


def batch_of(boundary: Boundary, steps: int) -> int:
    """Samples B of the mini-batch, read off a neuron's calls.

    Raises WorkloadError unless it was called T times with [B, ...], or once with all T steps: with
    [T, B, ...], folded to [T B, ...], or, where its ``time_axis`` is 1, with B before T.
    """
    shape = [int(size) for size in boundary.inputs[0].shape]
    calls, time_axis = len(boundary.inputs), boundary.time_axis
    if len(shape) in _TIMED_RANKS and calls == 1 and shape[time_axis] == steps:
        return shape[1 - time_axis]
    if len(shape) in _PLAIN_RANKS and 1 == calls < steps and shape[0] % steps == 0:
        return shape[0] // steps
    if len(shape) in _PLAIN_RANKS and calls == steps:
        return shape[0]
    sources = _sources(boundary)
    if len(sources) > 1:
        raise WorkloadError(
            f"{boundary.name}: is one neuron module behind {' and '.join(sources)}; give each "
            "layer a neuron module of its own"
        )
    raise WorkloadError(
        f"{boundary.name}: expected one call with {_ORDERS[time_axis]} or T calls with [B, ...], "
        f"T = {steps}, got {calls} with {shape}; {_neuron_remedy(shape, calls, steps, time_axis)}"
    )


def _sources(boundary: Boundary) -> list[str]:
    """What the calls of a neuron read, if not all read the same."""
    by_call = [frozenset(factor.source for factor in call.factors) for call in boundary.readings]
    apart = [sources for sources in by_call if sources.isdisjoint(by_call[0])]
    every = by_call[0].union(*apart) if apart else frozenset()
    return sorted(source or "the input" for source in every)


def timed(boundary: Boundary, tensors: Sequence[Tensor], steps: int, batch: int) -> FloatArray:
    """The calls' tensors as [T, B, ...]; [B, ...] where one call serves all steps.

    Raises WorkloadError if the calls fit neither T nor B.
    """
    shape, calls = tuple(tensors[0].shape), len(tensors)
    order = (steps, batch) if boundary.time_axis == 0 else (batch, steps)
    if len(shape) in _TIMED_RANKS and calls == 1 and shape[:2] == order:
        return _time_first(_numpy(tensors[0]), boundary.time_axis)
    if len(shape) in _PLAIN_RANKS and calls == steps and shape[0] == batch:
        return np.stack([_numpy(tensor) for tensor in tensors])
    if len(shape) in _PLAIN_RANKS and calls == 1 and shape[0] == steps * batch:
        return _time_first(_numpy(tensors[0]).reshape(*order, *shape[1:]), boundary.time_axis)
    if len(shape) in _PLAIN_RANKS and calls == 1 and shape[0] == batch:
        return _numpy(tensors[0])
    raise WorkloadError(
        f"{boundary.name}: expected T = {steps} calls with [B, ...], or one with [T, B, ...], "
        f"[T B, ...] or [B, ...], B = {batch}, got {calls} with {list(shape)}; "
        f"{_remedy(calls, steps, len(shape))}"
    )


def input_gradient(boundary: Boundary, steps: int, batch: int) -> FloatArray:
    """Gradient at a module's input as :func:`timed`; a call that no gradient reached counts as 0.

    Raises WorkloadError if no call received a gradient.
    """
    return _gradient(boundary, boundary.inputs, boundary.input_gradients, steps, batch)


def output_gradient(boundary: Boundary, steps: int, batch: int) -> FloatArray:
    """Gradient at a module's output, in other respects as :func:`input_gradient`."""
    return _gradient(boundary, boundary.outputs, boundary.output_gradients, steps, batch)


def _gradient(
    boundary: Boundary,
    calls: Sequence[Tensor],
    gradients: Mapping[int, Tensor],
    steps: int,
    batch: int,
) -> FloatArray:
    if not gradients:
        raise WorkloadError(
            f"{boundary.name}: no gradient arrived; call loss.backward() inside of "
            "'with cap.at(...)', on a loss that depends on it"
        )
    by_call = [
        gradients[call] if call in gradients else tensor.new_zeros(tensor.shape)
        for call, tensor in enumerate(calls)
    ]
    return timed(boundary, by_call, steps, batch)


def _numpy(tensor: Tensor) -> FloatArray:
    return np.ascontiguousarray(tensor.cpu().numpy())


def _time_first(array: FloatArray, time_axis: int) -> FloatArray:
    return np.ascontiguousarray(np.moveaxis(array, time_axis, 0))


def _neuron_remedy(shape: list[int], calls: int, steps: int, time_axis: int) -> str:
    if calls == 1 and len(shape) in _TIMED_RANKS and shape[1 - time_axis] == steps:
        return f"time is the other axis: Capture(..., time_axis={1 - time_axis})"
    if calls == 1 and len(shape) in _TIMED_RANKS and shape[-1] == steps:
        return "time is the last axis: permute it to the front, or behind the batch (time_axis=1)"
    return _remedy(calls, steps, len(shape))


def _remedy(calls: int, steps: int, rank: int) -> str:
    if calls > (1 if rank in _TIMED_RANKS else steps):
        return (
            "bracket one forward and one backward pass, without activation checkpointing, and "
            "give Capture the right steps"
        )
    return "give Capture the right steps, and average over time after the read-out"
