"""State that a neuron returns beside its spikes, and what the loss reads of it.

Code outside gets copies of the state; handed back at the next call they are exchanged for the
originals. So the gradient of a copy is what comes from outside of the neuron alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class ReturnedStates:
    """States by place (0 is the first behind the spikes): values and gradients by call."""

    def __init__(self) -> None:
        self.values: list[list[Tensor]] = []
        self.gradients: list[dict[int, Tensor]] = []
        # By the id of the copy, which is kept beside: so no other object gets its id.
        self._originals: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def read(self) -> list[int]:
        """Places of the states that a gradient reached from outside."""
        return [place for place, gradients in enumerate(self.gradients) if gradients]

    def handed_out(self, states: tuple[Any, ...], call: int) -> Any:
        """What code outside gets in place of ``states``, returned by call number ``call``."""
        place = -1

        def copied(state: Tensor) -> Tensor:
            nonlocal place
            place += 1
            if place == len(self.values):
                self.values.append([])
                self.gradients.append({})
            copy = state.clone()
            self.values[place].append(copy.detach())
            self._originals[id(copy)] = copy, state
            if copy.requires_grad:
                copy.register_hook(_keep(self.gradients[place], call))
            return copy

        return _mapped(states, copied)

    def taken_back(self, arguments: Any) -> Any:
        """Arguments of a call in which copies are exchanged for their originals."""
        return _mapped(arguments, lambda value: self._originals.get(id(value), (value, value))[1])


def _keep(gradients: dict[int, Tensor], call: int) -> Callable[[Tensor], None]:
    def hook(gradient: Tensor) -> None:
        gradients[call] = gradient.detach()

    return hook


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """``value`` with every tensor in it changed, tuples and dicts (however nested) rebuilt."""
    if hasattr(value, "grad_fn"):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    if not isinstance(value, tuple):
        return value
    parts = [_mapped(part, change) for part in value]
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
