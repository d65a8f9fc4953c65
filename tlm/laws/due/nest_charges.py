"""What the energy table is asked for by a nest of held weights.

Of a multiply-accumulate's operands and sum, what is held costs one register access and two for
each word loaded, what streams two; held sums cost two, sums that pass one more for every vector and
two less for the first of each output (the accesses of the released NeuroMC model, FE, BE and WE),
but one less where it begins in a column without a weight: no multiply-accumulate spares a read.
"""

from __future__ import annotations

from tlm.config.core import WORD_BITS
from tlm.laws.due.facts import Facts
from tlm.laws.due.nest_counts import NestCount
from tlm.laws.due.nests import Nest
from tlm.space.phase import ENGINE_OF_PHASE


def nest_charges(job: Facts, nest: Nest, count: NestCount, operand_bits: int) -> dict[str, int]:
    """By action of the energy table; ``operand_bits`` is the width of the layer's input."""
    engine, charges = ENGINE_OF_PHASE[nest.phase], _skipping(job, nest, count)
    adds = job.chip.core.zero_operand_adds
    precision = job.chip.precision
    bits = precision.gradient if engine == "bp" else operand_bits
    mac = "bp.mac" if engine == "bp" else f"{engine}.mac_{'add' if operand_bits == 1 else 'mul'}"
    charges[mac] = count.macs if adds else count.useful
    charges["engine.mac_idle"] = 0 if adds else count.macs - count.useful
    words, rest = divmod(bits, WORD_BITS)
    vectors = count.streamed + count.touched  # sums that go to a buffer
    others = 2 * count.macs if engine == "wg" else count.macs + 2 * (count.held + count.index)
    spared = 2 * count.fresh - count.weightless
    sums = 2 * count.macs + (0 if engine == "wg" else vectors - spared)
    partner = precision.gradient if engine == "wg" else precision.weight
    numbers = ((2 * count.macs, bits), (others, partner), (sums, precision.partial_sum))
    charges[f"{engine}.reg16"] = sum(number * (width // WORD_BITS) for number, width in numbers)
    charges[f"{engine}.reg1"] = sum(number * (width % WORD_BITS) for number, width in numbers)
    return charges | _buffers(engine, count, words, rest)


def _skipping(job: Facts, nest: Nest, count: NestCount) -> dict[str, int]:
    """Comparisons of the zero-scan, queues of the lanes, sums of lanes added up."""
    engine = nest.engine(job)
    looks = {"dense": 0, "vector": 1, "element": engine.rows}[engine.mode]
    return {
        "engine.scan": count.scanned * looks,
        "engine.queue_push": count.lane_slots,
        "engine.queue_pop": count.lane_slots,
        "engine.merge_add": count.merged,
    }


def _buffers(engine: str, count: NestCount, words: int, rest: int) -> dict[str, int]:
    """Words between the array and the memories beside it."""
    if engine == "wg":
        return {
            "wg.spike_read": count.row_words * rest,
            "wg.value_read": count.row_words * words,
            "wg.gradient_read": count.streamed,
            "wg.accumulator_read": count.held + count.index,
            "wg.accumulator_write": count.held,
        }
    sums = {
        f"{engine}.weight_read": count.held + count.index,
        f"{engine}.partial_read": count.streamed - count.fresh + count.merged + count.touched,
        f"{engine}.partial_write": count.streamed + count.touched,
    }
    if engine == "bp":
        return sums | {"bp.gradient_read": count.row_words}
    return sums | {
        "fp.spike_read": count.row_words * rest,
        "fp.value_read": count.row_words * words,
    }
