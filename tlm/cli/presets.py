"""``presets``: what can be named without writing a file."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.table import Table

from tlm.cli.options import AsJson


def presets(as_json: AsJson = False) -> None:
    """List chip presets, energy tables and DRAM devices."""
    from tlm import config
    from tlm.config.dram_timing import dram_devices

    if as_json:
        listed = {
            "chips": {
                name: config.load_chip(name).config.model_dump() for name in config.presets()
            },
            "energy_tables": config.energy_tables(),
            "dram_devices": dram_devices(),
        }
        typer.echo(json.dumps(listed, indent=1))
        return
    chips = Table("preset", "cores", "mesh", "clock", "DRAM", "energy", "assumed")
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
    console = Console()
    console.print(chips)
    console.print(f"energy tables: {', '.join(config.energy_tables())}")
    console.print(f"DRAM devices: {', '.join(dram_devices())}")
