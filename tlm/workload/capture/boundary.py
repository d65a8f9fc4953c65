"""What is noted at a module's boundary in one iteration: what goes in, comes out, its gradients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tlm.errors import WorkloadError
from tlm.workload.capture.arrangements import Arrangements
from tlm.workload.capture.convolutions import PlainConvolution
from tlm.workload.capture.declared import Declared
from tlm.workload.capture.matmuls import MatmulForm
from tlm.workload.capture.norms import norm_parameters
from tlm.workload.capture.row_terms import CallReading
from tlm.workload.capture.states import ReturnedStates
from tlm.workload.capture.tensor_axes import TensorAxes
from tlm.workload.values import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

BoundaryKind = Literal["conv", "linear", "matmul", "norm", "neuron"]


@dataclass(eq=False)
class Boundary:
    """One module's calls in an iteration: tensors in call order, gradients by call.

    ``inputs`` and ``input_gradients`` are those of convolutions, linear layers and neurons, and of
    norms that follow no product. ``parameters`` and ``parameter_gradients`` are by the names torch
    gives them. Of several norms behind one product the first notes the calls of all; ``others``
    hold the parameters of the rest. ``axes`` are those of a call's tensors where they are not
    [..., C, H, W] or [..., C], as which they are noted; ``convolution`` is what a module of one is
    over planes, whose inputs are those it reads. A product of two recorded tensors has no module,
    but its form ``matmul``, ``held``, which notes what its second operand reads, and constants: it
    has the ``scale`` of its operands, and all that read it multiply it with ``scale_behind``. Of a
    neuron whose constants are several ``channels`` holds each by neuron, [C, H, W] or [C].
    """

    name: str
    kind: BoundaryKind
    module: Any
    equation: Declared | None = None
    readings: list[CallReading] = field(default_factory=list)
    arrangements: Arrangements = field(default_factory=Arrangements)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    input_gradients: dict[int, Tensor] = field(default_factory=dict)
    output_gradients: dict[int, Tensor] = field(default_factory=dict)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    parameter_gradients: dict[str, Tensor] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    states: ReturnedStates = field(default_factory=ReturnedStates)
    time_axis: int = 0
    trained: dict[str, Any] = field(default_factory=dict)
    others: list[Boundary] = field(default_factory=list)
    axes: TensorAxes | None = None
    convolution: PlainConvolution | None = None
    matmul: MatmulForm | None = None
    held: Boundary | None = None
    scale: float = 1.0
    scale_behind: float | None = None
    channels: dict[str, FloatArray] = field(default_factory=dict)

    def let_go(self) -> None:
        """Forget the tensors of the calls, when what is needed of them is collected."""
        for tensors in (self.inputs, self.outputs):
            tensors.clear()
        for gradients in (self.input_gradients, self.output_gradients):
            gradients.clear()
        if self.held is not None:
            self.held.let_go()


@dataclass(frozen=True, eq=False)
class RecordedModule:
    """A module to put hooks on; ``equation`` is that of a neuron, None for other kinds."""

    module: Any
    kind: BoundaryKind
    equation: Declared | None = None

    def parameters(self, steps: int) -> dict[str, Any]:
        """What the module trains, by name."""
        if self.kind == "norm":
            return dict(norm_parameters(self.module, steps))
        if self.equation is not None:
            learnt = {each.parameter for each in self.equation.learnt.values()}
            every = self.module.named_parameters()
            return {name: parameter for name, parameter in every if name in learnt}
        return dict(self.module.named_parameters(recurse=False))


def settle_output(boundary: Boundary) -> None:
    """Note in a neuron's equation that the loss reads its membrane potential, if so it does.

    And of a product what it is once multiplied with its constant.

    Raises WorkloadError if the loss reads spikes and potential, or what the module does not return.
    """
    if (factor := boundary.scale_behind) is not None:
        boundary.outputs[:] = [output * factor for output in boundary.outputs]
        boundary.output_gradients = {
            call: gradient / factor for call, gradient in boundary.output_gradients.items()
        }
        boundary.scale *= factor
    if boundary.equation is None or not boundary.input_gradients:
        return
    if len(boundary.states.read) > 1 or (boundary.states.read and boundary.output_gradients):
        raise WorkloadError(
            f"{boundary.name}: the loss reads more than one of its spikes and states; one of them "
            "can be recorded: put the loss on the spikes, or on the membrane potential alone"
        )
    if boundary.states.read:
        neuron = replace(boundary.equation.neuron, output="membrane")
        boundary.equation = replace(boundary.equation, neuron=neuron)
        boundary.output_gradients = boundary.states.gradients[boundary.states.read[0]]
    elif not boundary.output_gradients:
        raise WorkloadError(
            f"{boundary.name}: a gradient reached its input, but not its spikes: the loss reads "
            "its membrane potential or another state, which can be recorded only if the module "
            "returns it behind its spikes; return it so, or put the loss on the spikes"
        )


def membranes(boundary: Boundary) -> list[Tensor]:
    """The membrane potentials that the loss reads, by call."""
    places = boundary.states.read
    return boundary.states.values[places[0]] if places else boundary.outputs


def check_unchanged(boundary: Boundary) -> None:
    """Refuse weights that were updated between forward and the end of recording."""
    for name, parameter in boundary.trained.items():
        if name in boundary.versions and parameter._version != boundary.versions[name]:
            raise WorkloadError(
                f"{boundary.name}.{name} changed while recording; call optimizer.step() after "
                "the block 'with cap.at(...)', not inside it"
            )
