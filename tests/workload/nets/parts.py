"""What small networks are made of: a neuron, modules over all steps, a recording of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tlm.workload import Workload
from tlm.workload.capture import Capture, declare
from tlm.workload.golden import check_recording

T, B, CLASSES = 4, 2, 10

CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
PRODUCTS = (*CONVOLUTIONS, nn.Linear)


class Triangle(torch.autograd.Function):
    """A step with a triangular surrogate."""

    @staticmethod
    def forward(ctx: Any, distance: Any) -> Any:
        """1 where the distance is 0 or more."""
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """The triangle."""
        (distance,) = ctx.saved_tensors
        return gradient * torch.clamp(1 - distance.abs(), min=0)


class Leak(nn.Module):
    """V = V / 2 + I."""

    def charged(self, membrane: Any, current: Any) -> Any:
        """The potential before the reset."""
        return 0.5 * membrane + current


class LIF(Leak):
    """The leak with a hard reset, over all steps [T, B, ...]."""

    def forward(self, currents: Any) -> Any:
        """Spikes of all steps."""
        membrane, spikes = torch.zeros_like(currents[0]), []
        for current in currents:
            membrane = self.charged(membrane, current)
            spikes.append(Triangle.apply(membrane - 1))
            membrane = membrane * (1 - spikes[-1].detach())
        return torch.stack(spikes)


class StepLIF(Leak):
    """The same, step by step; ``start`` puts it at rest."""

    membrane: Any = None

    def start(self) -> None:
        """Begin a mini-batch."""
        self.membrane = None

    def forward(self, current: Any) -> Any:
        """Spikes of one step [B, ...]."""
        rest = torch.zeros_like(current) if self.membrane is None else self.membrane
        charged = self.charged(rest, current)
        spike = Triangle.apply(charged - 1)
        self.membrane = charged * (1 - spike.detach())
        return spike


NEURONS = {
    LIF: declare(spike=Triangle.apply, decay=0.5),
    StepLIF: declare(spike=Triangle.apply, decay=0.5),
}


class Over(nn.Module):
    """Modules that know no time, over [T, B, ...]."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        self.modules_of_step = nn.Sequential(*modules)

    def forward(self, spikes: Any) -> Any:
        """All steps as one batch."""
        behind = self.modules_of_step(spikes.flatten(0, 1))
        return behind.unflatten(0, spikes.shape[:2])


def conv(inputs: int, outputs: int, kernel: Any = 3, **options: Any) -> Any:
    """A convolution loud enough that neurons behind it fire; it keeps the size if none is said."""
    if "padding" not in options:
        options["padding"] = kernel // 2
    return loud(nn.Conv2d(inputs, outputs, kernel, **options))


def linear(inputs: int, outputs: int) -> Any:
    """A linear layer loud enough that neurons behind it fire."""
    return loud(nn.Linear(inputs, outputs))


def woken(net: Any) -> Any:
    """A network whose products are as loud: torch's own initial weights leave most silent."""
    for module in net.modules():
        if isinstance(module, PRODUCTS):
            loud(module)
    return net


def loud(module: Any) -> Any:
    """A product with weights so large that neurons behind it fire."""
    nn.init.normal_(module.weight, std=2.5 / module.weight[0].numel() ** 0.5)
    if module.bias is not None:
        nn.init.constant_(module.bias, 0.1)
    return module


def events(*shape: int, seed: int = 0, density: float = 0.4) -> Any:
    """Random events [T, B, ...]."""
    draw = torch.rand(T, B, *shape, generator=torch.Generator().manual_seed(seed))
    return (draw < density).float()


def macs_of(net: Any, forward: Callable[[], Any]) -> int:
    """Multiply-accumulates of one forward pass, by hooks on its modules and on torch.bmm.

    The latter is what matmul, @ and einsum come to.
    """
    counts: list[int] = []

    def count(module: Any, arguments: Any, output: Any) -> None:
        each = arguments[0] if getattr(module, "transposed", False) else output
        counts.append(each.numel() * module.weight[0].numel())

    class Products(TorchDispatchMode):
        def __torch_dispatch__(
            self, function: Any, types: Any, arguments: Any = (), options: Any = None
        ) -> Any:
            output = function(*arguments, **(options or {}))
            if function is torch.ops.aten.bmm.default:
                counts.append(output.numel() * arguments[0].shape[-1])
            return output

    products = [module for module in net.modules() if isinstance(module, PRODUCTS)]
    handles = [module.register_forward_hook(count) for module in products]
    with torch.no_grad(), Products():
        forward()
    for handle in handles:
        handle.remove()
    return sum(counts)


def vote(out: Any) -> Any:
    """Cross entropy of the mean over the steps of outputs [T, B, classes]."""
    return F.cross_entropy(out.mean(0), torch.arange(out.shape[1]) % CLASSES)


def recorded(
    net: Any,
    inputs: Any,
    path: Path,
    loss: Callable[[Any], Any] = vote,
    cap: Capture | None = None,
) -> Workload:
    """A pass of ``net`` recorded exactly, and held against the golden model and against hooks.

    By ``cap`` where it has neurons or a layout of its own.
    """

    def forward() -> Any:
        for module in net.modules():
            if isinstance(module, StepLIF):
                module.start()
        return net(inputs)

    cap = cap or Capture(net, steps=len(inputs), neurons=NEURONS)
    with cap.at(0):
        loss(forward()).backward()
    job = cap.save(path / "job.h5", level="exact")
    for agreement in check_recording(job, 0):
        assert agreement.holds(), agreement
        assert agreement.free_flips == 0, agreement
    assert sum(layer.macs for layer in job.layers) * job.steps * job.batch == macs_of(net, forward)
    return job
