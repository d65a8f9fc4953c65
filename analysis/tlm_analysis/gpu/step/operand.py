"""What a stage reads, as the kernels that PyTorch launches to put it together.

Splits, slices and crops of a window are one view, which moves nothing; zero padding, nearest
upsampling, pools, sums and products of spikes are a kernel each. One more puts parts together, or
copies a view that a product would read alone, which has to be contiguous. Back, the gradient of a
view is laid into zeros of the whole, that of upsampling summed up, that of padding copied; those of
parts are views. What several stages read alike is made once.
"""

from __future__ import annotations

from math import prod

from tlm.workload.model import Pool, Shape3
from tlm.workload.operand import Factor, Operand, Part, Term, Window, shape_behind
from tlm_analysis.gpu.step.draft import StepDraft, pooled, summed
from tlm_analysis.gpu.step.gate import broadcasts, multiplied, negated
from tlm_analysis.gpu.step.kernel import GpuTensor
from tlm_analysis.gpu.step.network import INPUT, StageOperand


def read(step: StepDraft, name: str, reads: StageOperand) -> GpuTensor:
    """What is read: the sum of its sources, or its parts put together."""
    if reads.operand is None:
        sources = tuple(_left(step, source) for source in sorted(reads.sources))
        return summed(step, name, sources)
    return _put_together(step, name, reads.operand, reads.shape)


def _put_together(step: StepDraft, name: str, operand: Operand, shape: Shape3) -> GpuTensor:
    """The operand of ``shape``."""
    parts = tuple(_part(step, name, part, shape) for part in operand.parts)
    if len(parts) == 1 and parts[0].base is None:
        return parts[0]

    def join() -> GpuTensor:
        whole = step.tensor(name, *shape)
        what = "copy" if len(parts) == 1 else "cat"
        step.launch(f"{name} {what}", "fp", parts, (whole,))

        def backward(gradient: GpuTensor) -> None:
            for part in parts:
                step.give(part, step.view(gradient, part.nbytes))

        step.record(whole, parts, backward)
        return whole

    return step.once(("cat", *parts), join)


def _part(step: StepDraft, name: str, part: Part, shape: Shape3) -> GpuTensor:
    """The sum of a part's terms, or zeros."""
    if part.terms:
        terms = sorted(part.terms, key=lambda term: term.source)
        return summed(step, name, tuple(_term(step, name, term) for term in terms))
    zeros = step.tensor(f"{name} zeros", part.channels, *shape[1:])
    step.launch(f"{name} zeros", "fp", (), (zeros,))
    return zeros


def _term(step: StepDraft, name: str, term: Term) -> GpuTensor:
    """What a term leaves: its factors multiplied, one after the other.

    One position that meets all others of a factor is broadcast, without a kernel.
    """
    alone = [broadcasts(factor) for factor in term.factors]
    spared = alone if not all(alone) else [False] * len(alone)
    first, *others = (
        _factor(step, name, factor, repeats=not spare)
        for factor, spare in zip(term.factors, spared, strict=True)
    )
    for other in others:
        first = multiplied(step, name, first, other)
    return first


def _factor(step: StepDraft, name: str, factor: Factor, repeats: bool) -> GpuTensor:
    """What a factor multiplies with."""
    tensor, shape = _left(step, factor.source), _shape_left(step, factor.source)
    for each in factor.way:
        if isinstance(each, Window):
            tensor = _windowed(step, name, each, tensor, repeats)
        else:
            assert isinstance(each, Pool)
            tensor = _pooled(step, name, each, tensor, shape)
        shape = shape_behind((each,), shape)
    return negated(step, name, tensor) if factor.inverted else tensor


def _pooled(step: StepDraft, name: str, pool: Pool, tensor: GpuTensor, shape: Shape3) -> GpuTensor:
    def make() -> GpuTensor:
        return pooled(step, name, pool.kind, tensor, pool.pooled(shape))

    return step.once((tensor, pool), make)


def _windowed(
    step: StepDraft, name: str, window: Window, tensor: GpuTensor, repeats: bool
) -> GpuTensor:
    """What comes through a window, its rows and columns repeated only if it ``repeats``."""
    channels, (rows, columns) = window.stop - window.start, (window.rows, window.columns)
    taken = rows.taken * columns.taken
    times = rows.repeat * columns.repeat if repeats else 1
    padding = rows.before + rows.after + columns.before + columns.after

    def make() -> GpuTensor:
        nbytes = tensor.nbytes // prod(window.shape) * channels * taken
        result = _upsampled(step, name, _viewed(step, name, tensor, nbytes), times)
        return _padded(step, name, result, window) if padding else result

    return step.once((tensor, window, repeats), make)


def _viewed(step: StepDraft, name: str, tensor: GpuTensor, nbytes: int) -> GpuTensor:
    view = step.view(tensor, nbytes)

    def backward(gradient: GpuTensor) -> None:
        whole = GpuTensor(f"{name} gradient of sliced", tensor.nbytes)
        step.launch(f"{name} slice zeros", "bp", (), (whole,))
        step.launch(f"{name} slice grad", "bp", (gradient,), (step.view(whole, nbytes),))
        step.give(tensor, whole)

    if view is not tensor:
        step.record(view, (tensor,), backward)
    return view


def _upsampled(step: StepDraft, name: str, tensor: GpuTensor, times: int) -> GpuTensor:
    if times == 1:
        return tensor
    result = GpuTensor(f"{name} upsampled", tensor.nbytes * times)
    step.launch(f"{name} upsample", "fp", (tensor,), (result,))

    def backward(gradient: GpuTensor) -> None:
        total = GpuTensor(f"{name} gradient of upsampled", tensor.nbytes)
        step.launch(f"{name} upsample grad", "bp", (gradient,), (total,))
        step.give(tensor, total)

    step.record(result, (tensor,), backward)
    return result


def _padded(step: StepDraft, name: str, tensor: GpuTensor, window: Window) -> GpuTensor:
    result = step.tensor(f"{name} padded", *window.shape_behind)
    step.launch(f"{name} pad", "fp", (tensor,), (result,))

    def backward(gradient: GpuTensor) -> None:
        inner = GpuTensor(f"{name} gradient of padded", tensor.nbytes)
        step.launch(f"{name} pad grad", "bp", (step.view(gradient, tensor.nbytes),), (inner,))
        step.give(tensor, inner)

    step.record(result, (tensor,), backward)
    return result


def _left(step: StepDraft, source: int) -> GpuTensor:
    """What a source leaves."""
    return step.images if source == INPUT else step.outputs[source]


def _shape_left(step: StepDraft, source: int) -> Shape3:
    network = step.network
    return network.image_shape if source == INPUT else network.stages[source].pooled_shape
