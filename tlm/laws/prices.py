"""Prices, worked out a second time: from the text of the energy table, and from supply currents.

A current of 1 mA at 1 mV for 1 ps is 1e-6 pJ. Charges of a DRAM command are differences to the
standby current that flows anyway (Micron TN-40-07: IDD0 over tRAS and tRP, IDD4 over a burst,
IDD5 over tRFC).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from math import log
from typing import Any

from tlm.config.chip import ChipConfig
from tlm.config.core import WORD_BITS, Core, Memory, Precision
from tlm.config.tables.dram_timing import DramTiming
from tlm.config.tables.energy import EnergyTable
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.config.units import MEMORY, parse
from tlm.laws import cacti
from tlm.laws.format_prices import arithmetic_share, word_share

Prices = dict[str, float]  # pJ of a component's action, or W of its leakage

PJ_OF_CHARGE = 1e-6  # 1 mA x 1 mV x 1 ps
SCALES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}


def table_prices(table: EnergyTable, chip: ChipConfig) -> Prices:
    """All prices by the entries of a table's file, for the memories and formats of a chip."""
    actions: Any = table.entries["actions"]
    leakage: Any = table.entries["leakage"]
    core, stated = chip.core, _stated_precision(table)
    formats = (chip.precision, stated)
    prices = {
        f"{component}.{action}": _access_or_energy(
            table, entry, core.memory, word_share(f"{component}.{action}", *formats)
        )
        * arithmetic_share(f"{component}.{action}", *formats)
        for component, entries in actions.items()
        for action, entry in entries.items()
    }
    for component, entry in leakage.items():
        watts = _number(entry["power"], "W")
        if entry.get("memories", False):
            watts += sum(
                cacti.leakage_w(bits) * _copies(core, name)
                for name, bits in core.memory.sizes.items()
            )
        prices[f"{component}.{LEAKAGE}"] = watts
    return prices


def _copies(core: Core, name: str) -> int:
    """How many of a memory a core has: one an engine that uses it, or one a lane out of step."""
    engines, count = core.engines, 0
    users = {"spikes": "fw", "weights": "fb", "partial_sums": "fb", "membrane": "fb"}
    for engine in users.get(name, "w"):
        array = {"f": engines.fp, "b": engines.bp, "w": engines.wg}[engine]
        holds_weights = array.dataflow == "weight"
        apart = array.mode == "element" and (
            (name == "partial_sums" and holds_weights)
            or (name in ("weights", "accumulators") and not holds_weights)
        )
        count += {"input": array.cols}.get(array.dataflow, array.rows) if apart else 1
    return count


def bit_prices(table: EnergyTable, choice: str, timing: DramTiming) -> Prices:
    """A device's own prices by the bit, where ``dram.energy`` or the table asks for them."""
    means: Any = table.entries.get("dram_devices", [])
    stranger = bool(means) and timing.name not in means
    if timing.energy is None or not (choice == "device" or (choice == "auto" and stranger)):
        return {}
    read_pj, write_pj = timing.energy.read_bit, timing.energy.write_bit
    commands = {"dram.activate": 0.0, "dram.refresh": 0.0}  # included in the bits
    return commands | {"dram.read_bit": read_pj, "dram.write_bit": write_pj}


def current_prices(timing: DramTiming) -> Prices:
    """The prices of a channel by the supply currents of its device."""
    c, clock = timing.currents, timing.tck_ps
    assert c is not None, timing.name  # asked for when the chip was loaded
    supply, bits = c.devices * c.vdd_mv * PJ_OF_CHARGE, timing.bus_bits * timing.burst_length
    row_open, row_shut = timing.tras_clk * clock, timing.trp_clk * clock
    burst, refresh = timing.burst_clk * clock, timing.trfc_clk * clock
    shut = timing.trfc_clk / timing.trefi_clk  # share of the time in which no bank can be open
    activate = (c.idd0_ma - c.idd3n_ma) * row_open + (c.idd0_ma - c.idd2n_ma) * row_shut
    return {
        "dram.activate": supply * activate,
        "dram.read_bit": supply * (c.idd4r_ma - c.idd3n_ma) * burst / bits,
        "dram.write_bit": supply * (c.idd4w_ma - c.idd3n_ma) * burst / bits,
        "dram.refresh": supply * (c.idd5ab_ma - c.idd3n_ma) * refresh,
        f"dram_channel.{LEAKAGE}": supply * ((1 - shut) * c.idd3n_ma + shut * c.idd2n_ma),
    }


def _stated_precision(table: EnergyTable) -> Precision:
    """The formats for which a table states its prices: FP16 and an optimizer in FP32, if none."""
    texts: Any = table.entries.get("precision")
    if texts is None:
        texts = dict.fromkeys(Precision.model_fields, "fp16") | {"optimizer": "fp32"}
    return Precision.model_validate(texts)


def _access_or_energy(
    table: EnergyTable, entry: Mapping[str, Any], memory: Memory, share: float
) -> float:
    """The pJ of an entry: as written, for its size, or its share of an access by CACTI."""
    capacities = memory.sizes
    if "energy" in entry:
        price = _number(entry["energy"], "J") / SCALES["p"] * share
        if "size" not in entry:
            return price
        sizes = (capacities[entry["sram"]], int(parse(MEMORY, entry["size"])))
        large, small = (_by_size(table, bits) for bits in sizes)
        return price * large / small
    capacity = capacities.get(entry["sram"]) or parse(MEMORY, entry["sram"])
    port = int(parse(MEMORY, entry["port"]))
    moved = parse(MEMORY, entry.get("share", entry["port"])) * share
    if "share" not in entry and moved > port:
        port = int(moved)
    return cacti.access_pj(int(capacity), port) / port * moved


def _by_size(table: EnergyTable, bits: int) -> float:
    """An access of 16 bit to a memory of some size: by the table's buffers, or by CACTI."""
    buffers: Any = table.entries.get("buffers")
    if not buffers:
        return cacti.access_pj(bits, WORD_BITS)
    points = [(float(parse(MEMORY, at["size"])), _number(at["energy"], "J")) for at in buffers]
    pairs = list(pairwise(points))
    (x0, y0), (x1, y1) = next((pair for pair in pairs if bits < pair[1][0]), pairs[-1])
    return float(y0 * (y1 / y0) ** (log(bits / x0) / log(x1 / x0)))


def _number(text: str, unit: str) -> float:
    """A number with a unit, such as ``0.5 pJ``, in the unit without a prefix."""
    match = re.fullmatch(rf"\s*([0-9.eE+-]+)\s*([{''.join(SCALES)}]?){unit}\s*", text)
    assert match is not None, text  # the table was checked when it was loaded
    return float(match[1]) * SCALES[match[2]]
