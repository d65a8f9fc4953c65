"""Operands put together of parts, as the kernels that PyTorch launches for them.

Splits, slices and crops of a window are one view, which moves nothing; zero padding, nearest
upsampling, pools and sums are a kernel each. One more puts the parts together, or copies a view
that a product would read alone, which has to be contiguous. Back, the gradient of a view is laid
into zeros of the whole, that of upsampling summed up, those of padding and of parts are views.
"""

from __future__ import annotations

from math import prod

from tlm.workload.model import Pool, Shape3
from tlm.workload.operand import Operand, Step, Term, Window, shape_behind
from tlm_analysis.gpu.step.draft import (
    SavedOperand,
    SavedPool,
    SavedTerm,
    Sliced,
    StepDraft,
    accumulate,
    pool_gradient,
    pooled,
)
from tlm_analysis.gpu.step.kernel import GpuTensor
from tlm_analysis.gpu.step.network import INPUT


def put_together(
    step: StepDraft, name: str, operand: Operand, shape: Shape3
) -> tuple[GpuTensor, SavedOperand]:
    """The operand of ``shape``, and what its gradient's way back needs."""
    parts, saved = list[GpuTensor](), SavedOperand()
    for part in operand.parts:
        terms = [_forward(step, name, term) for term in part.terms]
        saved.append([term for _, term in terms])
        total = terms[0][0] if terms else step.tensor(f"{name} zeros", part.channels, *shape[1:])
        if not terms:
            step.launch(f"{name} zeros", "fp", (), (total,))
        for addend, _ in terms[1:]:
            together = step.tensor(f"{name} sum", part.channels, *shape[1:])
            step.launch(f"{name} add", "fp", (total, addend), (together,))
            total = together
        parts.append(total)
    if len(parts) == 1 and parts[0].base is None:
        return parts[0], saved
    whole = step.tensor(name, *shape)
    step.launch(f"{name} copy" if len(parts) == 1 else f"{name} cat", "fp", tuple(parts), (whole,))
    return whole, saved


def take_apart(step: StepDraft, name: str, saved: SavedOperand, gradient: GpuTensor) -> None:
    """Give each source its share of an operand's ``gradient``."""
    sizes = [part[0].nbytes if part else 0 for part in saved]
    for part, nbytes in zip(saved, sizes, strict=True):
        share = step.view(gradient, nbytes)
        for term in part:
            if term.source != INPUT:
                accumulate(step, (term.source,), _backward(step, name, term, share))


def _forward(step: StepDraft, name: str, term: Term) -> tuple[GpuTensor, SavedTerm]:
    """What a term leaves."""
    tensor, shape = step.outputs[term.source,], _left(step, term.source)
    way = list[SavedPool | Sliced]()
    for each in term.way:
        if isinstance(each, Window):
            tensor, sliced = _windowed(step, name, each, tensor)
            way.append(sliced)
        else:
            assert isinstance(each, Pool)
            tensor, pool = pooled(step, name, each.kind, tensor, each.pooled(shape))
            assert pool is not None
            way.append(pool)
        shape = _behind(each, shape)
    return tensor, SavedTerm(term.source, tensor.nbytes, way)


def _windowed(
    step: StepDraft, name: str, window: Window, tensor: GpuTensor
) -> tuple[GpuTensor, Sliced]:
    """What comes through a window, and what its way back needs."""
    channels, (rows, columns) = window.stop - window.start, (window.rows, window.columns)
    taken, repeats = rows.taken * columns.taken, rows.repeat * columns.repeat
    view = step.view(tensor, tensor.nbytes // prod(window.shape) * channels * taken)
    repeated = padded = view
    if repeats > 1:
        repeated = GpuTensor(f"{name} upsampled", view.nbytes * repeats)
        step.launch(f"{name} upsample", "fp", (view,), (repeated,))
        padded = repeated
    if any((rows.before, rows.after, columns.before, columns.after)):
        padded = step.tensor(f"{name} padded", *window.shape_behind)
        step.launch(f"{name} pad", "fp", (repeated,), (padded,))
    return padded, Sliced(tensor, view, repeated)


def _backward(step: StepDraft, name: str, term: SavedTerm, gradient: GpuTensor) -> GpuTensor:
    """The gradient of a term's source from that of what it leaves."""
    for each in reversed(term.way):
        if isinstance(each, SavedPool):
            gradient = pool_gradient(step, name, gradient, each)
            continue
        gradient = step.view(gradient, each.repeated.nbytes)
        if each.repeated.nbytes > each.view.nbytes:
            summed = GpuTensor(f"{name} gradient of upsampled", each.view.nbytes)
            step.launch(f"{name} upsample grad", "bp", (gradient,), (summed,))
            gradient = summed
        if each.view.nbytes < each.before.nbytes:
            whole = GpuTensor(f"{name} gradient of sliced", each.before.nbytes)
            step.launch(f"{name} slice zeros", "bp", (), (whole,))
            step.launch(
                f"{name} slice grad", "bp", (gradient,), (step.view(whole, gradient.nbytes),)
            )
            gradient = whole
    return gradient


def _left(step: StepDraft, source: int) -> Shape3:
    """Shape (C, H, W) of what a source leaves."""
    network = step.network
    return network.image_shape if source == INPUT else network.stages[source].pooled_shape


def _behind(each: Step, shape: Shape3) -> Shape3:
    return shape_behind((each,), shape)
