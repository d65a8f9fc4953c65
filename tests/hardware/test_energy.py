"""Energy rows: counts of a run times the table, leakage apart."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from tests.program.jobs import (
    DENSE,
    IDEAL_DRAM,
    NO_SLICE_SKIPPING,
    built,
    conv,
    job,
    linear,
    loaded_chip,
    tiles_of,
)
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.config.tables.energy_actions import LEAKAGE
from tlm.errors import ConfigError
from tlm.hardware.energy import energy_rows
from tlm.kernel import run_until
from tlm.laws.energy import _of_leakage
from tlm.space.phase import ENGINES, Phase
from tlm.space.program import Completions, Program
from tlm.space.tile import Tile, Work


@pytest.fixture(scope="module")
def finished(chip_kernel):
    """Runs a program on a chip of some settings; gives the chip and its energy table."""

    def run(program, *overrides):
        loaded = loaded_chip(*overrides)
        timing = load_dram_timing(loaded.config.dram.device)
        chip, *_ = chip_kernel.chip(loaded.config, timing, program)
        run_until(chip.env, chip.finished)
        chip.settle()
        return chip, loaded.energy

    return run


def one_tile(**fields):
    """A program of a single FP tile on core 0 of the preset."""
    tiles = [{engine: [] for engine in ENGINES} for _ in range(20)]
    tiles[0]["fp"].append(Tile(Phase.FP, 0, 0, 1, 0, 1, 100, **fields))
    return Program(tiles, Completions())


def by_action(rows):
    """Counts of rows by (component, action), phases and layers together."""
    total = Counter()
    for row in rows:
        total[row.component, row.action] += row.count
    return total


def test_a_row_is_count_times_table(finished):
    """Three soma operations of the table's energy, with its source."""
    chip, table = finished(one_tile(work=Work(energy={"fp.soma_op": 3})), IDEAL_DRAM)
    row = next(row for row in energy_rows(chip, table) if row.action == "soma_op")
    entry = table.actions["fp", "soma_op"]
    assert (row.component, row.phase, row.layer, row.count) == ("fp", "fp", 0, 3)
    assert row.total_pj == 3 * entry.energy_pj
    assert row.source == entry.source
    assert row.confidence == entry.confidence


