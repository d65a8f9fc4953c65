"""Weights that are made of others: norms of weights, pruning, standardisation, quantisation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tlm.errors import WorkloadError

if TYPE_CHECKING:
    from torch.nn import Module

_PRODUCTS: Final = ("Convolution", "MkldnnConvolution", "Addmm", "Mm", "Linear", "Bmm", "Baddbmm")
# Autocast copies weights too, and is told by what it makes of their products.
_ARRANGING: Final = (
    "T",
    "Transpose",
    "Permute",
    "View",
    "Unsqueeze",
    "Squeeze",
    "Expand",
    "Clone",
    "ToCopy",
)


def check_plain(name: str, module: Module) -> None:
    """Raise WorkloadError if a weight of ``module`` is computed from other parameters.

    A job holds one weight and its gradient; the work of making one from the others, and the
    update of those, would be missing.
    """
    for parameter in ("weight", "bias"):
        if parameter in module._parameters or getattr(module, parameter, None) is None:
            continue
        maker, remedy = _maker(module, parameter)
        raise WorkloadError(
            f"{name}.{parameter}: is made by {maker} from other parameters, whose gradients and "
            f"updates a job does not hold; {remedy} before recording"
        )


def _maker(module: Any, parameter: str) -> tuple[str, str]:
    """What makes the weight, and what makes it a parameter again."""
    utils = "torch.nn.utils"
    if parameter in getattr(module, "parametrizations", {}):
        kinds = [type(each).__name__.strip("_") for each in module.parametrizations[parameter]]
        return (
            f"the parametrization {', '.join(kinds)}",
            f'call {utils}.parametrize.remove_parametrizations(MODULE, "{parameter}")',
        )
    if hasattr(module, f"{parameter}_mask"):
        return "pruning", f'call {utils}.prune.remove(MODULE, "{parameter}")'
    if hasattr(module, f"{parameter}_g"):
        return "weight_norm", f'call {utils}.remove_weight_norm(MODULE, "{parameter}")'
    if hasattr(module, f"{parameter}_u"):
        return "spectral_norm", f'call {utils}.remove_spectral_norm(MODULE, "{parameter}")'
    return "code of its own", "give the module a plain parameter"


def check_used_as_they_are(name: str, module: Any, output: Any, known: Iterable[Any]) -> None:
    """Raise WorkloadError if a product was not computed with its module's weights as they are.

    ``output`` is what the module returned; ``known`` are nodes of the graph behind which nothing
    belongs to it.
    """
    changes = [
        operation
        for operation in _way_to(module.weight, output.grad_fn, known)
        if operation not in _ARRANGING
    ]
    if changes:
        raise WorkloadError(
            f"{name}.weight: passes through {', '.join(dict.fromkeys(changes))} before it is "
            "multiplied (standardised, quantised or masked weights?), and a job holds the weights "
            "that are multiplied and no work that makes them; record without it"
        )


def _way_to(parameter: Any, product: Any, known: Iterable[Any]) -> list[str]:
    """Operations between a parameter and the product that reads it; none if it is not read."""
    waiting: list[tuple[Any, list[str] | None]] = [(product, None)]
    seen = set(known)
    while waiting:
        node, behind = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if getattr(node, "variable", None) is parameter:
            return behind or []
        operation = type(node).__name__.partition("Backward")[0]
        if behind is not None:
            behind = [*behind, operation]
        elif operation in _PRODUCTS:
            behind = []
        waiting += [(following, behind) for following, _ in node.next_functions]
    return []
