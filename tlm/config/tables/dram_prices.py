"""What a bit costs in DRAM: the energy table's price where it means the device, else the device's.

A table says with ``dram_devices`` which devices its DRAM prices stand for (none named: any). A
device's own price stands in its file, by bit, with its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.priced import Action

BITS = ("read_bit", "write_bit")


def dram_prices(
    actions: dict[tuple[str, str], Action], means: Sequence[str], chip: ChipConfig
) -> dict[tuple[str, str], Action]:
    """The DRAM's actions whose price is not the table's, which ``means`` some devices.

    With ``auto`` a device that the table does not mean has its own price. Where there is none, or
    the table is asked for all the same, its price stays and counts as assumed.
    """
    timing = load_dram_timing(chip.dram.device)
    meant = not means or timing.name in means
    if chip.dram.energy == "currents" or (meant and chip.dram.energy != "device"):
        return {}
    if timing.energy is None or chip.dram.energy == "table":
        note = f"meant for {', '.join(means)}; no price of {timing.name} is used"
        entries = {("dram", name): actions["dram", name] for name in BITS}
        return {
            key: replace(entry, source=f"{entry.source}; {note}", confidence="assumed")
            for key, entry in entries.items()
        }
    bit = timing.energy
    return {
        **{("dram", name): Action(getattr(bit, name), bit.source, bit.confidence) for name in BITS},
        **{
            ("dram", name): Action(0.0, "included in read_bit and write_bit", bit.confidence)
            for name in ("activate", "refresh")
        },
    }
