"""What the energy table is asked for: words, registers and operations of a walk, by engine.

Of the two operands and the sums of a multiply-accumulate, a held operand costs one register access
for each and two for each word loaded, a streamed one two; held sums cost two, sums that go to a
buffer one more for every vector and two less for the first of each output. For held weights (FP,
BP) and held dW (WG) these are the accesses of the released NeuroMC model (FE, BE, WE).
"""

from __future__ import annotations

from tlm.config.core import WORD_BITS
from tlm.counts.engine_array import EngineArray
from tlm.counts.walk import WalkCount
from tlm.space.array_types import Ints

MASK_BITS = 1


def walk_energy(
    engine: str,
    array: EngineArray,
    walked: WalkCount[Ints],
    operand_bits: int,
    zero_operand_adds: bool,
) -> dict[str, Ints]:
    """Actions of the energy table for what is scanned.

    ``operand_bits`` is the width of an element of ``first``: 1 for spikes, which are added, not
    multiplied. Without ``zero_operand_adds`` a multiply-accumulate with a zero operand, or for a
    result that is not needed, costs its multiplexer alone.
    """
    total = {
        "engine.scan": _scanned(array, walked),
        "engine.queue_push": walked.lane_slots,
        "engine.queue_pop": walked.lane_slots,
        "engine.merge_add": walked.merged,
        _mac(engine, operand_bits): walked.macs if zero_operand_adds else walked.useful,
        "engine.mac_idle": (walked.macs - walked.useful) * (not zero_operand_adds),
        f"{engine}.reg16": _other_registers(array, walked) + _sum_registers(array, walked),
    }
    first = _operand_registers(walked.macs, array.dataflow == "input", walked.first_words)
    if engine == "bp":  # a gradient of any width is handled as a word
        operand_bits = WORD_BITS
    total[f"{engine}.reg16"] += first * (operand_bits // WORD_BITS)
    if operand_bits % WORD_BITS:
        total[f"{engine}.reg1"] = first * (operand_bits % WORD_BITS)
    return total | _buffers(engine, walked, operand_bits)


def _scanned(array: EngineArray, walked: WalkCount[Ints]) -> Ints:
    """Comparisons of the zero-scan: one a slot, or one a slot and lane."""
    return walked.scanned * {"dense": 0, "vector": 1, "element": array.lanes}[array.mode]


def _mac(engine: str, operand_bits: int) -> str:
    if engine == "bp":
        return "bp.mac"
    return f"{engine}.mac_add" if operand_bits == MASK_BITS else f"{engine}.mac_mul"


def _operand_registers(macs: Ints, held: bool, words: Ints) -> Ints:
    return macs + 2 * words if held else 2 * macs


def _other_registers(array: EngineArray, walked: WalkCount[Ints]) -> Ints:
    held = array.dataflow == ("output" if array.weights_are_sums else "weight")
    return _operand_registers(walked.macs, held, walked.other_words)


def _sum_registers(array: EngineArray, walked: WalkCount[Ints]) -> Ints:
    held = array.dataflow == ("weight" if array.weights_are_sums else "output")
    return 2 * walked.macs + (0 if held else walked.sum_writes - 2 * walked.fresh)


def _buffers(engine: str, walked: WalkCount[Ints], operand_bits: int) -> dict[str, Ints]:
    if engine == "fp":
        return {
            "fp.spike_read": walked.first_words * (operand_bits % WORD_BITS),
            "fp.value_read": walked.first_words * (operand_bits // WORD_BITS),
            "fp.weight_read": walked.other_words,
            "fp.partial_read": walked.sum_reads,
            "fp.partial_write": walked.sum_writes,
        }
    if engine == "bp":
        return {
            "bp.gradient_read": walked.first_words,
            "bp.weight_read": walked.other_words,
            "bp.partial_read": walked.sum_reads,
            "bp.partial_write": walked.sum_writes,
        }
    return {
        "wg.spike_read": walked.first_words * (operand_bits % WORD_BITS),
        "wg.value_read": walked.first_words * (operand_bits // WORD_BITS),
        "wg.gradient_read": walked.other_words,
        "wg.accumulator_read": walked.sum_reads,
        "wg.accumulator_write": walked.sum_writes,
    }
