"""A recorded job's training step in torch on any device, to be measured.

Time is folded into the batch; ``unfused`` runs the neurons as PyTorch's elementwise kernels a step,
``fused`` uses SpikingJelly's CuPy or Triton kernel if it is installed, on a GPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.model import Layer, Neuron, Workload

if TYPE_CHECKING:
    from torch import Tensor

_CLASSES_SEED = 0


class TrainingStep:
    """One iteration on synthetic images of the job's shapes: bytes and time do not depend on them
    where a GPU computes densely. Weights are drawn anew."""

    def __init__(self, workload: Workload, device: str, precision: str, neuron: str) -> None:
        """Put the network on ``device``.

        Raises:
            WorkloadError: torch, the device or the fused kernels are missing.
        """
        if device == "cpu" and (precision, neuron) != ("fp32", "unfused"):
            raise WorkloadError(
                "a dry run on the CPU has neither AMP nor fused neurons: "
                "give --precision fp32 --neuron unfused"
            )
        _check_layers(workload)
        self._torch = torch = _torch(device)
        self._workload, self._device, self._precision = workload, device, precision
        self._neuron = _fused_lif(device) if neuron == "fused" else None
        torch.manual_seed(_CLASSES_SEED)
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = True
        self._weights = [self._weight(layer) for layer in workload.layers]
        on_gpu = device != "cpu"
        kind = torch.optim.Adam if workload.optimizer == "adam" else torch.optim.SGD
        self._optimizer = kind(self._weights, lr=1e-3, fused=on_gpu)
        self._scaler = torch.amp.GradScaler("cuda", enabled=precision == "amp" and on_gpu)
        repeat = workload.encoding == "direct"
        images = workload.batch * (1 if repeat else workload.steps)
        self._images = torch.rand(images, *workload.layers[0].in_shape, device=device)
        classes = workload.layers[-1].out_shape[0]
        self._labels = torch.randint(classes, (workload.batch,), device=device)
        self.loss = torch.zeros((), device=device)

    def run(self) -> None:
        """Forward, loss, backward, update; ``loss`` stays on the device, nothing waits for it."""
        torch = self._torch
        self._optimizer.zero_grad(set_to_none=True)
        kind = "cpu" if self._device == "cpu" else "cuda"
        with torch.autocast(kind, enabled=self._precision == "amp" and kind == "cuda"):
            rate = self._forward()
            loss = torch.nn.functional.cross_entropy(rate.float(), self._labels)
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.loss = loss.detach()

    def seconds(self) -> float:
        """A clock that first waits for the device, s."""
        from time import perf_counter

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

    def _weight(self, layer: Layer) -> Tensor:
        fan_in = layer.in_shape[0] * layer.kernel[0] * layer.kernel[1]
        shape = (layer.out_shape[0], layer.in_shape[0], *layer.kernel)
        bound = (3 / fan_in) ** 0.5
        weight = self._torch.empty(shape, device=self._device).uniform_(-bound, bound)
        return weight.requires_grad_()

    def _forward(self) -> Tensor:
        from torch.nn.functional import conv2d, max_pool2d

        workload, signal = self._workload, self._images
        if workload.encoding == "direct":
            signal = signal.repeat(workload.steps, 1, 1, 1)
        for layer, weight in zip(workload.layers, self._weights, strict=True):
            folded = signal.reshape(-1, *layer.in_shape)
            product = conv2d(folded, weight, stride=layer.stride, padding=layer.padding)
            current = product.reshape(workload.steps, workload.batch, *layer.out_shape)
            assert layer.neuron is not None  # by _check_layers
            signal = self._lif(layer.neuron, current).flatten(0, 1)
            if layer.pool is not None:
                signal = max_pool2d(signal, layer.pool.size, layer.pool.stride)
        spikes = signal.reshape(workload.steps, workload.batch, -1)
        return spikes.mean(0)

    def _lif(self, neuron: Neuron, current: Tensor) -> Tensor:
        if self._neuron is not None:
            fused: Tensor = self._neuron(neuron, current)
            return fused
        membrane = self._torch.zeros_like(current[0])
        spikes = []
        for step in range(current.shape[0]):
            charged = neuron.decay * membrane + neuron.gain * current[step]
            distance = charged - neuron.threshold
            slope = 1 / (1 + distance.detach() ** 2)
            spike = (distance >= 0).to(charged.dtype) + slope * (distance - distance.detach())
            seen = spike.detach()
            hard = neuron.reset == "hard"
            membrane = (1 - seen) * charged if hard else charged - seen * neuron.threshold
            spikes.append(spike)
        stacked: Tensor = self._torch.stack(spikes)
        return stacked


def _check_layers(workload: Workload) -> None:
    """Refuse what this script does not run yet."""
    for layer in workload.layers:
        chain = layer.sources == (layer.index - 1,) and layer.product_is_current
        pools = layer.input_pool is None and (layer.pool is None or layer.pool.kind == "max")
        if not chain or not pools or layer.neuron is None:
            raise WorkloadError(
                f"layer {layer.name}: measuring takes chains of convolutions or linear layers, "
                "LIF neurons and max-pooling; choose another job"
            )


def _torch(device: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise WorkloadError("measuring needs torch: install the extra 'capture'") from error
    if device != "cpu" and not torch.cuda.is_available():
        raise WorkloadError(f"device {device!r}: torch finds no GPU; --device cpu is a dry run")
    return torch


def _fused_lif(device: str) -> Any:
    """SpikingJelly's fused LIF over all steps as a function of neuron and current."""
    try:
        from spikingjelly.activation_based import neuron as library
    except ImportError as error:
        raise WorkloadError(
            "fused neurons need SpikingJelly with CuPy (pip install spikingjelly cupy), "
            "or choose --neuron unfused"
        ) from error
    nodes: dict[Neuron, Any] = {}

    def run(neuron: Neuron, current: Tensor) -> Tensor:
        if neuron not in nodes:
            node = library.LIFNode(
                tau=1 / (1 - neuron.decay),
                decay_input=abs(neuron.gain - (1 - neuron.decay)) < 1e-9,
                v_threshold=neuron.threshold,
                v_reset=0.0 if neuron.reset == "hard" else None,
                detach_reset=neuron.detach_reset,
                step_mode="m",
                backend="cupy",
            )
            nodes[neuron] = node.to(device)
        nodes[neuron].reset()
        spikes: Tensor = nodes[neuron](current)
        return spikes

    return run
