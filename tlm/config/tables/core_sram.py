"""The SRAM of a core: the one list from which its capacity, area and leakage are counted.

Engines work side by side, so each has its own of what it uses (as the buffers of the released
NeuroMC model): spikes of FP and WG, weights and sums of FP and BP, U of the soma and of the
gradient unit. All others exist once. In mode ``element`` lanes run out of step, so each has its
own of what they would meet in: sums to add to, and weights where the lanes hold positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.config.core import Core, EngineConfig
from tlm.config.tables import sram

_INSTANCES = {"spikes": 2, "weights": 2, "partial_sums": 2, "membrane": 2}


@dataclass(frozen=True, slots=True)
class CoreMemory:
    """``count`` memories of ``bits`` each; copies for the lanes of an engine name it."""

    name: str
    bits: int
    count: int
    engine: str = ""


def core_memories(core: Core) -> Iterator[CoreMemory]:
    """Every memory of a core, and the copies that single lanes have beside the first."""
    capacities = core.memory.sizes
    for name, bits in capacities.items():
        yield CoreMemory(name, bits, _INSTANCES.get(name, 1))
    for name in ("fp", "bp", "wg"):
        engine: EngineConfig = getattr(core.engines, name)
        copied = _copied(name, engine)
        if copied is not None:
            lanes = engine.cols if engine.dataflow == "input" else engine.rows
            yield CoreMemory(copied, capacities[copied], lanes - 1, name)


def capacity_bits(core: Core) -> int:
    """Bits of all memories of a core."""
    return sum(memory.count * memory.bits for memory in core_memories(core))


def leakage_w(core: Core) -> float:
    """Leakage in W of all memories of a core."""
    return sum(memory.count * sram.leakage_w(memory.bits) for memory in core_memories(core))


def _copied(name: str, engine: EngineConfig) -> str | None:
    """The memory of which every lane has one, because lanes are out of step."""
    if engine.mode != "element":
        return None
    if name == "wg":
        return None if engine.dataflow == "weight" else "accumulators"
    return "partial_sums" if engine.dataflow == "weight" else "weights"
