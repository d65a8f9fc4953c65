"""Products of spikes (AND, and IAND with 1 minus a factor) as elementwise kernels.

Autograd of ``x * y`` keeps both and multiplies the gradient with each; that of ``1 - x`` changes
its sign. A factor of fewer elements was broadcast: its gradient is summed up.
"""

from __future__ import annotations

from tlm.workload.operand import Factor, Window
from tlm_analysis.gpu.step.draft import StepDraft
from tlm_analysis.gpu.step.kernel import GpuTensor


def broadcasts(factor: Factor) -> bool:
    """Whether it ends with one row, or one column, that stands for all: PyTorch repeats none."""
    last = factor.way[-1] if factor.way else None
    if not isinstance(last, Window):
        return False
    lines = (last.rows, last.columns)
    repeated = [line for line in lines if line.repeat > 1]
    bare = not any(line.before or line.after for line in lines)
    return bool(repeated) and bare and all(line.taken == 1 for line in repeated)


def multiplied(step: StepDraft, name: str, left: GpuTensor, right: GpuTensor) -> GpuTensor:
    """The product of two factors, made once."""

    def multiply() -> GpuTensor:
        nbytes = max(left.nbytes, right.nbytes)
        result, flop = GpuTensor(f"{name} product", nbytes), nbytes // step.element
        step.launch(f"{name} gate", "fp", (left, right), (result,), flop)

        def backward(gradient: GpuTensor) -> None:
            for factor, other in ((right, left), (left, right)):
                if step.needs(factor):
                    share = GpuTensor(f"{name} gradient of gated", nbytes)
                    step.launch(f"{name} gate grad", "bp", (gradient, other), (share,), flop)
                    step.give(factor, _gathered(step, name, share, factor.nbytes))

        step.record(result, (left, right), backward)
        return result

    return step.once(("and", left, right), multiply)


def negated(step: StepDraft, name: str, tensor: GpuTensor) -> GpuTensor:
    """1 minus a factor, made once."""

    def subtract() -> GpuTensor:
        result, flop = GpuTensor(f"{name} inverted", tensor.nbytes), tensor.nbytes // step.element
        step.launch(f"{name} invert", "fp", (tensor,), (result,), flop)

        def backward(gradient: GpuTensor) -> None:
            negative = GpuTensor(f"{name} gradient of inverted", tensor.nbytes)
            step.launch(f"{name} invert grad", "bp", (gradient,), (negative,), flop)
            step.give(tensor, negative)

        step.record(result, (tensor,), backward)
        return result

    return step.once(("not", tensor), subtract)


def _gathered(step: StepDraft, name: str, gradient: GpuTensor, nbytes: int) -> GpuTensor:
    """The gradient of what was broadcast, summed up to its ``nbytes``."""
    if gradient.nbytes == nbytes:
        return gradient
    total, flop = GpuTensor(f"{name} gradient of spread", nbytes), gradient.nbytes // step.element
    step.launch(f"{name} gate sum", "bp", (gradient,), (total,), flop)
    return total
