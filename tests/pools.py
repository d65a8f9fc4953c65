"""Pools of any form: rows unlike columns, some overlap, pad, skip elements or round up."""

from __future__ import annotations

from hypothesis import strategies as st

from tlm.workload.model import Pool, Shape3

KINDS = ("max", "average", "sum")


@st.composite
def pools_on(draw: st.DrawFn, shape: Shape3, kinds: tuple[str, ...] = KINDS) -> Pool:
    """A pool whose windows fit ``shape``."""
    kind = draw(st.sampled_from(kinds))
    size, stride = (
        (min(3, shape[1], draw(st.integers(1, 3))), min(3, shape[2], draw(st.integers(1, 3))))
        for _ in range(2)
    )
    padding = (draw(st.integers(0, size[0] // 2)), draw(st.integers(0, size[1] // 2)))
    pool = Pool(kind, size, stride, padding)
    if kind != "max" or not draw(st.booleans()):
        return pool
    over = (draw(st.integers(0, stride[0] - 1)), draw(st.integers(0, stride[1] - 1)))
    up = Pool(kind, size, stride, padding, over)
    return up if up.fits(shape) else pool
