"""Prices worked out a second time: by hand, against the model's, and in a spoiled run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.laws.test_laws import Run
from tests.program.jobs import loaded_chip
from tlm.config.tables import sram
from tlm.config.tables.dram_timing import dram_devices, load_dram_timing
from tlm.config.tables.energy_actions import ACTIONS, LEAKING
from tlm.hardware.energy import with_currents
from tlm.laws.prices import bit_prices, current_prices, table_prices

WHOLE = ("cacti28", "neuromc")
CURRENTS = ("dram.energy=currents", "dram.device=DDR4-2400", "dram.bus=64 bit")
WITH_CURRENTS = [name for name in dram_devices() if load_dram_timing(name).currents is not None]


FORMATS = [
    "precision.weight=bf16", "precision.gradient=int8", "precision.partial_sum=fp32",
    "precision.membrane=13 bit", "precision.input=fp8", "precision.optimizer=int32",
]  # fmt: skip
SIZES = [f"core.memory.{name}=300 Kib" for name in ("weights", "accumulators", "partial_sums")]
LANES = [f"core.engines.{engine}.mode=element" for engine in ("fp", "bp", "wg")]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["dram.device=HBM2E-3200", "dram.bus=64 bit"],
        LANES,
        [*LANES, "core.engines.bp.dataflow=input"],
    ],
)
@pytest.mark.parametrize("table", WHOLE)
def test_two_readings_of_a_table_agree(table, overrides):
    """Every action and every leakage of every table that ships, for lanes out of step too."""
    loaded = loaded_chip(f"energy={table}", *overrides)
    prices = table_prices(loaded.energy, loaded.config)
    timing = load_dram_timing(loaded.config.dram.device)
    prices |= bit_prices(loaded.energy, loaded.config.dram.energy, timing)
    assert len(prices) == sum(map(len, ACTIONS.values())) + len(LEAKING)
    for (component, action), entry in loaded.energy.actions.items():
        assert math.isclose(prices[f"{component}.{action}"], entry.energy_pj, rel_tol=1e-12)
    for component, entry in loaded.energy.leakage.items():
        assert math.isclose(prices[f"{component}.leakage"], entry.power_w, rel_tol=1e-12)


@pytest.mark.parametrize("device", WITH_CURRENTS)
def test_two_workings_of_supply_currents_agree(device):
    """Every device that has currents."""
    timing = load_dram_timing(device)
    table = with_currents(loaded_chip().energy, timing)
    for name, price in current_prices(timing).items():
        component, action = name.split(".")
        model = table.leakage[component].power_w if action == "leakage" else None
        assert math.isclose(price, model or table.pj(component, action), rel_tol=1e-12)


def test_currents_by_hand():
    """One device at 1 V with round currents: 1 mA for 1 ns is 1 pJ."""
    timing = load_dram_timing("DDR4-2400")
    currents = timing.currents.model_copy(
        update={
            "devices": 1, "vdd_mv": 1000, "idd0_ma": 50, "idd2n_ma": 10, "idd3n_ma": 20,
            "idd4r_ma": 120, "idd4w_ma": 220, "idd5ab_ma": 320,
        }
    )  # fmt: skip
    timing = timing.model_copy(
        update={
            "currents": currents, "tck_ps": 1000, "tras_clk": 30, "trp_clk": 10, "burst_clk": 4,
            "trfc_clk": 100, "trefi_clk": 1000,
        }
    )  # fmt: skip
    bits = timing.burst_bytes * 8
    due = {
        "dram.activate": 30 * 30 + 40 * 10,
        "dram.read_bit": 100 * 4 / bits,
        "dram.write_bit": 200 * 4 / bits,
        "dram.refresh": 300 * 100,
        "dram_channel.leakage": (0.9 * 20 + 0.1 * 10) * 1e-3,  # W
    }
    assert current_prices(timing) == pytest.approx(due)


def test_an_entry_that_is_a_share_of_an_access():
    """One bit of sixteen of a port costs a sixteenth of the access."""
    loaded = loaded_chip("energy=cacti28")
    entry = {"sram": "spikes", "port": "16 bit", "share": "1 bit"}
    table = replace(loaded.energy, entries={"actions": {"fp": {"reg1": entry}}, "leakage": {}})
    whole = sram.access_pj(loaded.config.core.memory.spikes, 16)
    assert table_prices(table, loaded.config) == {"fp.reg1": pytest.approx(whole / 16)}


@pytest.mark.parametrize("action", ["activate", "read_bit", "write_bit", "refresh", "leakage"])
def test_a_run_that_prices_a_command_wrongly(action):
    """Eight times the energy of one command of the device, or of its background."""
    run = Run(*CURRENTS)
    assert run.broken() == []
    for at, row in enumerate(run.rows):
        if row.component in ("dram", "dram_channel") and row.action == action:
            run.rows[at] = replace(row, pj_each=8 * row.pj_each)
    run.total_pj = math.fsum(row.total_pj for row in run.rows)
    assert run.broken() == ["energy priced by the table"]
