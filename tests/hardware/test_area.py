"""Area: how many of each unit, times the table; memories by capacity."""

import pytest

from tlm.config import load_chip
from tlm.config.tables.sram import area_mm2
from tlm.hardware.area import area_rows, peak_tflops


def rows_of(*overrides: str) -> dict[tuple[str, str], tuple[int, float]]:
    """Count and um2 each of every part of neuromc-1."""
    loaded = load_chip("neuromc-1", list(overrides))
    rows = area_rows(loaded.config, loaded.area)
    return {(row.component, row.part): (row.count, row.each_um2) for row in rows}


def test_units_of_one_core() -> None:
    """16 x 16 elements an engine, 16 lanes a unit, one router with its buffers."""
    rows = rows_of()
    add = 526.5 / 0.7  # cells cover 70 % of the floor
    assert rows["bp", "array: fp16_add"] == (256, pytest.approx(add))
    assert rows["fp", "soma: compare"][0] == 3 * 16
    assert rows["wg", "optimizer: fp16_multiply"][0] == 11 * 16
    assert rows["noc", "router: register_bit"][0] == 5 * 4 * 8 * 128
    assert rows["dram", "channel: dram_channel"][0] == 1


def test_the_router_model_has_two_meshes() -> None:
    """Requests and answers have routers of their own."""
    assert rows_of()["noc", "router: router_control"][0] == 1
    assert rows_of("noc.model=router")["noc", "router: router_control"][0] == 2


def test_memories_follow_their_capacity() -> None:
    """Two weight buffers of 18 Kib, of the area that CACTI gives that capacity."""
    assert rows_of()["memory", "weights"] == (2, pytest.approx(area_mm2(18 * 1024) * 1e6))
    larger = rows_of("core.memory.weights=36 Kib")
    assert larger["memory", "weights"] == (2, pytest.approx(area_mm2(36 * 1024) * 1e6))


def test_skipping_takes_area_for_every_tensor_it_looks_at() -> None:
    """The scan of BP looks at dU and masks; an engine in mode dense has none."""
    rows = rows_of("core.engines.fp.mode=dense")
    assert rows["skipping", "bp: scan_slot"][0] == 2 * 16
    assert ("skipping", "fp: scan_slot") not in rows


def test_lanes_out_of_step_take_queues_and_banks() -> None:
    """Mode element: 16 queues of 4 positions, 15 more partial-sum memories in FP, none in WG."""
    rows = rows_of("core.engines.fp.mode=element", "core.engines.wg.mode=element")
    assert rows["skipping", "fp: queue_bit"][0] == 16 * 4 * 16
    assert rows["skipping", "fp: scan_slot"][0] == 16 * 16
    assert rows["skipping", "fp: partial_sums"] == (15, pytest.approx(area_mm2(64 * 1024) * 1e6))
    assert ("skipping", "wg: accumulators") not in rows
    held = rows_of("core.engines.wg.mode=element", "core.engines.wg.dataflow=output")
    assert held["skipping", "wg: accumulators"][0] == 15


def test_cores_multiply_what_is_in_them() -> None:
    """20 cores have 20 times the arrays and memories of one."""
    twenty, single = load_chip("neuromc-20"), load_chip("neuromc-1")
    total = {
        name: sum(
            row.total_mm2
            for row in area_rows(loaded.config, loaded.area)
            if row.component in ("memory", "fp", "bp", "wg", "skipping", "control")
        )
        for name, loaded in (("twenty", twenty), ("single", single))
    }
    assert total["twenty"] == pytest.approx(20 * total["single"])
    assert peak_tflops(twenty.config) == pytest.approx(2 * 3 * 256 * 20 * 500e6 / 1e12)


def test_each_core_adds_to_the_peak_by_its_own_clock() -> None:
    """Half of the cores at half of the clock: three quarters of the rate."""
    slowed = load_chip("neuromc-20", ['core.clocks=["0-9: 250 MHz"]'])
    assert peak_tflops(slowed.config) == pytest.approx(0.75 * 2 * 3 * 256 * 20 * 500e6 / 1e12)
