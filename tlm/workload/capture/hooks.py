"""Hooks round the modules of a network, which note its boundaries.

A clone is put before a neuron and behind every module, a view before a product. A gradient hook on
it sees the gradient of exactly that edge, not that of a reset path inside of the neuron, and later
in-place operations cannot reach a clone. The weights' gradients are taken as this backward pass
makes them, whatever ``.grad`` held before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.capture.arranging import ZERO, shape_of
from tlm.workload.capture.boundary import Boundary, RecordedModule
from tlm.workload.capture.call_reading import reading_of
from tlm.workload.capture.channels import by_neuron
from tlm.workload.capture.convolutions import PlainConvolution, plain_convolution
from tlm.workload.capture.derived import check_used_as_they_are
from tlm.workload.capture.matmuls import (
    MatmulCall,
    MatmulForm,
    form_of,
    operands,
    unknown_matmuls,
)
from tlm.workload.capture.norms import time_behind_channels
from tlm.workload.capture.options import told_as_refusal
from tlm.workload.capture.provenance import (
    Call,
    TensorProvenance,
    first_map,
    is_unknown,
    provenance_of,
)
from tlm.workload.capture.row_terms import CallReading
from tlm.workload.capture.tensor_axes import TensorAxes, axes_of, row_axes, token_axes
from tlm.workload.capture.user_line import user_line

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

_FEATURES = {"conv": 3, "linear": 1, "matmul": 3}
"""Axes of features of a product's input; those of others follow from their rank."""


