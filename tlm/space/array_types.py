"""Kinds of arrays that hold masks and counts, by the type of their elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[Any]  # masks, or counts of set elements
