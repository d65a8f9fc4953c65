"""Figures that obey every law and still say that no such chip would be built.

A law is about the model; a threshold here is about the world. Each has its source beside it, or is
assumed. What passes one stands beside the verdict on screen, in ``summary.json`` and the report.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlm.config.chip import ChipConfig
from tlm.config.layers import LoadedChip, load_chip
from tlm.config.sources import presets
from tlm.config.tables.dram_timing import DramTiming, load_dram_timing
from tlm.hardware.area import chip_area, peak_tflops
from tlm.trace.summary import EnergyPart, EngineTime

# NVIDIA H100 (Hopper white paper, 2022): 700 W on 814 mm2 = 0.86 W/mm2. Assumed: what lies above.
MOST_W_PER_MM2 = 1.0
MOST_W = 1000.0  # assumed: above the 700 W of that card
MOST_MM2 = 858.0  # the field of a lithography scanner: 26 mm x 33 mm (ASML NXE:3400)
MOST_LINK_BITS = 2048  # assumed: twice the 1024 bit bus of an HBM stack (JESD235)
LEAST_SHARE = 0.01  # assumed: of its time, that engines of a kind compute

_OFF_CHIP = ("dram", "dram_channel")  # components whose power is not the chip's


def sanity_warnings(
    chip: LoadedChip,
    timing: DramTiming,
    makespan_ps: int,
    energy: EnergyPart,
    engines: dict[str, EngineTime],
) -> list[str]:
    """One line for every figure beyond a threshold of this module."""
    return [
        *_power(chip, makespan_ps, energy),
        *_widths(chip.config),
        *_slower(chip, timing),
        *_idle(engines),
    ]


def _power(chip: LoadedChip, makespan_ps: int, energy: EnergyPart) -> Iterator[str]:
    watts = energy.total_pj / makespan_ps
    parts = energy.by_component_pj, energy.leakage_by_component_pj
    elsewhere = sum(part.get(name, 0.0) for part in parts for name in _OFF_CHIP)
    area_mm2 = sum(row.total_mm2 for row in chip_area(chip))
    density = (energy.total_pj - elsewhere) / makespan_ps / area_mm2
    if watts > MOST_W:
        yield f"average power: {watts:.3g} W; more than {MOST_W:g} W is not cooled as a card"
    if density > MOST_W_PER_MM2:
        yield (
            f"power density: {density:.3g} W/mm2 without DRAM on {area_mm2:.3g} mm2; more than "
            f"{MOST_W_PER_MM2:g} W/mm2 is hard to cool"
        )
    if area_mm2 > MOST_MM2:
        yield f"area: {area_mm2:,.0f} mm2; one exposure of a scanner is {MOST_MM2:g} mm2"


def _widths(chip: ChipConfig) -> Iterator[str]:
    if chip.noc.link > MOST_LINK_BITS:
        yield f"noc.link: {chip.noc.link:,} bit; wider than {MOST_LINK_BITS} bit is hard to wire"


def _slower(chip: LoadedChip, timing: DramTiming) -> Iterator[str]:
    """Whether the chip can do less than the preset whose name it has, with what was set of it.

    By name: a run's record has the values alone, and its repetition has to say the same.
    """
    preset = chip.config.short_name
    if preset not in presets() or preset == chip.config.name:
        return
    base = load_chip(preset).config
    base_timing = load_dram_timing(base.dram.device)
    for what, unit, now, before in (
        ("arithmetic", "TFLOP/s", peak_tflops(chip.config), peak_tflops(base)),
        ("DRAM", "GB/s", _peak_gb_s(chip.config, timing), _peak_gb_s(base, base_timing)),
    ):
        if now < before * (1 - 1e-6):
            yield (
                f"peak of {what}: {now:.3g} {unit}, less than the {before:.3g} {unit} of its "
                f"preset {preset}"
            )


def _peak_gb_s(chip: ChipConfig, timing: DramTiming) -> float:
    return chip.dram.channels * timing.peak_bytes_per_ps * 1000


def _idle(engines: dict[str, EngineTime]) -> Iterator[str]:
    for name, engine in engines.items():
        share = engine.shares["compute"]
        if share < LEAST_SHARE:
            yield (
                f"engine {name.upper()}: computes {share:.2%} of the time, mean over the cores; "
                f"below {LEAST_SHARE:.0%} the rest of the chip decides"
            )
