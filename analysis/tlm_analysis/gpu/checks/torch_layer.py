"""SpikingJelly's LIF layer of 2022 on PyTorch: one launch per operation and step.

``clock_driven.neuron.MultiStepLIFNode(backend="torch")`` with its defaults, as its documentation
timed it: decayed input, hard reset to 0 that gradients pass, ATan surrogate, spikes and membrane
copied step by step into preallocated tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.neuron import Launches


@dataclass(frozen=True)
class _Kept:
    """What autograd keeps of one step."""

    h: GpuTensor
    over: GpuTensor
    rest: GpuTensor


def torch_layer(steps: int, step_nbytes: int) -> tuple[list[Kernel], list[Kernel]]:
    """Kernels of the forward pass, and of its sum's backward pass.

    ``step_nbytes`` is the size of one tensor of one step, in FP32. The backward pass accumulates
    into the input's gradient and clears it, as the benchmark does.
    """
    current = GpuTensor("x", steps * step_nbytes, kept=True)
    spikes = GpuTensor("spike_seq", steps * step_nbytes)
    forward, kept = _forward(current, spikes, steps, step_nbytes)
    return forward, _backward(current, spikes, kept, step_nbytes)


def _forward(
    current: GpuTensor, spikes: GpuTensor, steps: int, step_nbytes: int
) -> tuple[list[Kernel], list[_Kept]]:
    """v + (x - v) / tau; heaviside(v - threshold); (1 - s) v + s v_reset; two stores."""
    run = Launches("lif", "fp", step_nbytes)
    membranes = run.run("zeros", nbytes=current.nbytes)
    run.into(spikes, "zeros")
    membrane, kept = GpuTensor("v", step_nbytes), []
    for t in range(steps):
        difference = run.run("sub", current.step(t, steps), membrane)
        h = run.run("add", membrane, run.run("div", difference))
        over = run.run("sub threshold", h)
        spike = run.run("to float", run.run("ge", over, nbytes=step_nbytes // 4))
        rest = run.run("rsub", spike)
        held, reset = run.run("mul", rest, h), run.run("mul reset", spike)
        membrane = run.run("add reset", held, reset)
        run.into(spikes.step(t, steps), "store", spike)
        run.into(membranes.step(t, steps), "store", membrane)
        kept.append(_Kept(h, over, rest))
    return run.kernels, kept


def _backward(
    current: GpuTensor, spikes: GpuTensor, kept: list[_Kept], step_nbytes: int
) -> list[Kernel]:
    """Autograd through the same; O(T^2) twice, by storing a step and by reading one.

    A store into a slice copies the gradient of all steps (CopySlices in torch/csrc/autograd/
    functions/tensor.cpp); reading x[t] makes a gradient of all steps, added to the sum so far.
    """
    steps, run = len(kept), Launches("lif grad", "bp", step_nbytes)
    run.run("sum", spikes, nbytes=4)
    total = GpuTensor("x gradient", current.nbytes)
    stored = run.run("expand sum", nbytes=current.nbytes)
    carried: GpuTensor | None = None
    for t in reversed(range(steps)):
        if t < steps - 1:
            stored = run.run("copy gradient", stored, nbytes=current.nbytes)
        dS = run.run("clone slice", stored.step(t, steps))
        run.into(stored.step(t, steps), "clear slice", run.run("zeros"))
        dI, carried = _step_gradient(run, kept[t], dS, carried)
        full = total if t == steps - 1 else run.run("zeros", nbytes=current.nbytes)
        if t == steps - 1:
            run.into(total, "zeros")
        run.into(full.step(t, steps), "copy", dI)
        if t < steps - 1:
            run.into(total, "accumulate", total, full)
    kept_gradient = GpuTensor("x.grad", current.nbytes, kept=True)
    run.into(kept_gradient, "accumulate", kept_gradient, total)
    run.into(kept_gradient, "clear")
    return run.kernels


def _step_gradient(
    run: Launches, kept: _Kept, dS: GpuTensor, carried: GpuTensor | None
) -> tuple[GpuTensor, GpuTensor]:
    """Gradients of a step's input and of the membrane before it."""
    dU: GpuTensor | None = None
    if carried is not None:
        reset = run.run("mul reset", carried)
        rest = run.run("neg", run.run("mul", carried, kept.h))
        dU = run.run("mul", carried, kept.rest)
        dS = run.run("add", run.run("add", dS, rest), reset)
    slope = run.run("add one", run.run("square", run.run("scale", kept.over)))
    slope = run.run("mul alpha", run.run("reciprocal", slope))
    over = run.run("surrogate", slope, dS)
    dU = over if dU is None else run.run("add", dU, over)
    dI = run.run("div", dU)
    return dI, run.run("add", dU, run.run("neg", dI))
