"""A node of the autograd graph that only arranges elements, applied again to a map of them.

A map is a tensor of whole numbers that say which element stands at each place. What a node did to
the elements it does to the map; what it was told (axes, sizes, indices) it still knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

ZERO = -1
"""In a map: a place that padding filled."""

Rearrange = Callable[[Any, int, "Tensor"], "Tensor"]


def shape_of(node: Any, output: int = 0) -> tuple[int, ...]:
    """Shape of an output of ``node``."""
    return tuple(node._input_metadata[output].shape)  # a node's inputs are gradients


def features_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of features: of [N, K] and [T, B, K] the last, else the last three."""
    return shape[-3:] if len(shape) > 3 else shape[-1:]


def signed(number: int) -> int:
    """An axis or index as it was given: torch shows negative ones without their sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def rearrange_of(operation: str) -> Rearrange | None:
    """How ``operation`` arranges the elements of its one operand; None if it does more than that.

    What is returned takes the node, the number of its output, and the operand's map.
    """
    return _REARRANGE.get(operation)


def _as_is(node: Any, output: int, places: Tensor) -> Tensor:
    return places


def _reshape(node: Any, output: int, places: Tensor) -> Tensor:
    return places.reshape(shape_of(node, output))


def _expand(node: Any, output: int, places: Tensor) -> Tensor:
    return places.expand(shape_of(node, output))


def _repeat(node: Any, output: int, places: Tensor) -> Tensor:
    return places.repeat(node._saved_repeats)


def _permute(node: Any, output: int, places: Tensor) -> Tensor:
    return places.permute([signed(axis) for axis in node._saved_dims])


def _transpose(node: Any, output: int, places: Tensor) -> Tensor:
    return places.transpose(signed(node._saved_dim0), signed(node._saved_dim1))


def _turn(node: Any, output: int, places: Tensor) -> Tensor:
    return places.mT if places.ndim > 1 else places


def _slice(node: Any, output: int, places: Tensor) -> Tensor:
    axis = signed(node._saved_dim) % places.ndim
    part = slice(signed(node._saved_start), signed(node._saved_end), node._saved_step)
    return places[(*(slice(None),) * axis, part)]


def _select(node: Any, output: int, places: Tensor) -> Tensor:
    return places.select(signed(node._saved_dim), signed(node._saved_index))


def _unbind(node: Any, output: int, places: Tensor) -> Tensor:
    return places.unbind(signed(node._saved_dim))[output]


def _split(node: Any, output: int, places: Tensor) -> Tensor:
    sizes = getattr(node, "_saved_split_sizes", None) or node._saved_split_size
    return places.split(sizes, signed(node._saved_dim))[output]


def _index(node: Any, output: int, places: Tensor) -> Tensor:
    indices = [slice(None) if at is None else at.cpu() for at in node._saved_indices]
    return places[tuple(indices)]


def _index_select(node: Any, output: int, places: Tensor) -> Tensor:
    return places.index_select(signed(node._saved_dim), node._saved_index.cpu())


def _flip(node: Any, output: int, places: Tensor) -> Tensor:
    return places.flip([signed(axis) for axis in node._saved_dims])


def _roll(node: Any, output: int, places: Tensor) -> Tensor:
    shifts = [signed(shift) for shift in node._saved_shifts]
    return places.roll(shifts, [signed(axis) for axis in node._saved_dims])


def _pad(node: Any, output: int, places: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.pad(places, [signed(size) for size in node._saved_pad], value=ZERO)


def _upsample(node: Any, output: int, places: Tensor) -> Tensor:
    import torch

    kind = type(node).__name__
    exact, rank = "_exact" if "Exact" in kind else "", next(n for n in (1, 2, 3) if f"{n}D" in kind)
    name = f"{exact and '_'}upsample_nearest{exact}{rank}d"
    scales = [getattr(node, f"_saved_scales{side}") for side in _SCALES[rank]]
    # Whole numbers below 2^53 pass through float64 unchanged.
    return getattr(torch.ops.aten, name)(places.double(), node._saved_output_size, *scales).long()


_SCALES = {1: ("",), 2: ("_h", "_w"), 3: ("_d", "_h", "_w")}


def _pixel_shuffle(node: Any, output: int, places: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.pixel_shuffle(places, node._saved_upscale_factor)


def _pixel_unshuffle(node: Any, output: int, places: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.pixel_unshuffle(places, node._saved_downscale_factor)


def _channel_shuffle(node: Any, output: int, places: Tensor) -> Tensor:
    groups, shape = node._saved_groups, places.shape
    split = places.reshape(shape[0], groups, shape[1] // groups, *shape[2:])
    return split.transpose(1, 2).reshape(shape)


_REARRANGE: dict[str, Rearrange] = {
    **dict.fromkeys(("Clone", "Alias", "ToCopy", "Contiguous"), _as_is),
    **dict.fromkeys(("View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze"), _reshape),
    **dict.fromkeys(("T", "Mt"), _turn),
    **dict.fromkeys(("Split", "SplitWithSizes", "UnsafeSplit", "UnsafeSplitWithSizes"), _split),
    **dict.fromkeys(
        (f"UpsampleNearest{exact}{rank}D" for exact in ("", "Exact") for rank in (1, 2, 3)),
        _upsample,
    ),
    "Expand": _expand,
    "Repeat": _repeat,
    "Permute": _permute,
    "Transpose": _transpose,
    "Slice": _slice,
    "Select": _select,
    "Unbind": _unbind,
    "Index": _index,
    "IndexSelect": _index_select,
    "Flip": _flip,
    "Roll": _roll,
    "ConstantPadNd": _pad,
    "PixelShuffle": _pixel_shuffle,
    "PixelUnshuffle": _pixel_unshuffle,
    "ChannelShuffle": _channel_shuffle,
}
