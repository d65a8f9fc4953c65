"""A recorded job with another mini-batch or more steps: its own samples and steps, repeated.

``mnist-csnn[B=64]`` takes the recorded samples in turn until there are 64; ``[T=8]`` stretches the
recorded steps, each as often as any other. Samples that repeat spike alike, so the spread between
samples is that of the recording; results are marked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.model import BoolArray, Recording, Workload
from tlm.workload.readers import has_dY
from tlm.workload.sizes import parse_sizes
from tlm.workload.values import Values

_SPELLING = re.compile(r"([^:]+)\[([^\[\]]*)\]")


@dataclass(frozen=True)
class ResampledTensors:
    """The tensors of ``recorded``, its samples and steps taken in turn until there are enough."""

    recorded: Workload

    @property
    def activity(self) -> str:
        """Whose samples and steps they are."""
        sizes = f"B={self.recorded.batch}, T={self.recorded.steps}"
        return f"{self.recorded.activity}, resampled from {sizes}"

    @property
    def seed(self) -> int | None:
        """The seed of the recorded job's tensors."""
        return self.recorded.seed

    def recording(self, workload: Workload, position: int) -> Recording:
        """The masks of ``workload``, which has B samples and T steps of its own.

        Raises WorkloadError as :meth:`Workload.load` does.
        """
        whole = self.recorded.load(position)
        samples, steps = self._samples(workload), self._steps(workload)
        at = np.ix_(steps, samples)

        def every(tensors: Sequence[BoolArray]) -> tuple[BoolArray, ...]:
            return tuple(tensor[at] for tensor in tensors)

        direct, dU = workload.encoding == "direct", every(whole.dU)
        # A job for inference has no gradients: nothing is taken of any layer.
        layers = workload.layers
        products = zip(layers, dU, whole.dY, strict=False)
        return replace(
            whole,
            inputs=whole.inputs[samples] if direct else whole.inputs[at],
            spikes=every(whole.spikes),
            masks=every(whole.masks),
            dU=dU,
            dY=tuple(dY[at] if has_dY(each, layers) else own for each, own, dY in products),
            answers=None if whole.answers is None else whole.answers.of(samples),
            kept={index: kept[at] for index, kept in whole.kept.items()},
        )

    def values(self, workload: Workload, position: int) -> Values:
        """The numbers of the recorded job: weights are those of any sample.

        Raises WorkloadError as :meth:`Workload.load_values` does.
        """
        return self.recorded.load_values(position)

    def _samples(self, workload: Workload) -> NDArray[np.int64]:
        return np.arange(workload.batch) % self.recorded.batch

    def _steps(self, workload: Workload) -> NDArray[np.int64]:
        return np.arange(workload.steps) * self.recorded.steps // workload.steps


class SpeltSizes(NamedTuple):
    """A job's name or path, and the text of its sizes."""

    job: str
    text: str


def spelt_sizes(text: str) -> SpeltSizes | None:
    """The two parts of ``JOB[B=64,T=8]``; None if it is spelt otherwise, or names a file."""
    spelt = None if Path(text).exists() else _SPELLING.fullmatch(text)
    return None if spelt is None else SpeltSizes(*spelt.groups())


def resampled(job: Workload, text: str) -> Workload:
    """``job`` with the sizes of ``text``, such as ``B=64,T=8``; the job itself if it has these.

    Raises WorkloadError if the text is spelt otherwise, or names other steps of a job for
    inference: when a sample is decided was recorded with its own.
    """
    sizes = parse_sizes(text)
    batch, steps = sizes.batch or job.batch, sizes.steps or job.steps
    if (batch, steps) == (job.batch, job.steps):
        return job
    if steps != job.steps and not job.learns:
        raise WorkloadError(
            f"{job.name}: its decisions were recorded after T={job.steps} steps; resample B alone"
        )
    return replace(
        job,
        batch=batch,
        steps=steps,
        # Gradients of weights are sums over the samples that were: nothing is left to rebuild.
        levels=tuple("value" if level == "exact" else level for level in job.levels),
        sha256=hashlib.sha256(f"{job.sha256} B={batch} T={steps}".encode()).hexdigest(),
        tensors=ResampledTensors(job),
    )
