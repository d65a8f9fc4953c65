"""What the energy table is asked for: words, registers and operations of a walk, by engine.

Of the two operands and the sums of a multiply-accumulate, a held operand costs one register access
for each and two for each word loaded, a streamed one two; held sums cost two, sums that go to a
buffer one more for every vector and two less for the first of each output: it is neither loaded
nor read by its first multiply-accumulate. Where its column stores no weight there is none to read
it: one less. For held weights (FP, BP) and held dW (WG) these are the accesses of the released
NeuroMC model (FE, BE, WE).
"""

from __future__ import annotations

from tlm.config.core import WORD_BITS
from tlm.counts.engine_array import EngineArray
from tlm.counts.walk_count import WalkCount
from tlm.space.array_types import Ints

MASK_BITS = 1


def walk_energy(
    array: EngineArray, count: WalkCount[Ints], operand_bits: int, zero_operand_adds: bool
) -> dict[str, Ints]:
    """How often a walk does each action of the energy table, for what is scanned.

    ``operand_bits`` is the width of an element of the row operand: 1 for spikes, which are added,
    not multiplied. Without ``zero_operand_adds`` a multiply-accumulate with a zero operand, or for
    a result that is not needed, costs its multiplexer alone.
    """
    engine = array.engine
    actions: dict[str, Ints] = {
        "engine.scan": _comparisons(array, count),
        "engine.queue_push": count.lane_slots,
        "engine.queue_pop": count.lane_slots,
        "engine.merge_add": count.merged,
        _mac(engine, operand_bits): count.macs if zero_operand_adds else count.useful,
        "engine.mac_idle": (count.macs - count.useful) * (not zero_operand_adds),
    }
    registers = (
        (_operand_registers(count.macs, array.dataflow == "input", count.row_words), operand_bits),
        (_other_registers(array, count), array.other_bits),
        (_sum_registers(array, count), array.sum_bits),
    )
    for number, bits in registers:  # whole words, and the bits that are left
        for name, each in (("reg16", bits // WORD_BITS), ("reg1", bits % WORD_BITS)):
            action = f"{engine}.{name}"
            actions[action] = actions.get(action, 0) + number * each
    return actions | _buffers(engine, count, operand_bits)


def _comparisons(array: EngineArray, count: WalkCount[Ints]) -> Ints:
    """Comparisons of the zero-scan: one per slot, or one per slot and lane."""
    return count.scanned * {"dense": 0, "vector": 1, "element": array.lanes}[array.mode]


def _mac(engine: str, operand_bits: int) -> str:
    if engine == "bp":
        return "bp.mac"
    return f"{engine}.mac_add" if operand_bits == MASK_BITS else f"{engine}.mac_mul"


def _operand_registers(macs: Ints, held: bool, words: Ints) -> Ints:
    return macs + 2 * words if held else 2 * macs


def _other_registers(array: EngineArray, count: WalkCount[Ints]) -> Ints:
    held = array.dataflow == ("output" if array.weights_are_sums else "weight")
    return _operand_registers(count.macs, held, count.other_words)


def _sum_registers(array: EngineArray, count: WalkCount[Ints]) -> Ints:
    held = array.dataflow == ("weight" if array.weights_are_sums else "output")
    spared = 2 * count.fresh - count.weightless
    return 2 * count.macs + (0 if held else count.sum_writes - spared)


def _buffers(engine: str, count: WalkCount[Ints], operand_bits: int) -> dict[str, Ints]:
    if engine == "fp":
        return {
            "fp.spike_read": count.row_words * (operand_bits % WORD_BITS),
            "fp.value_read": count.row_words * (operand_bits // WORD_BITS),
            "fp.weight_read": count.other_words,
            "fp.partial_read": count.sum_reads,
            "fp.partial_write": count.sum_writes,
        }
    if engine == "bp":
        return {
            "bp.gradient_read": count.row_words,
            "bp.weight_read": count.other_words,
            "bp.partial_read": count.sum_reads,
            "bp.partial_write": count.sum_writes,
        }
    return {
        "wg.spike_read": count.row_words * (operand_bits % WORD_BITS),
        "wg.value_read": count.row_words * (operand_bits // WORD_BITS),
        "wg.gradient_read": count.other_words,
        "wg.accumulator_read": count.sum_reads,
        "wg.accumulator_write": count.sum_writes,
    }
