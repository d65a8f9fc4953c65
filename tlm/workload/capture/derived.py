"""Weights that are no parameter but made of others: norms of weights, pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError

if TYPE_CHECKING:
    from torch.nn import Module


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