class Hooks:
    """Installs hooks on ``modules`` (by name) and collects their boundaries.

    ``boundaries`` are in the order of their first call. What cannot be recorded ends the forward
    pass with a WorkloadError; if ``quiet`` it is kept as ``refusal``, and no more is recorded.
    """

    def __init__(
        self,
        net: Module,
        modules: Mapping[str, RecordedModule],
        steps: int,
        quiet: bool = False,
    ) -> None:
        self.boundaries: dict[str, Boundary] = {}
        self.refusal: WorkloadError | None = None
        self._quiet = quiet
        self._net = net
        self._steps = steps
        self._norms: dict[str, Boundary] = {}  # the first norm behind each product
        self._known: dict[Any, Call] = {}
        self._handles: list[Any] = []
        with self._refusals():
            for name, recorded in modules.items():
                boundary = Boundary(name, recorded.kind, recorded.module, recorded.equation)
                self._watch_parameters(boundary, recorded.parameters(steps))
                self._handles += [
                    recorded.module.register_forward_pre_hook(
                        self._before(boundary), with_kwargs=True
                    ),
                    recorded.module.register_forward_hook(self._after(boundary)),
                ]

    def remove(self) -> None:
        """Take all hooks off the network."""
        for handle in self._handles:
            handle.remove()

    def tap_input(self, boundary: Boundary, tensor: Tensor) -> Tensor:
        """Note a call's input; returns what the module must see in its place."""
        return self._noted(self._noted_input, boundary, tensor)

    def tap_output(self, boundary: Boundary, tensor: Tensor) -> Tensor:
        """Note a call's output; returns what later modules must see in its place."""
        return self._noted(self._noted_output, boundary, tensor)

    def _noted(self, note: Callable[[Boundary, Tensor], Tensor], at: Boundary, tensor: Any) -> Any:
        """What ``note`` makes of ``tensor``; the tensor itself once something was refused."""
        if self.refusal is None:
            with self._refusals():
                if not hasattr(tensor, "grad_fn"):
                    raise WorkloadError(
                        f"{at.name}: expected one tensor, alone or first of several, where it is "
                        f"called and returns, got {type(tensor).__name__}; wrap the module"
                    )
                return note(at, tensor)
        return tensor

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Errors inside are told behind the user's line, or kept if quiet."""
        try:
            with told_as_refusal():
                yield
        except WorkloadError as error:
            self.refusal = WorkloadError(f"{user_line()}{error}")
            self.remove()
            if not self._quiet:
                raise self.refusal from error.__cause__

    def _noted_input(self, boundary: Boundary, tensor: Tensor) -> Tensor:
        self._check_call(boundary, tensor)
        self._note_matmuls(boundary.name, tensor)
        provenance = provenance_of(boundary.name, tensor, self._known)
        axes = boundary.axes = _axes(boundary, provenance, tensor, self._steps)
        shape = tensor.shape
        if boundary.equation is not None and not boundary.inputs:
            boundary.channels = by_neuron(boundary.name, boundary.equation.several, shape, axes)
        if axes is not None:
            provenance.arrange(axes.planar)
            tensor = axes.planar(tensor)
        read = tensor
        if boundary.convolution is not None:
            read = _read(boundary.name, boundary.convolution, provenance, tensor)
        rank = _FEATURES.get(boundary.kind, 1 if tensor.ndim < 4 else 3)
        # The map of a boundary that is called once for all steps is too large to be kept.
        last = boundary.arrangements if boundary.readings else None
        reading = self._unscaled(boundary.name, reading_of(boundary.name, provenance, rank, last))
        product = self.boundaries.get(reading.alone or "")
        if boundary.kind == "norm" and product is not None and product.kind in _FEATURES:
            first = self._norms.setdefault(product.name, boundary)
            self.boundaries.setdefault(first.name, first)
            first.readings.append(reading)
            if first is not boundary and boundary not in first.others:
                first.others.append(boundary)
            return tensor if axes is None else axes.restored(tensor, shape)
        self.boundaries.setdefault(boundary.name, boundary)
        boundary.readings.append(reading)
        # What a product reads is kept for its weights' gradient: torch lets nobody change it.
        copy = tensor.view_as(tensor) if boundary.kind in _FEATURES else tensor.clone()
        boundary.inputs.append((copy if read is tensor else read).detach())
        if boundary.kind not in _FEATURES:
            copy.requires_grad_()  # the network's input carries no gradient by itself
        if read is tensor:
            self._watch(copy, boundary.input_gradients, len(boundary.inputs) - 1)
        return copy if axes is None else axes.restored(copy, shape)

    def _note_matmuls(self, reader: str, tensor: Tensor) -> None:
        """Note the products of recorded tensors that lie before the input of ``reader``."""
        for number, node in enumerate(unknown_matmuls(tensor, self._known), 1):
            sides = operands(reader, node, self._known)
            form = form_of(*sides, shape_of(node))
            name = f"{reader}.matmul{number}"
            boundary = self.boundaries.setdefault(name, _matmul_boundary(name, form))
            assert boundary.held is not None
            if boundary.matmul != form:
                raise WorkloadError(f"{name}: its operands lie otherwise from step to step")
            values = (node._saved_self, node._saved_mat2)
            boundary.scale = 1.0
            streamed, held = sides if form.streamed_left else sides[::-1]
            for side, value, to, planar in zip(
                (streamed, held),
                values if form.streamed_left else values[::-1],
                (boundary, boundary.held),
                (form.planar, held.planar),  # what is streamed may be turned, what is held is not
                strict=True,
            ):
                provenance = replace(side.provenance)
                provenance.arrange(side.planar)
                reading, scale = reading_of(reader, provenance, 3).unscaled(reader)
                self._take_scale(reader, reading, 1.0)
                to.readings.append(reading)
                to.inputs.append(planar(value.detach() / scale))
                boundary.scale *= scale
            call = len(boundary.outputs)
            boundary.outputs.append(form.planar(values[0].detach() @ values[1].detach()))
            self._known[node] = MatmulCall(name, call, form)
            node.register_prehook(_keep_matrices(boundary, call))

    def _unscaled(self, reader: str, reading: CallReading) -> CallReading:
        """A reading without the constant that what is read is multiplied with."""
        reading, scale = reading.unscaled(reader)
        self._take_scale(reader, reading, scale)
        return reading

    def _take_scale(self, reader: str, reading: CallReading, scale: float) -> None:
        """Let the products that are read be multiplied with ``scale``."""
        sources = {factor.source for factor in reading.factors}
        products = [self.boundaries[name] for name in sources if name in self.boundaries]
        products = [product for product in products if product.matmul is not None]
        if scale != 1 and [product.name for product in products] != [reading.alone]:
            raise WorkloadError(
                f"{reader}: its input is multiplied with {scale:g}; only a product of two recorded "
                "tensors may be, alone: put the factor into weights"
            )
        for product in products:
            if product.scale_behind not in (None, scale):
                raise WorkloadError(
                    f"{reader}: it reads a product times {scale:g}, and others read it times "
                    f"{product.scale_behind:g}; multiply it once, before all read it"
                )
            product.scale_behind = scale

    def _noted_output(self, boundary: Boundary, tensor: Tensor) -> Tensor:
        _check_precision(boundary, tensor)
        axes = boundary.axes
        if boundary.convolution is not None:
            axes = boundary.convolution.axes(tuple(tensor.shape))
        copy = tensor.clone() if axes is None else axes.planar(tensor).clone()
        if copy.grad_fn is None:
            raise WorkloadError(
                f"{boundary.name}: its output carries no gradient; run forward with gradients on "
                "(no torch.no_grad, no reentrant checkpointing) and with its weights trainable"
            )
        if boundary.kind in _FEATURES and not boundary.outputs:
            check_used_as_they_are(boundary.name, boundary.module, tensor, self._known)
        boundary = next(
            (first for first in self._norms.values() if boundary in first.others), boundary
        )
        # Nobody else has what a norm returned, and a residual may be added to the copy in place.
        untouched = boundary.kind == "norm" and axes is None
        boundary.outputs.append((tensor if untouched else copy).detach())
        self._watch(copy, boundary.output_gradients, len(boundary.outputs) - 1)
        self._known[copy.grad_fn] = Call(boundary.name, len(boundary.outputs) - 1)
        return copy if axes is None else axes.restored(copy, tensor.shape)

    def _before(self, boundary: Boundary) -> Any:
        def hook(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
            if not boundary.inputs and self.refusal is None:
                with self._refusals():
                    _check_state(boundary, (*arguments, *named.values()))
            arguments, named = boundary.states.taken_back((arguments, named))
            if arguments:
                return (self.tap_input(boundary, arguments[0]), *arguments[1:]), named
            first, *others = named.items()
            return (), {first[0]: self.tap_input(boundary, first[1]), **dict(others)}

        return hook

    def _after(self, boundary: Boundary) -> Any:
        def hook(module: Any, arguments: tuple[Any, ...], output: Any) -> Any:
            if isinstance(output, tuple):
                states = output[1:]
                if boundary.kind == "neuron" and self.refusal is None:
                    states = boundary.states.handed_out(states, len(boundary.outputs))
                return (self.tap_output(boundary, output[0]), *states)
            return self.tap_output(boundary, output)

        return hook

    def _check_call(self, boundary: Boundary, tensor: Tensor) -> None:
        import torch

        _check_precision(boundary, tensor)
        if tensor.is_cuda and (
            torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
        ):
            raise WorkloadError(
                f"{boundary.name}: products are rounded to TF32; record with torch.backends.cudnn."
                "allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False"
            )
        if not self._net.training:
            raise WorkloadError(
                f"{boundary.name}: the network is in eval mode, where batch statistics are fixed "
                "and gradients differ; call net.train() before recording"
            )
        if not getattr(boundary.module, "training", True):
            raise WorkloadError(
                f"{boundary.name}: it is in eval mode while the network trains; a norm whose "
                "statistics are fixed is not modelled: put it into train mode, or fold it into "
                "the weights before it"
            )

    def _watch(self, tensor: Tensor, gradients: dict[int, Tensor], call: int) -> None:
        if tensor.requires_grad:
            tensor.register_hook(lambda gradient: gradients.__setitem__(call, gradient.detach()))

    def _watch_parameters(self, boundary: Boundary, parameters: Mapping[str, Any]) -> None:
        boundary.trained.update(parameters)
        for name, parameter in parameters.items():
            if not parameter.requires_grad:
                raise WorkloadError(
                    f"{boundary.name}.{name} is frozen (requires_grad is False), so there is no "
                    "gradient to record; unfreeze it while recording: the optimizer does not step"
                )
            boundary.parameters[name] = parameter.detach().clone()
            boundary.versions[name] = parameter._version
            self._handles.append(parameter.register_hook(_keep(boundary.parameter_gradients, name)))


def _axes(
    boundary: Boundary, provenance: TensorProvenance, tensor: Tensor, steps: int
) -> TensorAxes | None:
    """The axes of what a boundary reads, if they are not those of [..., C, H, W] or [..., C].

    A linear layer over positions is a convolution of kernel 1.
    """
    places, origins = first_map(provenance.terms), provenance.origins
    if hasattr(boundary.module, "kernel_size") and boundary.kind == "conv":
        shape, rows = tuple(tensor.shape), row_axes(places, origins)
        boundary.convolution = plain_convolution(boundary.name, boundary.module, shape, steps, rows)
        return boundary.convolution.axes(shape)
    axes = None
    if tensor.ndim > 2 and not (boundary.kind == "norm" and tensor.ndim > 4):
        axes = axes_of(places, origins)
    if boundary.kind in ("linear", "conv") and tensor.grad_fn is None:
        axes = token_axes(tensor.shape, steps)
    if axes is not None and boundary.kind == "linear":
        if axes.channels[-1:] != (tensor.ndim - 1,):
            return None
        boundary.kind = "conv"
    if axes is None and boundary.kind == "norm":
        return time_behind_channels(boundary.module, tensor, steps, row_axes(places, origins))
    return axes


def _read(
    where: str, convolution: PlainConvolution, provenance: TensorProvenance, planes: Tensor
) -> Tensor:
    """What a convolution reads of ``planes``, with zeros put in, as ``provenance`` then is."""
    if convolution.module.transposed and is_unknown(provenance.terms):
        raise WorkloadError(
            f"{where}: a transposed convolution reads something without gradient, the network's "
            "input or a constant; pass it through a convolution or linear layer before"
        )
    provenance.arrange(lambda places: convolution.read(places, ZERO))
    return convolution.read(planes)


def _matmul_boundary(name: str, form: MatmulForm) -> Boundary:
    """A product of two recorded tensors, with what it holds, before the first call."""
    boundary = Boundary(name, "matmul", None, matmul=form)
    boundary.held = Boundary(f"{name} (held)", "matmul", None, outputs=boundary.outputs)
    return boundary


def _keep_matrices(boundary: Boundary, call: int) -> Any:
    """What notes the gradient of a product."""
    assert boundary.matmul is not None
    form = boundary.matmul

    def hook(gradients: tuple[Tensor | None, ...]) -> None:
        if gradients[0] is not None:
            boundary.output_gradients[call] = form.planar(gradients[0]).detach()

    return hook


def _check_precision(boundary: Boundary, tensor: Tensor) -> None:
    import torch

    if tensor.dtype != torch.float32:
        raise WorkloadError(
            f"{boundary.name}: expected float32, got {str(tensor.dtype).removeprefix('torch.')}"
            "; switch autocast (mixed precision) off while recording"
        )


def _keep(gradients: dict[str, Tensor], name: str) -> Any:
    def hook(gradient: Tensor) -> None:
        gradients[name] = gradient.detach().clone()

    return hook


def _check_state(boundary: Boundary, arguments: tuple[Any, ...]) -> None:
    """Refuse a neuron that starts from what another mini-batch left."""
    equation = boundary.equation
    if equation is None or equation.state is None:
        return
    state = equation.state(boundary.module, arguments)
    if "initial" in equation.several:
        return  # where each begins is known later: the replay tells
    if hasattr(state, "detach") and bool((state.detach() != equation.neuron.initial).any()):
        raise WorkloadError(
            f"{boundary.name}: its membrane potential is left over from an earlier mini-batch; "
            f"{equation.remedy}"
        )
