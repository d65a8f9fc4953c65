"""SimPy's environment, with the types this project uses it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import simpy


class Environment(simpy.Environment):
    """Stock SimPy; time is an integer count of ps, and anything event-like can be scheduled."""

    if TYPE_CHECKING:

        @property
        def now(self) -> int: ...

        def schedule(self, event: Any, priority: Any = 1, delay: int = 0) -> None: ...  # type: ignore[override]
