"""Inference: a recorded job without its training, the first of its samples, each until it stops.

What a training iteration recorded of its forward pass is what inference computes; gradients and
surrogate masks are not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from tlm.errors import ConfigError, WorkloadError
from tlm.workload.model import BoolArray, IntArray, Recording, RunMode, Workload
from tlm.workload.values import Values

Stop: TypeAlias = Literal["all-steps", "first-spike"]
MODES: tuple[RunMode, ...] = ("training", "inference")
STOPS: tuple[Stop, ...] = ("all-steps", "first-spike")


@dataclass(frozen=True)
class ForwardTensors:
    """The forward tensors of the first samples of ``trained``, each until it stops."""

    trained: Workload
    stop: Stop

    @property
    def activity(self) -> str:
        """Where the spikes come from: as the trained job says."""
        return self.trained.activity

    @property
    def seed(self) -> int | None:
        """The seed of the trained job's tensors."""
        return self.trained.seed

    def recording(self, workload: Workload, position: int) -> Recording:
        """Inputs and spikes of ``workload.batch`` samples; nothing else is set.

        Raises WorkloadError as :meth:`Workload.load` does.
        """
        whole, some = self.trained.load(position), slice(workload.batch)
        direct = workload.encoding == "direct"
        none = tuple(_nothing(workload.neuron_shape(layer)) for layer in workload.layers)
        recording = Recording(
            whole.iteration,
            whole.inputs[some] if direct else whole.inputs[:, some],
            tuple(spikes[:, some] for spikes in whole.spikes),
            masks=none,
            dU=none,
            dY=tuple(_nothing(workload.product_shape(layer)) for layer in workload.layers),
            weights=whole.weights,
            answers=None if whole.answers is None else whole.answers.of(some),
            kept={index: kept[:, some] for index, kept in whole.kept.items()},
        )
        if self.stop == "all-steps":
            return recording
        return replace(recording, steps_run=stop_steps(recording) + 1)

    def values(self, workload: Workload, position: int) -> Values:
        """The numbers of all samples of the trained job."""
        return self.trained.load_values(position)


def as_inference(
    workload: Workload, batch: int | None = None, stop: Stop = "all-steps"
) -> Workload:
    """The forward pass of ``workload``: its first ``batch`` samples, all if None.

    With ``stop`` "first-spike" a sample ends with the first step in which an output neuron spikes.

    Raises:
        ConfigError: there is no such rule of stopping.
        WorkloadError: it has no such number of samples, or no output neuron that could spike.
    """
    if stop not in STOPS:
        raise ConfigError(f"stop: there is no rule {stop!r}; give one of: {', '.join(STOPS)}")
    if batch is not None and batch not in range(1, workload.batch + 1):
        recorded = f"{workload.batch} recorded sample{'s' if workload.batch > 1 else ''}"
        raise WorkloadError(
            f"batch: {workload.name} has {recorded}, not {batch}; expected a whole number from 1 "
            f"to {workload.batch}"
        )
    last = workload.layers[-1]
    if stop == "first-spike" and not last.spiking:
        spiking = any(layer.neuron is not None for layer in workload.layers)
        kind = "is a read-out" if spiking else "is a layer of an ANN"
        kind = "puts out potentials" if last.membrane_output else f"{kind} without neurons"
        raise WorkloadError(
            f"stop: {last.name}, the last layer of {workload.name}, {kind} "
            "and never spikes; use all-steps"
        )
    return replace(
        workload,
        mode="inference",
        batch=workload.batch if batch is None else int(batch),
        tensors=ForwardTensors(workload, stop),
    )


def stop_steps(recording: Recording) -> IntArray:
    """The step [B] at which each sample is decided: its first with an output spike, else the last.

    All output spikes of a step count alike, so that a tie needs no rule.
    """
    spiked = np.asarray(recording.spikes[-1].any(axis=(2, 3, 4)))
    last = np.int64(len(spiked) - 1)
    return np.where(spiked.any(axis=0), spiked.argmax(axis=0), last)


def _nothing(shape: tuple[int, ...]) -> BoolArray:
    """An array of which no element is set; it takes no memory."""
    return np.broadcast_to(np.False_, shape)
