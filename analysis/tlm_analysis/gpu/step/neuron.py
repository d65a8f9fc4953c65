"""LIF kernels of a layer: one fused launch over all steps, or elementwise launches per step."""

from __future__ import annotations

from dataclasses import dataclass

from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel

# fused: SpikingJelly's Triton kernels; forward loads x, stores spike and h, backward loads the
# spike's gradient and h, stores x's gradient. cupy: its CuPy kernels (auto_cuda), which write into
# cleared tensors, join the initial membrane by a copy and take a cleared gradient of v. fused-fp32:
# SpikingJelly 2.0's Triton kernels (_ops/lif), which keep h in FP32 whatever x is, and x itself.
# unfused: its torch back-end, one elementwise launch per operation and step.
NEURONS = ("fused", "fused-fp32", "cupy", "unfused")

# Elementwise operations of one neuron and step: charge 3, compare 1, reset 2.
LIF_FLOP = 6


@dataclass(frozen=True)
class LifState:
    """What the forward pass of one layer leaves for its backward pass."""

    kept: tuple[GpuTensor, ...]
    held: tuple[GpuTensor, ...] = ()
    cleared: bool = False
    surrogate: tuple[GpuTensor, ...] = ()
    reset: tuple[GpuTensor, ...] = ()


def forward(
    name: str, current: GpuTensor, spikes: GpuTensor, steps: int, neuron: str, element: int
) -> tuple[list[Kernel], LifState]:
    """Kernels from the input current to the spikes, both of all steps, and what they save.

    ``element`` is the size of a number, bytes.
    """
    nbytes = current.nbytes
    if neuron == "unfused":
        return _unfused_forward(name, current, spikes, steps, element)
    run = Launches(name, "fp", nbytes, element)
    if neuron == "cupy":
        cleared = run.run("lif zeros", nbytes=2 * nbytes)
        h, v = cleared.step(0, 2), cleared.step(1, 2)
        run.into(spikes, "lif zeros")
        run.fused((run.run("lif cat", v), h, spikes), "lif", current)
        return run.kernels, LifState((h,), cleared=True)
    wide = neuron == "fused-fp32"
    h = GpuTensor(f"{name} h", nbytes // element * 4 if wide else nbytes)
    run.fused((spikes, h), "lif", current)
    return run.kernels, LifState((h,), (current,) if wide else ())


def integrate(
    name: str, current: GpuTensor, potential: GpuTensor, saved: bool, element: int
) -> tuple[Kernel, LifState]:
    """One kernel from the input current to a potential that leaves, and is ``saved`` where a reset
    has a gradient: over all steps, whatever the other neurons are asked to run as (assumed).
    """
    run = Launches(name, "fp", current.nbytes, element)
    run.fused((potential,), "lif", current)
    return run.kernels[0], LifState((potential,) if saved else ())


def backward(
    name: str,
    state: LifState,
    dS: GpuTensor,
    dI: GpuTensor,
    steps: int,
    element: int,
) -> list[Kernel]:
    """Kernels from dS, the gradient of the spikes, to dI, that of the input current."""
    if state.surrogate:
        return _unfused_backward(name, state, dS, dI, steps, element)
    run = Launches(name, "bp", dI.nbytes, element)
    reads = (dS, *state.kept)
    if state.cleared:
        reads = (*reads, run.run("lif grad zeros"))
        run.into(dI, "lif grad zeros")
    run.fused((dI,), "lif grad", *reads, holds=state.held)
    return run.kernels


class Launches:
    """Elementwise launches of one phase, in order; ``element`` is the size of a number, bytes."""

    def __init__(self, name: str, phase: str, nbytes: int, element: int = 4) -> None:
        self._name, self._phase, self._nbytes, self._element = name, phase, nbytes, element
        self.kernels: list[Kernel] = []

    def run(self, operation: str, *reads: GpuTensor, nbytes: int | None = None) -> GpuTensor:
        """One launch into new storage, of one step's size if not given."""
        result = GpuTensor(f"{self._name} {operation}", self._nbytes if nbytes is None else nbytes)
        return self.into(result, operation, *reads)

    def fused(
        self,
        results: tuple[GpuTensor, ...],
        operation: str,
        *reads: GpuTensor,
        holds: tuple[GpuTensor, ...] = (),
    ) -> None:
        """One launch of a neuron kernel over all steps into given storage."""
        name, flop = f"{self._name} {operation}", LIF_FLOP * results[0].nbytes // self._element
        kernel = Kernel(name, "elementwise", self._phase, reads, results, flop, None, holds)
        self.kernels.append(kernel)

    def into(self, result: GpuTensor, operation: str, *reads: GpuTensor) -> GpuTensor:
        """One launch into given storage."""
        name, flop = f"{self._name} {operation}", result.nbytes // self._element
        self.kernels.append(Kernel(name, "elementwise", self._phase, reads, (result,), flop))
        return result


def _unfused_forward(
    name: str, current: GpuTensor, spikes: GpuTensor, steps: int, element: int
) -> tuple[list[Kernel], LifState]:
    """LIFNode.single_step_forward with decayed input and hard reset to 0, and the final stack.

    v = v + (x - v) / tau; spike = (v - threshold >= 0); v = (1 - spike) v: eight launches per step.
    """
    nbytes = current.nbytes // steps
    step = Launches(f"{name} lif", "fp", nbytes, element)
    voltage = GpuTensor(f"{name} v", nbytes)
    stacked, surrogate, reset = [], [], []
    for t in range(steps):
        difference = step.run("sub", current.step(t, steps), voltage)
        h = step.run("add", voltage, step.run("div", difference))
        over = step.run("sub threshold", h)
        spike = step.run("to float", step.run("ge", over, nbytes=nbytes // element))
        rest = step.run("rsub", spike)
        voltage = step.run("mul", rest, h)
        stacked.append(spike)
        surrogate.append(over)
        reset.append(rest)
    slices = tuple(spikes.step(t, steps) for t in range(steps))
    stack = Kernel(f"{name} lif stack", "elementwise", "fp", tuple(stacked), slices, groups=steps)
    step.kernels.append(stack)
    return step.kernels, LifState((), (), False, tuple(surrogate), tuple(reset))


def _unfused_backward(
    name: str,
    state: LifState,
    dS: GpuTensor,
    dI: GpuTensor,
    steps: int,
    element: int,
) -> list[Kernel]:
    """Autograd through the same operations with an arctangent surrogate and a detached reset.

    Indexing x[t] has a gradient of the size of all steps (zeros with one step copied in), added
    to the sum so far: O(T^2) bytes, as SpikingJelly's documentation measured.
    """
    step = Launches(f"{name} lif grad", "bp", dI.nbytes // steps, element)
    carried: GpuTensor | None = None
    for t in reversed(range(steps)):
        squared = step.run("square", step.run("scale", state.surrogate[t]))
        slope = step.run("reciprocal", step.run("add one", squared))
        dU = step.run("surrogate", dS.step(t, steps), slope)
        if carried is not None:
            dU = step.run("add", dU, step.run("mul", carried, state.reset[t]))
        dI_step = step.run("div", dU)
        carried = step.run("sub", dU, dI_step)
        _scatter(step, dI_step, dI, t, steps)
    return step.kernels


def _scatter(step: Launches, dI_step: GpuTensor, dI: GpuTensor, t: int, steps: int) -> None:
    """One step's gradient into that of all steps; the first to come is the sum so far."""
    if t == steps - 1:
        step.into(dI, "zeros")
        step.into(dI.step(t, steps), "copy", dI_step)
        return
    full = step.run("zeros", nbytes=dI.nbytes)
    step.into(full.step(t, steps), "copy", dI_step)
    step.into(dI, "accumulate", dI, full)
