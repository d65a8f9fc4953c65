"""Budget: how much of the memories of a core is left for what stays, at every turn of the schedule.

Turn i is FP of layer i; after the last layer come BP and WG, layer by layer back. Working room of
the engines, and a double buffer for pieces of the update, are taken off before anything stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tlm.config.chip import ChipConfig

UPDATE_PIECE = 2048  # weights updated at a time, so that fetch, update and write overlap (assumed)
CARRY = "carry"  # U between the steps of a wavefront: a quarter of its memory, pool or not


class Budget:
    """What is left in the memories of every core; ``at_once``: all layers run at the same time.

    There is one turn only then. Where nothing ``learns``, FP alone needs working room.
    """

    def __init__(self, chip: ChipConfig, at_once: bool, learns: bool = True) -> None:
        self._chip, self._at_once, self._learns = chip, at_once, learns
        self._used: dict[tuple[str, int, int], int] = defaultdict(int)

    def room(self, memory: str) -> int:
        """Bits of what may stay where data of ``memory`` do."""
        sizes = self._chip.core.memory
        if memory == CARRY:
            return sizes.membrane // 4
        if not self._learns:
            return sizes.kept(memory) + sizes.idle_in_inference
        takes_piece = sizes.sharing == "pool" or memory == "optimizer"
        return max(0, sizes.kept(memory) - takes_piece * _update_bits(self._chip))

    def take(self, memory: str, bits: Mapping[int, int], turns: Sequence[int]) -> bool:
        """Keep ``bits`` by core for some turns; false, and nothing is kept, if they do not fit."""
        shared = self._chip.core.memory.sharing == "pool" and memory != CARRY
        name, room = "pool" if shared else memory, self.room(memory)
        when = range(1) if self._at_once else turns
        places = [(name, core, turn) for core in bits for turn in when]
        if any(self._used[place] + bits[place[1]] > room for place in places):
            return False
        for place in places:
            self._used[place] += bits[place[1]]
        return True


def update_piece(chip: ChipConfig, bits: int) -> int:
    """Weights updated at a time, each ``bits`` wide with its moments: two pieces have room."""
    return max(1, min(UPDATE_PIECE, chip.core.memory.optimizer // (2 * bits)))


def _update_bits(chip: ChipConfig) -> int:
    """Bits of the two pieces of an update that are in the core at a time, at the most."""
    bits = chip.precision.weight + 2 * chip.precision.optimizer
    return 2 * bits * update_piece(chip, bits)
