"""``presets``: what can be named without writing a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from tlm.cli.options import AsJson

if TYPE_CHECKING:
    from tlm.cli.tables import Hanging
    from tlm.config.layers import LoadedChip


def presets(as_json: AsJson = False) -> None:
    """List chip presets with what is published of them, and all tables by name."""
    from tlm import config
    from tlm.cli.tables import Hanging, ScreenTable, console
    from tlm.config.tables.array_core import array_core_tables
    from tlm.config.tables.dram_timing import dram_devices
    from tlm.config.tables.inference_chip import inference_chips
    from tlm.config.tables.synapse_array import synapse_array_tables
    from tlm.config.tables.synapse_memory import synapse_memory_tables

    if as_json:
        listed = {
            "chips": {
                name: config.load_chip(name).config.model_dump() for name in config.presets()
            },
            "energy_tables": config.energy_tables(),
            "area_tables": config.area_tables(),
            "dram_devices": dram_devices(),
            "synapse_memories": synapse_memory_tables(),
            "synapse_arrays": synapse_array_tables(),
            "inference_cores": array_core_tables(),
            "inference_chips": inference_chips(),
        }
        typer.echo(json.dumps(listed, indent=1, allow_nan=False))
        return
    chips = ScreenTable("Chips", "preset", "cores", "mesh", "clock", "DRAM", "energy", "assumed")
    published = []
    for name in config.presets():
        loaded = config.load_chip(name)
        chip = loaded.config
        chips.add_row(
            name,
            str(chip.cores),
            f"{chip.mesh.columns} x {chip.mesh.rows}",
            f"{chip.core.clock / 1e6:g} MHz",
            f"{chip.dram.channels} x {chip.dram.device}",
            chip.energy,
            f"{len(loaded.assumed)} of {len(loaded.origins)}",
        )
        for figure in loaded.published:
            ours = _ours(figure.ours, name, loaded)
            words = f"{figure.what}: {figure.value} published, {ours} here ({figure.source})"
            published.append(Hanging(f"{name}, {words}"))
    published.extend(_of_tables())
    out = console()
    out.print(chips)
    out.print("\nPublished figures", style="bold")
    out.print(*published, sep="\n")
    out.print(f"\nenergy tables: {', '.join(config.energy_tables())}")
    out.print(f"area tables: {', '.join(config.area_tables())}")
    out.print(f"DRAM devices: {', '.join(dram_devices())}")
    out.print(f"synapse memories: {', '.join(synapse_memory_tables())}")
    out.print(f"synapse arrays: {', '.join(synapse_array_tables())}")
    out.print(f"inference cores: {', '.join(array_core_tables())}")
    out.print(f"inference chips of others: {', '.join(inference_chips())}")


def _of_tables() -> list[Hanging]:
    """What is published of each table of synapse memories."""
    from tlm.cli.tables import Hanging
    from tlm.config.tables.synapse_memory import load_synapse_memory, synapse_memory_tables

    figures = {name: load_synapse_memory(name).published for name in synapse_memory_tables()}
    return [
        Hanging(f"{name}, {figure.what}: {figure.value} published, {figure.ours} ({figure.source})")
        for name, published in figures.items()
        for figure in published
    ]


def _ours(what: str, name: str, loaded: LoadedChip) -> str:
    """The model's figure of that name; any other text is what it says itself."""
    from tlm.config.tables.core_sram import capacity_bits
    from tlm.hardware.area import chip_area
    from tlm.studies.reference_layer import LAYER, dense_tflops_per_w

    if what == "dense_tflops_per_w":
        return f"{dense_tflops_per_w(name):.2f}, core, dense, {LAYER}"
    if what == "core_sram":
        return f"{capacity_bits(loaded.config.core) / 8192:.0f} KiB"
    if what == "area":
        mm2 = sum(row.total_mm2 for row in chip_area(loaded))
        return f"{mm2:.0f} mm2, table {loaded.area.name}"
    if what == "cores":
        return str(loaded.config.cores)
    return "not compared" if what == "none" else what
