"""Batch norms as they are written: modules, what they train, where time lies in their tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.capture.tensor_axes import TensorAxes

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

_OTHERS = ("GroupNorm", "LayerNorm", "InstanceNorm", "RMSNorm", "LocalResponseNorm")


def is_norm(module: Module, steps: int) -> bool:
    """Whether it is a batch norm, or one whose result it scales by a parameter of T ``steps``."""
    return _batch_norm(module) is module or _step_scale(module, steps) is not None


def norm_parameters(module: Module, steps: int) -> dict[str, Parameter]:
    """What a norm trains: "weight" and "bias" by channel, "step_scale" by step."""
    inner, scale = _batch_norm(module), _step_scale(module, steps)
    parts = {"weight": inner.weight, "bias": inner.bias, "step_scale": scale}
    return {name: part for name, part in parts.items() if part is not None}


def norm_epsilon(module: Module) -> float:
    """What is added to the variance."""
    return float(_batch_norm(module).eps)


def check_norm_kind(name: str, module: Module) -> None:
    """Refuse norms that are no batch norm, whether or not they have weights.

    Raises WorkloadError.
    """
    kind = type(module).__name__
    if kind.startswith(_OTHERS):
        raise WorkloadError(
            f"{name}: {kind} normalises within each sample, which is not modelled; only batch "
            "norms are: use nn.BatchNorm1d, 2d or 3d, or record without it"
        )


def time_behind_channels(
    module: Any, tensor: Tensor, steps: int, rows: Sequence[int]
) -> TensorAxes | None:
    """The axes of a norm's tensor that has time behind the channels; None of others.

    [B, C, T, H, W] or [B, C, H, W, T] of a three-dimensional norm, [B, C, T] of a one-dimensional:
    the axis of T ``steps`` that is among the ``rows``, the axes of steps or samples that are known.
    """
    from torch import nn

    inner = _batch_norm(module)
    places: tuple[int, ...] = ()
    if isinstance(inner, nn.BatchNorm3d) and inner is module and tensor.ndim == 5:
        places = (2, 4)
    elif isinstance(inner, nn.BatchNorm1d) and tensor.ndim == 3 and tensor.shape[0] != steps:
        places = (2,)
    fitting = [axis for axis in places if tensor.shape[axis] == steps]
    if not fitting:
        return None
    time = next((axis for axis in fitting if axis in rows), fitting[0])
    positions = tuple(axis for axis in range(2, tensor.ndim) if axis != time)
    planes = tuple(int(tensor.shape[axis]) for axis in positions)
    return TensorAxes((time, 0), (1,), positions, planes)


def _batch_norm(module: Module) -> Any:
    """The one batch norm that a module is or holds; None without, or with several."""
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [inner for inner in module.modules() if isinstance(inner, _BatchNorm)]
    return norms[0] if len(norms) == 1 else None


def _step_scale(module: Module, steps: int) -> Parameter | None:
    """A parameter of T elements, and no others, round nothing but a batch norm."""
    inner = _batch_norm(module)
    if inner is None:
        return None
    of_channels = (inner.weight, inner.bias)
    rest = [part for part in module.parameters() if all(part is not known for known in of_channels)]
    return rest[0] if len(rest) == 1 and rest[0].numel() == steps else None


def stacked(tensors: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Parameters of one norm a step as [T, K]."""
    import torch

    return {name: torch.stack([each[name] for each in tensors]) for name in tensors[0]}
