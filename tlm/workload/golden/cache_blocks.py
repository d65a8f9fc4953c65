"""Large tensors in parts that stay in the cache: what each part passes through is read once."""

from __future__ import annotations

from collections.abc import Iterator


def cache_blocks(count: int, elements: int, most: int) -> Iterator[slice]:
    """Slices of ``count`` parts of ``elements`` each: as many at a time as ``most`` elements hold.

    Of parts that are larger it is one at a time.
    """
    size = max(1, most // max(1, elements))
    for first in range(0, count, size):
        yield slice(first, first + size)
