"""A step under construction: kernels so far, and what each tensor's gradient is still to launch.

Backward follows as autograd has it: whatever is made says what its gradient launches; these run in
reverse order, and gradients that meet at a tensor are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import NetworkShapes, Pooling

ELEMENT_NBYTES = {"amp": 2, "tf32": 4, "fp32": 4}
POOL_INDEX_NBYTES = 8  # torch's max_pool2d_with_indices saves an int64 for every output

WayBack: TypeAlias = Callable[[GpuTensor], None]
"""Launches, given the gradient of what was made, those of what it was made of, and gives them."""


@dataclass
class StepDraft:
    """A step under construction.

    ``outputs`` and ``currents`` are by stage: what later ones read, and what enters the neurons.
    ``shared`` are tensors that several read, by what they were made of.
    """

    network: NetworkShapes
    precision: str
    neuron: str
    norm_passes: int
    images: GpuTensor = field(default_factory=lambda: GpuTensor("input", 0))
    kernels: list[Kernel] = field(default_factory=list)
    outputs: list[GpuTensor] = field(default_factory=list)
    currents: list[GpuTensor] = field(default_factory=list)
    shared: dict[Hashable, GpuTensor] = field(default_factory=dict)
    weights: list[GpuTensor] = field(default_factory=list)
    weight_gradients: list[GpuTensor] = field(default_factory=list)
    _tape: dict[GpuTensor, WayBack] = field(default_factory=dict)
    _gradients: dict[GpuTensor, GpuTensor] = field(default_factory=dict)

    @property
    def element(self) -> int:
        return ELEMENT_NBYTES[self.precision]

    def tensor(self, name: str, *shape: int) -> GpuTensor:
        """An activation or gradient of T B images."""
        return GpuTensor(name, self.network.images * prod(shape) * self.element)

    def view(self, tensor: GpuTensor, nbytes: int) -> GpuTensor:
        """``nbytes`` of a tensor, where they lie; all of it is itself."""
        if nbytes == tensor.nbytes:
            return tensor
        return GpuTensor(f"{tensor.name} view", nbytes, base=tensor.storage, offset=tensor.offset)

    def launch(
        self,
        name: str,
        phase: str,
        reads: tuple[GpuTensor, ...],
        writes: tuple[GpuTensor, ...],
        flop: int = 0,
        holds: tuple[GpuTensor, ...] = (),
    ) -> None:
        """An elementwise kernel."""
        self.kernels.append(Kernel(name, "elementwise", phase, reads, writes, flop, holds=holds))

    def once(self, key: Hashable, make: Callable[[], GpuTensor]) -> GpuTensor:
        """What ``make`` leaves, made for the first who asks with that ``key``."""
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def needs(self, tensor: GpuTensor) -> bool:
        """Whether a gradient is asked of it: weights come before it."""
        return tensor in self._tape

    def record(self, result: GpuTensor, inputs: tuple[GpuTensor, ...], backward: WayBack) -> None:
        """Say what the gradient of ``result`` launches for its ``inputs``, if one needs it."""
        if any(map(self.needs, inputs)):
            self.learn(result, backward)

    def learn(self, result: GpuTensor, backward: WayBack) -> None:
        """The same of what was made with weights."""
        self._tape[result] = backward

    def give(self, tensor: GpuTensor, gradient: GpuTensor) -> None:
        """Add to a tensor's gradient; the first to come is the sum so far."""
        if not self.needs(tensor):
            return
        earlier = self._gradients.get(tensor)
        if earlier is not None:
            total = GpuTensor("gradient sum", gradient.nbytes)
            self.launch(f"{tensor.name} gradient add", "bp", (earlier, gradient), (total,))
            gradient = total
        self._gradients[tensor] = gradient

    def go_back(self) -> None:
        """Launch the backward pass of all that was made."""
        for result, backward in reversed(self._tape.items()):
            if (
                result in self._gradients
            ):  # of spikes whose layer is read by its current alone: none
                backward(self._gradients.pop(result))


def summed(step: StepDraft, name: str, tensors: tuple[GpuTensor, ...]) -> GpuTensor:
    """Their sum, made once: the last added to the sum of the others."""
    if len(tensors) == 1:
        return tensors[0]

    def add() -> GpuTensor:
        others, last = summed(step, name, tensors[:-1]), tensors[-1]
        total = GpuTensor(f"{name} sum", last.nbytes)
        step.launch(f"{name} add", "fp", (others, last), (total,))

        def backward(gradient: GpuTensor) -> None:
            step.give(last, gradient)
            step.give(others, gradient)

        step.record(total, (others, last), backward)
        return total

    return step.once(("sum", *tensors), add)


def pooled(
    step: StepDraft, name: str, kind: Pooling | None, inputs: GpuTensor, shape: tuple[int, ...]
) -> GpuTensor:
    """``inputs`` behind a pool, of ``shape``; without one they themselves.

    Autograd keeps what was pooled alive, but only the indices of max-pooling are read.
    """
    if kind is None:
        return inputs
    outputs = step.tensor(f"{name} pooled", *shape)
    index = GpuTensor(f"{name} pool index", outputs.nbytes // step.element * POOL_INDEX_NBYTES)
    indices = (index,) if kind == "max" else ()
    step.launch(f"{name} pool", "fp", (inputs,), (outputs, *indices))

    def backward(gradient: GpuTensor) -> None:
        result = GpuTensor(f"{name} unpooled gradient", inputs.nbytes)
        step.launch(f"{name} pool grad", "bp", (gradient, *indices), (result,), holds=(inputs,))
        step.give(inputs, result)

    step.record(outputs, (inputs,), backward)
    return outputs
