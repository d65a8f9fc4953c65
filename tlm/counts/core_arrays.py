"""The arrays of one core's three engines, as its chip description sizes them."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.config.core import BackwardGrid, EngineConfig, GradientEngine
from tlm.config.units import show_bits
from tlm.counts.engine_array import EngineArray, EngineName
from tlm.errors import MappingError
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class CoreArrays:
    """What loop nests need to know of the engines' arrays (all three are shaped alike).

    ``chunk`` channels enter a slot and ``tile`` channels leave it in FP; BP reads the same weights
    the other way round. ``positions`` vectors of partial sums fit their buffer, ``half_buffer``
    weight tiles half of theirs. ``depth`` is the pipeline's, ``lanes`` are those of the soma unit.
    """

    chunk: int
    tile: int
    positions: int
    half_buffer: int
    depth: int
    lanes: int
    weight_bits: int
    fp: EngineArray
    bp: EngineArray
    wg: EngineArray

    def tile_bits(self) -> int:
        """Bits of the weights of one (chunk, tile, tap)."""
        return self.chunk * self.tile * self.weight_bits


def arrays_of(chip: ChipConfig) -> CoreArrays:
    """Read the arrays from the chip.

    Raises:
        MappingError: the engines' arrays differ, or a buffer cannot hold what one slot needs.
    """
    engines, memory = chip.core.engines, chip.core.memory
    if not (
        (engines.fp.rows, engines.fp.cols)
        == (engines.bp.cols, engines.bp.rows)
        == (engines.wg.rows, engines.wg.cols)
    ):
        shapes = ", ".join(f"{name} is {e.rows} x {e.cols}" for name, e in engines)
        raise MappingError(
            "core.engines: fp and wg must have the same rows and cols, and bp the same swapped, "
            f"because the three share one weight layout; {shapes}"
        )
    chunk, tile = engines.fp.rows, engines.fp.cols
    tile_bits = chunk * tile * chip.precision.weight
    arrays = CoreArrays(
        chunk=chunk,
        tile=tile,
        positions=memory.partial_sums // (max(chunk, tile) * chip.precision.partial_sum),
        half_buffer=memory.weights // 2 // tile_bits,
        depth=chip.core.pipeline_depth,
        lanes=chip.core.unit_lanes,
        weight_bits=chip.precision.weight,
        fp=_engine_array(chip, "fp"),
        bp=_engine_array(chip, "bp"),
        wg=_engine_array(chip, "wg"),
    )
    if arrays.positions < 1:
        raise MappingError(
            f"core.memory.partial_sums: {show_bits(memory.partial_sums)} hold less than one "
            f"vector of {max(chunk, tile)} sums; enlarge it"
        )
    if not arrays.half_buffer:
        raise MappingError(
            f"core.memory.weights: {show_bits(memory.weights)} are too small; two tiles of "
            f"{chunk} x {tile} weights, one used while the other is fetched, need "
            f"{show_bits(2 * tile_bits)}"
        )
    return arrays


def _engine_array(chip: ChipConfig, name: EngineName) -> EngineArray:
    engine: EngineConfig = getattr(chip.core.engines, name)
    skip_row_zeros, skip_column_zeros = _zero_tests(name, engine)
    grid: BackwardGrid = engine.grid if isinstance(engine, GradientEngine) else "compacted"
    return EngineArray(
        engine=name,
        dataflow=engine.dataflow,
        mode=engine.mode,
        rows=engine.rows,
        cols=engine.cols,
        slot_cycles=ceil_div(max(engine.rows, engine.cols), chip.core.memory.banks),
        scan=chip.core.scan_slots,
        queue=chip.core.queue_depth,
        skip_row_zeros=skip_row_zeros,
        skip_column_zeros=skip_column_zeros,
        grid=grid,
        other_bits=chip.precision.gradient if name == "wg" else chip.precision.weight,
        sum_bits=chip.precision.partial_sum,
    )


def _zero_tests(name: EngineName, engine: EngineConfig) -> tuple[bool, bool]:
    """Whether an engine's zero test looks at its row operand, and at its column operand.

    FP: inputs, and any output; BP: dY and the needed dS; WG: inputs and dY.
    """
    return {
        "fp": (engine.skip_spikes, True),
        "bp": (engine.skip_gradients, engine.skip_outputs),
        "wg": (engine.skip_spikes, engine.skip_gradients),
    }[name]
