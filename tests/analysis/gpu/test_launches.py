"""The kernels of a step beside what PyTorch itself launches for the same network, by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tlm_analysis.gpu.step.kernel import Kernel
from tlm_analysis.gpu.step.recorded import network_of
from tlm_analysis.gpu.step.training_step import training_step

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from tests.workload.nets import currents, dense  # noqa: E402
from tests.workload.nets.attention import Spikformer  # noqa: E402
from tests.workload.nets.parts import LIF, NEURONS, B, Over, T, conv, events, linear  # noqa: E402
from tests.workload.nets.spike_driven import SpikeDrivenTransformer  # noqa: E402
from tlm.workload.capture import Capture  # noqa: E402


class Decoder(nn.Module):
    """A transposed convolution of some channels and dropouts, as decoders have them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = currents.normed(2, 6), currents.normed(6, 4)
        self.up = Over(nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1, bias=False))
        nn.init.normal_(self.up.modules_of_step[0].weight, std=1.0)
        self.drop, self.n = nn.Dropout(0.25), nn.ModuleList(LIF() for _ in range(4))
        self.out = currents.normed(4, 4)

    def forward(self, frames: Any) -> Any:
        spikes = self.n[0](self.first(frames))
        more = self.n[1](self.second(self.drop(spikes)))
        spikes = self.n[2](self.up(spikes[:, :, :3]))
        wide = torch.nn.functional.pad(more, (4, 4, 4, 4))
        return self.n[3](self.out(spikes + wide))


class StepNorms(nn.Module):
    """A convolution whose norm sees one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Over(conv(2, 4, bias=False)), Over(conv(4, 4, bias=False))
        self.norm, self.n = nn.BatchNorm2d(4), nn.ModuleList(LIF() for _ in range(2))
        self.fc = linear(4 * 64, 10)

    def forward(self, frames: Any) -> Any:
        spikes = self.n[0](self.first(frames))
        steps = self.second(spikes).flatten(0, 1).chunk(T)
        normed = torch.cat([self.norm(step) for step in steps]).unflatten(0, (T, B))
        return self.fc(self.n[1](normed).flatten(2))


NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Spiking-ResNet": (lambda: currents.ResNet(currents.SpikingBlock, (2, 1)), (2, 8, 8)),
    "MS-ResNet": (lambda: currents.ResNet(currents.MembraneBlock, (2, 1)), (2, 8, 8)),
    "SEW-ResNet ADD": (lambda: currents.ResNet(currents.SpikeElementBlock, (2, 1)), (2, 8, 8)),
    "SEW-ResNet AND": (lambda: currents.ResNet(currents.AndBlock, (2, 1)), (2, 8, 8)),
    "SEW-ResNet IAND": (lambda: currents.ResNet(currents.AndNotBlock, (2, 1)), (2, 8, 8)),
    "U-Net": (lambda: dense.UNet(2, 4, 2, 2), (2, 8, 8)),
    "Spikformer": (lambda: Spikformer(2, 16, 2, 1), (2, 16, 16)),
    "Spike-driven Transformer": (lambda: SpikeDrivenTransformer(2, 16, 1, 2), (2, 16, 16)),
    "decoder": (Decoder, (2, 8, 8)),
    "norms by step": (StepNorms, (2, 8, 8)),
}


# On a GPU an operation is a kernel; on a CPU a dropout is a product. Views are none; copies that
# put permuted tensors in order and sums for the gradients of biases are no part of the model.
KINDS = {
    "convolution": "product", "mm": "product", "addmm": "product", "bmm": "product",
    "native_batch_norm": "norm", "native_batch_norm_backward": "norm",
    "max_pool2d_with_indices": "pool", "max_pool2d_with_indices_backward": "pool",
    "mean": "pool", "div": "pool", "upsample_nearest2d": "upsample",
    "upsample_nearest2d_backward": "upsample", "constant_pad_nd": "pad", "cat": "cat",
    "mul": "factor", "rsub": "sign", "neg": "sign", "slice_backward": "slice",
    "sigmoid": "neurons", "sigmoid_backward": "neurons",
}  # fmt: skip

MODELLED = {
    " bn": "norm", " bn grad": "norm", " pool": "pool", " pool grad": "pool",
    " upsample": "upsample", " upsample grad": "upsample", " pad": "pad", " pad grad": "pad",
    " cat": "cat", " add": "add", " gate": "factor", " gate grad": "factor", " scale": "factor",
    " scale grad": "factor", " dropout": "factor", " dropout grad": "factor", " invert": "sign",
    " invert grad": "sign", " slice grad": "slice", " lif": "neurons", " lif grad": "neurons",
}  # fmt: skip


class Launches(TorchDispatchMode):
    """Counts what a step does by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[str]()

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        if name == "convolution_backward":  # dX and dW are a kernel each
            self.counts["product"] += sum(arguments[-1][:2])
        elif name == "add":  # of activations or their gradients, not of a bias
            left, right = arguments[:2]
            self.counts["add"] += left.dim() > 1 and left.shape == getattr(right, "shape", None)
        elif name in KINDS:
            self.counts[KINDS[name]] += 1
        return function(*arguments, **(options or {}))


def modelled(kernel: Kernel) -> str | None:
    """Its kind; None where the operation is no kernel of its own, or is not compared."""
    if kernel.gemm is not None:
        return "product"
    ends = [end for end in MODELLED if kernel.name.endswith(end)]
    return MODELLED[max(ends, key=len)] if ends else None


@pytest.mark.parametrize("name", NETS)
def test_a_step_launches_what_pytorch_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One kernel each way stands for the neurons, as fused ones are."""
    torch.manual_seed(0)
    make, shape = NETS[name]
    net, frames = make(), events(*shape)
    capture = Capture(net, steps=T, neurons=NEURONS)
    with capture.at(0):
        net(frames).mean().backward()
    job = capture.save(tmp_path / "job.h5")
    monkeypatch.setattr(LIF, "forward", lambda self, currents: torch.sigmoid(currents))
    net.zero_grad(set_to_none=True)
    with Launches() as launches:
        outputs = net(frames)
        outputs.backward(torch.ones_like(outputs))
    kernels = training_step(network_of(job), "fp32", "fused")
    counts = Counter(kind for kernel in kernels if (kind := modelled(kernel)))
    if (
        name == "Spike-driven Transformer"
    ):  # its sum over tokens is none of KINDS, nor is its way back
        counts["pool"] -= 2
    assert counts == launches.counts