def test_traffic_is_charged_by_flit_and_by_burst(finished):
    """A read of 256 B on a chip of one node: router flits, no link, whole bursts of bits."""
    overrides = (IDEAL_DRAM, "cores=1", "mesh.columns=1", "mesh.rows=1", "dram.channels=1")
    program = one_tile(reads=((8, 256),))
    program.tiles[1:] = []
    chip, table = finished(program, *overrides)
    counts = by_action(energy_rows(chip, table))
    burst = chip.timing.burst_bytes
    flits = (1 + 17) + (1 + 2)  # 248 B and 8 B: request, answer
    assert counts["noc", "router_bit"] == 128 * flits
    assert counts["noc", "link_bit"] == 0
    assert counts["dram", "read_bit"] == ((8 + 256 - 1) // burst - 8 // burst + 1) * burst * 8
    assert counts["dram", "write_bit"] == 0


def test_leakage_is_power_times_time_of_every_instance(finished):
    """Cores, routers and channels leak until the end of the run; 1 W x 1 ps = 1 pJ."""
    chip, table = finished(one_tile(), IDEAL_DRAM, "cores=3")
    assert chip.env.now == 100 * 2000
    leaks = {row.component: row for row in energy_rows(chip, table) if row.action == LEAKAGE}
    number = {"core": 3, "router": 20, "dram_channel": 4}
    assert set(leaks) == set(number)
    for component, row in leaks.items():
        assert row.count == 200_000 * number[component]
        assert math.isclose(row.total_pj, row.count * table.leakage[component].power_w)


def test_both_meshes_of_the_router_model_leak(finished):
    """Requests and answers have a mesh each: 2 x 20 routers leak, as the laws count them built."""
    chip, table = finished(one_tile(), IDEAL_DRAM, "noc.model=router")
    leak = next(row for row in energy_rows(chip, table) if row.component == "router")
    assert leak.count == chip.env.now * 40
    assert _of_leakage(chip)["router.leakage"] == leak.count


def test_an_action_the_table_lacks_is_a_clear_error(finished):
    """A tile that counts an unknown action names it."""
    chip, table = finished(one_tile(work=Work(energy={"fp.teleport": 1})), IDEAL_DRAM)
    with pytest.raises(ConfigError, match=r"teleport"):
        energy_rows(chip, table)


def test_actions_without_a_count_have_no_row(finished):
    """Zeros are left out; nothing else is."""
    chip, table = finished(one_tile(work=Work(energy={"fp.soma_op": 0, "fp.reg1": 5})), IDEAL_DRAM)
    rows = [row for row in energy_rows(chip, table) if row.action != LEAKAGE]
    assert [(row.action, row.count) for row in rows] == [("reg1", 5)]


def small_job():
    """Two layers with pooling, on the whole preset."""
    first = conv((20, 8, 8), 20, 3, padding=1, pool=2)
    return job(first, linear(320, 10), batch=4)


def test_every_count_of_the_tiles_is_in_a_row(finished):
    """Rows by (component, action, phase, layer) are the sums over the tiles of the program."""
    _, program = built(*small_job())
    chip, table = finished(program)
    due = Counter()
    for tile in (t for engines in program.tiles for tiles in engines.values() for t in tiles):
        for action, count in tile.work.energy.items():
            due[(*action.split("."), tile.phase.name.lower(), tile.layer)] += count
    rows = energy_rows(chip, table)
    counted = {
        (row.component, row.action, row.phase, row.layer): row.count
        for row in rows
        if row.component in ("fp", "bp", "wg", "engine")
    }
    assert counted == {key: count for key, count in due.items() if count}
    keys = [(row.component, row.action, row.phase, row.layer) for row in rows]
    assert len(set(keys)) == len(keys)


def test_energy_does_not_depend_on_the_order_of_counting(finished):
    """Rows come in one order, whatever order the engines finished in."""
    _, program = built(*small_job())
    chip, table = finished(program)
    rows = energy_rows(chip, table)
    chip.engines.reverse()
    chip.traffic = dict(reversed(list(chip.traffic.items())))
    assert energy_rows(chip, table) == rows


def test_dense_arrays_do_every_multiply_accumulate():
    """Mode dense: array operations charged are the dense ones of each engine, no scan."""
    _, program = built(*small_job(), *DENSE, NO_SLICE_SKIPPING)
    for phase, actions in (
        (Phase.FP, ("fp.mac_add", "fp.mac_mul")),
        (Phase.BP, ("bp.mac",)),
        (Phase.WG, ("wg.mac_add", "wg.mac_mul")),
    ):
        for tile in tiles_of(program, phase):
            energy = tile.work.energy
            assert sum(energy.get(action, 0) for action in actions) == tile.work.dense
            assert energy.get("engine.scan", 0) == 0


def test_analog_inputs_are_multiplied_and_spikes_added():
    """The first layer of a directly coded job multiplies; no other layer does."""
    _, program = built(*job(linear(40, 20), linear(20, 10), encoding="direct"))
    for phase, engine in ((Phase.FP, "fp"), (Phase.WG, "wg")):
        for layer, yes, no in ((0, "mac_mul", "mac_add"), (1, "mac_add", "mac_mul")):
            energy = Counter()
            for tile in tiles_of(program, phase, layer):
                energy.update(tile.work.energy)
            assert energy[f"{engine}.{yes}"] > 0
            assert energy[f"{engine}.{no}"] == 0


def test_units_work_once_a_neuron_and_step():
    """Soma and gradient unit: one operation for every neuron, sample and step of a layer."""
    workload, recording = small_job()
    plan, program = built(workload, recording)
    pairs = workload.batch * workload.steps
    for layer_plan in plan.layers:
        k, e, f = layer_plan.layer.out_shape
        for phase, action in ((Phase.FP, "fp.soma_op"), (Phase.GRAD, "bp.grad_op")):
            tiles = tiles_of(program, phase, layer_plan.layer.index)
            assert sum(t.work.energy.get(action, 0) for t in tiles) == k * e * f * pairs


def test_partial_sums_are_added_once_a_pooled_element_and_further_slice():
    """n K-slices of the next layer send n partial dS for each element that layer reads."""
    first = conv((4, 8, 8), 16, 3, padding=1, pool=2)
    second = conv(first.pooled_shape, 48, 3, padding=1)
    workload, recording = job(first, second, linear(48 * 16, 10), batch=2)
    plan, program = built(workload, recording, "mapping.split=k", "cores=3")
    slices = plan.layers[1].cut.split.k
    assert slices == 3
    tiles = tiles_of(program, Phase.GRAD, 0)
    elements = 16 * 4 * 4 * workload.batch * workload.steps
    adds = sum(tile.work.energy["bp.reduce_add"] for tile in tiles)
    assert adds == elements * (slices - 1)


def test_every_sum_that_travels_passes_the_accumulators():
    """Of r replicas, r - 1 read a sum and send it; the owner writes it, then reads it with its own.

    Counted by the bytes on their way: a sum is 4 B.
    """
    plan, program = built(
        *small_job(), "mapping.split=batch", "cores=4", "precision.partial_sum=32 bit"
    )
    sent = sum(message.nbytes for t in tiles_of(program, Phase.REDUCE) for message in t.messages)
    convolution, linear_layer = 20 * 20 * 9, 320 * 10
    replicas = [len(layer_plan.cut.slices) for layer_plan in plan.layers]
    assert replicas[0] == 4
    assert sent // 4 == 3 * convolution + (replicas[1] - 1) * linear_layer
    energy = Counter()
    for phase in (Phase.REDUCE, Phase.UPDATE):
        for tile in tiles_of(program, phase):
            for action in ("accumulator_read", "accumulator_write"):
                energy[phase, action] += tile.work.energy.get(f"wg.{action}", 0)
    assert energy[Phase.REDUCE, "accumulator_read"] == sent // 4
    assert energy[Phase.REDUCE, "accumulator_write"] == 0
    assert energy[Phase.UPDATE, "accumulator_write"] == sent // 4
    assert energy[Phase.UPDATE, "accumulator_read"] == sent // 4 + convolution + linear_layer


def test_a_dearer_table_costs_more_in_proportion(finished):
    """Doubling one action's energy adds exactly its share."""
    _, program = built(*small_job(), IDEAL_DRAM)
    chip, table = finished(program, IDEAL_DRAM)
    before = energy_rows(chip, table)
    actions = dict(table.actions)
    entry = actions["bp", "mac"]
    actions["bp", "mac"] = replace(entry, energy_pj=2 * entry.energy_pj)
    dearer = energy_rows(chip, replace(table, actions=actions))
    share = math.fsum(r.total_pj for r in before if (r.component, r.action) == ("bp", "mac"))
    assert share > 0
    total = math.fsum(row.total_pj for row in before)
    assert math.isclose(math.fsum(row.total_pj for row in dearer), total + share)
