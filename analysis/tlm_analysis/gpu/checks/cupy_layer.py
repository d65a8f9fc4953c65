"""SpikingJelly's LIF layer on CuPy, with the copies and cleared tensors around its kernels.

Read in ``clock_driven/neuron.py`` and ``neuron_kernel.py`` (the documentation's timing) and in
``activation_based/auto_cuda`` of 0.0.0.0.15 (the benchmark with a linear layer). Both clear
what the kernel then writes, and join the initial membrane to the cleared one by a copy.
"""

from __future__ import annotations

from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.neuron import Launches
from tlm_analysis.gpu.step.product import tiled

_ELEMENT_NBYTES = 4


def cupy_layer(steps: int, step_nbytes: int) -> tuple[list[Kernel], list[Kernel]]:
    """Kernels of the forward pass, and of its sum's backward pass, of the documentation's timing.

    The module clears two tensors that it then replaces, and keeps the last step.
    """
    nbytes = steps * step_nbytes
    current = GpuTensor("x", nbytes, kept=True)
    forward = Launches("lif", "fp", nbytes)
    for name in ("module v_seq", "module spike_seq"):
        forward.run(f"zeros {name}")
    v, h, spikes = (forward.run(f"zeros {name}") for name in ("v", "h", "spikes"))
    joined = forward.run("cat", v)
    forward.fused((joined, h, spikes), "lif", current)
    for kept in (spikes, joined):
        forward.run("clone last step", kept.step(steps - 1, steps), nbytes=step_nbytes)
    backward = Launches("lif grad", "bp", nbytes)
    backward.run("sum", spikes, nbytes=_ELEMENT_NBYTES)
    dS, dV, dI = (backward.run(name) for name in ("expand sum", "zeros dv", "zeros dx"))
    backward.fused((dI,), "lif grad", dS, dV, h, spikes)
    gradient = GpuTensor("x.grad", nbytes, kept=True)
    backward.into(gradient, "accumulate", gradient, dI)
    backward.into(gradient, "clear")
    return forward.kernels, backward.kernels


def linear_and_cupy_layer(
    neurons: int, steps: int, batch: int
) -> tuple[list[Kernel], list[Kernel]]:
    """Kernels of both passes of the benchmark with a linear layer ``neurons`` x ``neurons``.

    It repeats the forward pass, keeping the last output, and so what autograd saved, until the
    new one is made; then the backward pass, retaining the graph. What is cleared is one storage:
    h, spikes and v live as long as any of them.
    """
    rows = steps * batch
    nbytes, weight_nbytes = rows * neurons * _ELEMENT_NBYTES, neurons**2 * _ELEMENT_NBYTES
    inputs, weight = (
        GpuTensor("x", nbytes, kept=True),
        GpuTensor("weight", weight_nbytes, kept=True),
    )
    current, last = GpuTensor("current", nbytes), GpuTensor("last output", 3 * nbytes)
    forward = Launches("forward", "fp", nbytes)
    shape = (rows, neurons, neurons)
    forward.kernels.append(_product("linear", (inputs, weight), current, shape, (last,)))
    cleared = forward.run("zeros", nbytes=3 * nbytes)
    h, spikes, v = (cleared.step(part, 3) for part in range(3))
    forward.fused((forward.run("cat", v), h, spikes), "lif", current, holds=(last,))
    backward = Launches("backward", "bp", nbytes)
    backward.run("sum", spikes, nbytes=_ELEMENT_NBYTES)
    dS, dV, dI = (backward.run(name) for name in ("expand sum", "zeros dv", "zeros dx"))
    backward.fused((dI,), "lif grad", dS, dV, h, holds=(inputs, weight))
    gradient = GpuTensor("weight gradient", weight_nbytes)
    accumulated = GpuTensor("weight.grad", weight_nbytes, kept=True)
    shape, held = (neurons, neurons, rows), (cleared, weight)
    backward.kernels.append(_product("wgrad", (dI, inputs), gradient, shape, held))
    backward.into(accumulated, "accumulate", accumulated, gradient)
    return forward.kernels, backward.kernels


def _product(
    name: str,
    reads: tuple[GpuTensor, GpuTensor],
    result: GpuTensor,
    shape: tuple[int, int, int],
    held: tuple[GpuTensor, ...],
) -> Kernel:
    gemm = tiled(*shape)
    return Kernel(name, "linear", "", reads, (result,), gemm.flop, gemm, held)
