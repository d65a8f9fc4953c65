"""Masks kept as bits: a layer's becomes a Boolean array when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import prod
from typing import overload

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class LazyMasks(Sequence[Mask]):
    """Boolean arrays, one a layer; only the one that was asked for last stays alive."""

    def __init__(self, makers: Iterable[Callable[[], Mask]] = ()) -> None:
        self._makers = list(makers)
        self._last: tuple[int, Mask] | None = None

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, index: int) -> Mask: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Mask]: ...
    def __getitem__(self, index: int | slice) -> Mask | Sequence[Mask]:
        place = range(len(self))[index]
        if isinstance(place, range):
            return LazyMasks(self._makers[each] for each in place)
        if self._last is None or self._last[0] != place:
            self._last = None  # its memory first
            self._last = place, self._makers[place]()
        return self._last[1]

    def append(self, mask: Mask) -> None:
        """Add the array of one more layer, packed: eight elements a byte."""
        self._makers.append(_packed(mask))


def packed(masks: Iterable[Mask]) -> LazyMasks:
    """The arrays, an eighth of their size."""
    return LazyMasks(map(_packed, masks))


def samples_of(masks: Sequence[Mask], some: slice) -> LazyMasks:
    """Arrays [T, B, ...], some samples of each."""
    return LazyMasks(partial(_samples, masks, place, some) for place in range(len(masks)))


def _packed(mask: Mask) -> Callable[[], Mask]:
    if not any(mask.strides):  # one element throughout, as np.broadcast_to gives it
        return lambda: mask
    return partial(_unpacked, np.packbits(mask), mask.shape)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> Mask:
    return np.unpackbits(bits, count=prod(shape)).view(np.bool_).reshape(shape)


def _samples(masks: Sequence[Mask], place: int, some: slice) -> Mask:
    return masks[place][:, some]
