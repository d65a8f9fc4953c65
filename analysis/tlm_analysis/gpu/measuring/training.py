"""A job's training step in torch on any device, to be measured.

``unfused`` runs the neurons as PyTorch's elementwise kernels per step, ``fused`` uses
SpikingJelly's Triton or CuPy kernels if it is installed, on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.model import Neuron, Workload
from tlm.workload.values import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

_SEED = 0


class TrainingStep:
    """One iteration of a job: its graph, its recorded input and weights where the file has them.

    Bytes and time do not depend on the numbers where a GPU computes densely; its power does.
    ``inputs`` and ``weights`` say what they are, ``spike_rates()`` how active the network is.
    """

    def __init__(self, workload: Workload, device: str, precision: str, neuron: str) -> None:
        """Put the network on ``device``.

        Raises:
            WorkloadError: torch, the device or the fused kernels are missing, or the job's neurons
                cannot be trained.
        """
        if device == "cpu" and (precision, neuron) != ("fp32", "unfused"):
            raise WorkloadError(
                "a dry run on the CPU has neither AMP nor fused neurons: "
                "give --precision fp32 --neuron unfused"
            )
        self._torch = torch = _torch(device)
        self._kind = "cpu" if device == "cpu" else "cuda"
        self._amp = precision == "amp"
        torch.manual_seed(_SEED)
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True
        self._network = _network(workload, neuron).to(device)
        images, parameters = _recorded(workload)
        self.inputs = "recorded" if images is not None else "drawn"
        self.weights = "recorded" if parameters is not None else "drawn and scaled"
        shape = workload.input_shape
        drawn = torch.rand(shape) if images is None else torch.from_numpy(images)
        self._images = drawn.to(device)
        self._repeats = workload.steps if workload.encoding == "direct" else 0
        if parameters is None:
            self._network.scale(self._folded())
        else:
            self._network.load(parameters)
        kind = torch.optim.Adam if workload.optimizer == "adam" else torch.optim.SGD
        weights = self._network.parameters()
        self._optimizer = kind(weights, lr=1e-3, fused=self._kind == "cuda")
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._amp)
        classes = workload.layers[-1].out_shape[0]
        self._labels = torch.randint(classes, (workload.batch,), device=device)
        self.loss = torch.zeros((), device=device)

    def run(self) -> None:
        """Forward, loss, backward, update; ``loss`` stays on the device, nothing waits for it."""
        torch = self._torch
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self._kind, enabled=self._amp):
            outputs = self._network(self._folded())
            loss = torch.nn.functional.cross_entropy(outputs.float(), self._labels)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.loss = loss.detach()

    def seconds(self) -> float:
        """A clock that first waits for the device, s."""
        from time import perf_counter

        if self._kind == "cuda":
            self._torch.cuda.synchronize()
        return perf_counter()

    def profile(self) -> None:
        """One step between the marks that ``ncu --profile-from-start off`` waits for."""
        torch = self._torch
        torch.cuda.synchronize()
        torch.cuda.profiler.start()
        self.run()
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()

    def spike_rates(self) -> list[float]:
        """Share of ones by layer with neurons, of the last step."""
        return [round(float(rate), 6) for rate in self._network.spike_rates]

    def peak_nbytes(self) -> int | None:
        """Most bytes allocated so far, by PyTorch's allocator; None on a CPU."""
        return int(self._torch.cuda.max_memory_allocated()) if self._kind == "cuda" else None

    def _folded(self) -> Any:
        """[T B, ...]; with direct coding the images are repeated T times on the device."""
        if self._repeats:
            return self._images.repeat(self._repeats, 1, 1, 1)
        return self._images.flatten(0, 1)


def _torch(device: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise WorkloadError("measuring needs torch: install the extra 'capture'") from error
    if device != "cpu" and not torch.cuda.is_available():
        raise WorkloadError(f"device {device!r}: torch finds no GPU; --device cpu is a dry run")
    return torch


def _network(workload: Workload, neuron: str) -> Any:
    from tlm.workload.training.lif import LIF, Unfolded
    from tlm_analysis.gpu.measuring.job_network import JobNetwork

    if neuron == "fused":
        return JobNetwork(workload, lambda layer: Unfolded(workload.steps, spikingjelly_lif(layer)))
    return JobNetwork(workload, lambda layer: Unfolded(workload.steps, LIF(layer)))


def _recorded(
    workload: Workload,
) -> tuple[NDArray[np.float32] | None, tuple[Parameters, ...] | None]:
    """Input and parameters of the last recorded iteration, as far as the file has them.

    Masks of binary input are its values; those of analog input are not.
    """
    if workload.activity != "recorded":
        return None, None
    last = len(workload.iterations) - 1
    if workload.levels[last] != "bits":
        values = workload.load_values(last)
        return values.inputs, values.parameters
    if workload.encoding == "direct":
        return None, None
    return workload.load(last).inputs.astype(np.float32), None


def spikingjelly_lif(neuron: Neuron) -> nn.Module:
    """SpikingJelly's LIF over all steps, [T, B, ...] -> the same, at rest before each call.

    Its fused kernels know no rectangular surrogate: a triangular one of the same support stands in.

    Raises:
        WorkloadError: SpikingJelly is missing, or its LIF is not this neuron.
    """
    try:
        from tlm_analysis.gpu.measuring.spikingjelly_lif import FusedLif
    except ImportError as error:
        raise WorkloadError(
            "fused neurons need SpikingJelly with Triton or CuPy (pip install spikingjelly), "
            f"or choose --neuron unfused ({error})"
        ) from error
    return FusedLif(neuron)
