"""Conservation laws: all hold on a healthy run, each breaks when its quantity is changed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.program.jobs import (
    IDEAL_DRAM,
    built,
    conv,
    corrupt,
    due,
    job,
    linear,
    loaded_chip,
    tiles_of,
)
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip
from tlm.hardware.energy import energy_rows
from tlm.kernel import run_until
from tlm.laws import Bill, bounds, check_run, lower_bounds_ps
from tlm.space.phase import Phase
from tlm.space.trace_rows import EngineState

SMALL = ("cores=4", "mesh.columns=2", "mesh.rows=2")


class Run:
    """A finished run of a small job, to tamper with before it is checked."""

    def __init__(self, *overrides, tamper=None, of=None):
        overrides = (*SMALL, *overrides)
        first = conv((4, 8, 8), 20, 3, padding=1, pool=2)
        self.loaded = loaded_chip(*overrides)
        of = of or job(first, linear(320, 10), batch=4)
        self.plan, self.program = built(*of, *overrides)
        self.due = due(self.plan)
        if tamper:
            tamper(self.program)
        timing = load_dram_timing(self.loaded.config.dram.device)
        self.chip = Chip(self.loaded.config, timing, self.program, None, None)
        run_until(self.chip.env, self.chip.finished)
        self.chip.settle()
        self.rows = energy_rows(self.chip, self.loaded.energy)
        self.total_pj = math.fsum(row.total_pj for row in self.rows)

    def broken(self):
        """Names of the laws that do not hold."""
        return [check.name for check in self.checks() if not check.holds]

    def checks(self):
        """All laws."""
        bill = Bill(self.rows, self.total_pj, self.loaded.energy)
        return check_run(self.chip, self.program, self.due, bill)

    def tally(self, phase, layer):
        """What some engine has counted of a phase and layer."""
        return next(
            engine.tallies[phase, layer]
            for engine in self.chip.engines
            if (phase, layer) in engine.tallies
        )

    def traffic(self):
        """The traffic of FP of the first layer."""
        return self.chip.traffic[Phase.FP, 0]


@pytest.mark.parametrize("overrides", [(), (IDEAL_DRAM,), ("noc.model=ideal",)])
def test_a_healthy_run_breaks_nothing(overrides):
    """With either DRAM and either network; every law is looked at once."""
    run = Run(*overrides)
    assert run.broken() == []
    checks = run.checks()
    names = [check.name for check in checks]
    assert len(set(names)) == len(names)
    assert all(check.detail for check in checks)
    useful = [name for name in names if name.startswith("useful operations")]
    assert len(useful) == 5  # FP and WG of both layers, BP of the second


def after(change):
    """The laws that break when a healthy run is changed by ``change(run)``."""
    run = Run()
    change(run)
    return run.broken()


def test_an_engine_with_work_left():
    """An engine that stands before its last tile has not finished."""

    def change(run):
        engine = run.chip.engines[0]
        engine.position = len(engine.tiles) - 1

    assert after(change) == ["programs finished"]


def test_a_completion_that_lacks_an_arrival():
    """Announced and never arrived."""

    def change(run):
        run.chip.completions[3].remaining = 1

    assert after(change) == ["completions arrived"]


def test_a_transaction_left_in_a_dma():
    """Outstanding, or not even sent."""

    def outstanding(run):
        run.chip.engines[2].dma.outstanding += 1

    def queued(run):
        run.chip.engines[2].dma.queue.append(None)

    assert after(outstanding) == ["no transaction pending"]
    assert after(queued) == ["no transaction pending"]


def test_a_packet_left_in_the_mesh():
    """Injected and never ejected."""

    def change(run):
        run.chip.network.injections[0].packets += 1

    assert after(change) == ["no packet in flight"]


def test_a_burst_left_in_a_dram_queue():
    """A controller that still has something waiting."""

    def change(run):
        run.chip.channels[0].scheduler.entries.waiting[0] += 1

    assert after(change) == ["DRAM queues empty"]


@pytest.mark.parametrize("name", ["read", "written"])
@pytest.mark.parametrize("side", ["asked for", "moved"])
def test_a_byte_lost_between_dma_and_channel(name, side):
    """One byte on either side is enough."""
    requested = {"read": "read_bytes", "written": "write_bytes"}[name]

    def change(run):
        if side == "asked for":
            setattr(run.traffic(), requested, getattr(run.traffic(), requested) + 1)
        else:
            run.chip.channels[0].counters.nbytes[name == "written"] -= 1

    assert after(change) == [f"bytes {name}"]


def test_a_byte_lost_in_an_ideal_dram():
    """The ideal channel is held to the same law."""
    run = Run(IDEAL_DRAM)
    run.chip.channels[0].bytes_read -= 1
    assert run.broken() == ["bytes read"]


@pytest.mark.parametrize("command", [0, 1])
def test_a_burst_that_was_never_charged(command):
    """The channels served a burst more than the energy table was charged for."""

    def change(run):
        run.chip.channels[0].counters.bursts[command] += 1

    assert "bursts charged" in after(change)


@pytest.mark.parametrize("ports", ["injections", "ejections"])
def test_a_flit_that_is_lost_or_appears(ports):
    """What goes into the mesh comes out of it."""

    def change(run):
        getattr(run.chip.network, ports)[0].flits += 1

    assert "flits delivered" in after(change)


def test_a_flit_that_travels_for_nothing():
    """A link carried a flit that no transaction was charged for, or the other way round."""

    def carried(run):
        next(iter(run.chip.network.links.values())).flits += 1

    def charged(run):
        run.traffic().link_flits += 1

    assert "flit-hops charged" in after(carried)
    assert after(charged) == ["flit-hops charged"]


@pytest.mark.parametrize("phase", [Phase.FP, Phase.LOSS, Phase.GRAD, Phase.BP, Phase.WG])
def test_a_result_that_is_missing_doubled_or_not_asked_for(phase):
    """One element of one (sample, step) too few, too many, or of a pair nobody needs."""
    layer = 1  # has all the phases
    for change in (-1, 1):
        run = Run()
        covered = run.tally(phase, layer).covered
        covered[next(iter(covered))] += change
        assert run.broken() == ["required work exactly once"]
    run = Run()
    run.tally(phase, layer).covered[99, 0] = 1
    assert run.broken() == ["required work exactly once"]


def test_a_tally_that_is_dropped():
    """Work, results and cycles of a phase on one engine are missed, each by its own law."""
    run = Run()
    engine = next(e for e in run.chip.engines if (Phase.WG, 1) in e.tallies)
    del engine.tallies[Phase.WG, 1]
    assert run.broken() == [
        "required work exactly once",
        "useful operations wg layer 1",
        "operations processed and skipped",
        "computing time is cycles",
        "energy charged as counted",
    ]


def test_a_layer_that_was_not_required():
    """Results of a layer that the program knows nothing of."""
    run = Run()
    engine = run.chip.engines[0]
    tally = engine.tallies[Phase.FP, 0]
    engine.tallies[Phase.FP, 7] = replace(tally, cycles=0)
    assert run.broken() == ["required work exactly once", "energy charged as counted"]


@pytest.mark.parametrize(("phase", "layer"), [("FP", 0), ("BP", 1), ("WG", 0)])
def test_an_operation_that_is_not_in_the_popcount(phase, layer):
    """One useful operation more than the recorded tensors hold."""
    run = Run()
    run.tally(Phase[phase], layer).work.useful += 1
    also = ["synaptic operations"] * (phase == "FP")  # a second count of the same
    assert run.broken() == [f"useful operations {phase.lower()} layer {layer}", *also]


def test_a_tile_that_is_lost_before_the_run():
    """A tile without messages or signals dropped from a program: nothing hangs, but it shows."""

    def tamper(program):
        engine = next(tiles["wg"] for tiles in program.tiles if tiles["wg"])
        lost = next(tile for tile in engine if tile.phase == Phase.WG and not tile.signals)
        engine.remove(lost)

    broken = Run("mapping.split=batch", tamper=tamper).broken()
    assert "required work exactly once" in broken


def test_a_tile_that_runs_twice():
    """The same tile in two places of a program."""

    def tamper(program):
        engine = next(tiles["wg"] for tiles in program.tiles if tiles["wg"])
        twice = next(tile for tile in engine if tile.phase == Phase.WG and not tile.signals)
        engine.insert(0, replace(twice, needs=(), read_needs=()))

    broken = Run("mapping.split=batch", tamper=tamper).broken()
    assert "required work exactly once" in broken
    assert any(name.startswith("useful operations wg") for name in broken)


def test_an_operation_that_was_neither_processed_nor_skipped():
    """All operations of a layer are accounted for, useful or not."""

    def change(run):
        run.tally(Phase.BP, 1).work.dense -= 1

    assert after(change) == ["operations processed and skipped"]


@pytest.mark.parametrize(
    ("phase", "action"), [("FP", "fp.soma_op"), ("GRAD", "bp.grad_op"), ("UPDATE", "wg.reduce_add")]
)
def test_a_unit_that_is_used_once_too_often(phase, action):
    """Neurons, gradients, reductions and updates follow from shapes, splits and T and B."""
    run = Run("mapping.split=batch")
    energy = run.tally(Phase[phase], 1).work.energy
    energy[action] = energy.get(action, 0) + 1
    assert run.broken() == ["unit operations", "energy charged as counted"]


def test_a_tile_whose_transactions_are_lost():
    """Bytes are held against what the tiles ask for, before any DMA has counted them."""

    def change(run):
        tile = next(t for t in run.program.tiles[0]["fp"] if t.reads)
        corrupt(tile, "reads", (*tile.reads, (0, 64)))

    assert after(change) == ["bytes read", "bytes by tensor"]


@pytest.mark.parametrize("kind", ["read_regions", "written_regions"])
def test_bytes_that_are_moved_of_another_tensor(kind):
    """All bytes are moved, a burst of them of the neighbour of the tensor that was asked for."""

    def change(run):
        regions = getattr(run.traffic(), kind)
        region = next(iter(regions))
        regions[region] -= 64
        regions[region + 1] += 64

    assert after(change) == ["bytes by tensor"]


def test_fewer_dram_bytes_than_any_plan_can_move(monkeypatch):
    """A run that moves a byte less than the least is not to be trusted."""
    run = Run()
    moved = sum(t.read_bytes + t.write_bytes for t in run.chip.traffic.values())
    monkeypatch.setattr(bounds, "least_nbytes", lambda *_: moved)
    assert run.broken() == []
    monkeypatch.setattr(bounds, "least_nbytes", lambda *_: moved + 1)
    assert run.broken() == ["not fewer DRAM bytes than the least"]


def test_an_energy_that_is_another_action_s():
    """A price that the table gives, but to another action."""

    def change(run):
        at, row = next((i, r) for i, r in enumerate(run.rows) if r.action == "link_bit")
        other = next(r for r in run.rows if r.action == "activate")
        run.rows[at] = replace(row, pj_each=other.pj_each)
        run.total_pj = math.fsum(row.total_pj for row in run.rows)

    assert after(change) == ["energy priced by the table"]


def test_time_that_is_not_accounted_for():
    """A ps of an engine in no interval, or an account closed too early."""

    def lost(run):
        run.chip.engines[4].spent_ps[EngineState.IDLE] -= 1

    def open_end(run):
        run.chip.engines[4].accounted_ps -= 1

    assert after(lost) == ["intervals tile the run"]
    assert after(open_end) == ["intervals tile the run"]


def test_computing_that_is_not_in_the_cycles():
    """Time moved from idling to computing: the sum is right, its parts are not."""

    def change(run):
        engine = run.chip.engines[0]
        engine.spent_ps[EngineState.IDLE] -= 1000
        engine.spent_ps[EngineState.COMPUTE] += 1000

    assert after(change) == ["computing time is cycles"]


def test_energy_that_does_not_add_up():
    """A total that is not the sum of the rows."""

    def change(run):
        run.total_pj *= 1 + 1e-6

    assert after(change) == ["energy adds up"]


@pytest.mark.parametrize("pj_each", [-1.0, math.inf])
def test_energy_that_cannot_be(pj_each):
    """Negative or infinite energies are refused even if the total agrees with them."""

    def change(run):
        run.rows[0] = replace(run.rows[0], pj_each=pj_each)
        run.total_pj = math.fsum(row.total_pj for row in run.rows)

    assert after(change) == ["energy finite and not negative", "energy priced by the table"]


def test_energy_that_is_no_number():
    """NaN breaks both laws of energy."""

    def change(run):
        run.rows[0] = replace(run.rows[0], pj_each=math.nan)
        run.total_pj = math.nan

    assert after(change) == [
        "energy adds up",
        "energy finite and not negative",
        "energy priced by the table",
    ]


def test_a_run_faster_than_its_bounds():
    """A makespan below the busiest engine, link or channel cannot be."""
    run = Run()
    bounds = lower_bounds_ps(run.chip)
    assert all(0 < bound <= run.chip.env.now for bound in bounds.values())
    for name in ("busiest engine", "busiest link", "busiest DRAM channel"):
        assert name in bounds
    run.chip.network.injections[0].flits += run.chip.env.now
    assert "not faster than the busiest link" in run.broken()
    run = Run()
    run.chip.channels[0].counters.burst_ps = run.chip.env.now
    assert run.broken() == ["not faster than the busiest DRAM channel"]
    run = Run()
    run.chip.engines[0].spent_ps[EngineState.COMPUTE] = run.chip.env.now + 1
    assert "not faster than the busiest engine" in run.broken()


def test_a_run_below_the_roofline():
    """All bytes at the peak of all channels take their time."""

    def change(run):
        corrupt(
            run.program.tiles[0]["fp"][0],
            "cycles",
            run.program.tiles[0]["fp"][0].cycles + run.chip.env.now,
        )

    assert after(change) == ["array work by position", "not faster than the roofline"]


def test_an_ideal_network_has_no_busiest_link():
    """Links that are never busy bound nothing."""
    assert "busiest link" not in lower_bounds_ps(Run("noc.model=ideal").chip)


def test_a_weight_update_that_is_left_out():
    """The update of a share is required work: a program without one breaks a law."""

    def tamper(program):
        for engines in program.tiles:
            engines["wg"] = [t for t in engines["wg"] if t.phase != Phase.UPDATE]
        assert not tiles_of(program, Phase.UPDATE)

    assert Run(tamper=tamper).broken() != []


def test_router_flits_that_are_not_charged():
    """Routers are charged for every flit that passes them, not only links."""

    def change(run):
        run.traffic().router_flits -= 1

    assert after(change) != []


def test_message_bytes_that_are_not_delivered():
    """Bytes of messages sent are bytes delivered."""

    def change(run):
        run.traffic().message_bytes += 1

    assert after(change) != []


def test_an_energy_row_that_is_lost():
    """Energy is held against the counts of the run, not only against its own rows."""

    def change(run):
        run.rows = [row for row in run.rows if row.component != "dram"]
        run.total_pj = math.fsum(row.total_pj for row in run.rows)

    assert after(change) != []
