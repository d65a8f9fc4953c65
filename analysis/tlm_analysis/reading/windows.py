"""Windows of time."""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints


def window_edges(end_ps: int, windows: int, begin_ps: int = 0) -> Ints:
    """Edges in ps, shape [W+1], of at most ``windows`` equal windows that end at ``end_ps``."""
    span_ps = end_ps - begin_ps
    count = max(1, min(windows, span_ps))
    return np.array([begin_ps + i * span_ps // count for i in range(count + 1)], dtype=np.int64)
