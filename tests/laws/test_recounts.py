"""Every action that any phase can do is counted a second time by some law of the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from tests.laws.test_programs import APART, program_of
from tests.program.jobs import built, corrupt
from tests.program.jobs import due as due_of
from tests.reliability.probe import CHIPS, SMALL, chain, grouped, masks_on, residual
from tlm.laws.due.nest_charges import nest_charges
from tlm.laws.due.nest_counts import NestCount
from tlm.laws.due.nests import Nest
from tlm.laws.samples import WALKING
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_buffers import weight_buffers
from tlm.laws.weight_fetches import USERS
from tlm.space.phase import ENGINE_OF_PHASE
from tlm.space.region import Block
from tlm.space.tile import Work

MORE_CHIPS = [
    ["core.engines.fp.mode=element", "core.engines.bp.mode=dense", "core.memory.weights=9 Kib"],
    ["core.zero_operand_adds=false", "mapping.state=recompute", "core.memory.membrane=16 Kib"],
]
STAGED = [
    "core.memory.weights=9 Kib",
    "mapping.split=spatial",
    "core.memory.partial_sums=4 Kib",
    "mapping.parameters=spill",
]


def programs():
    """Small jobs on chips that between them use every mechanism."""
    for job in (chain(), residual(), grouped()):
        for name, chip in (*CHIPS.items(), *(("more", chip) for chip in MORE_CHIPS)):
            plan, program = built(job, masks_on(job, name), *SMALL, *chip)
            yield program, due_of(plan)


def recounted(due):
    """(Phase, action) that a law counts anew."""
    for phase, _, action in (*due.unit_operations, *due.unit_accesses):
        yield phase, action
    facts = due.job.layers[0]
    for phase in WALKING:
        nest = Nest(facts, phase, facts.slices[0], Block((0, 1), (0, 1), (0, 1)))
        for bits in (1, 16):
            for action in nest_charges(due.job, nest, NestCount(), bits):
                yield phase, action
    for phase in USERS:
        for action in ("weight_write", "stage_read", "stage_write"):
            yield phase, f"{ENGINE_OF_PHASE[phase]}.{action}"


def test_every_pair_of_phase_and_action_has_a_law():
    """No exceptions: whatever is charged in a tile is held against a count of the laws' own."""
    done, held = set(), set()
    for program, due in programs():
        done |= {(t.phase, action) for t in program.all_tiles() for action in t.work.energy}
        held |= set(recounted(due))
    assert len(done) > 90
    assert sorted(done - held) == []


def broken(program, due):
    """Whether the law of weight buffers is broken."""
    table = TileTable(program, due.regions)
    (check,) = weight_buffers(table, list(engines(program)), due)
    return not check.holds


def engines(program):
    """What engines would count of a program: the accesses of all tiles of a phase of a layer."""
    for core in program.tiles:
        for tiles in core.values():
            tallies = defaultdict(lambda: SimpleNamespace(work=Work(energy=Counter())))
            for tile in tiles:
                tallies[tile.phase, tile.layer].work.energy.update(tile.work.energy)
            yield SimpleNamespace(tallies=tallies)


def test_weights_in_their_buffers():
    """On every chip what is written there came from somewhere."""
    for program, due in programs():
        assert not broken(program, due)


@pytest.mark.parametrize("action", ["weight_write", "stage_read", "stage_write"])
@pytest.mark.parametrize("times", [0, 3])
@pytest.mark.parametrize("engine", ["fp", "bp"])
def test_weights_that_come_from_nowhere(action, times, engine):
    """Accesses of a buffer or of its stage that are forgotten, or charged three times."""
    plan, program = built(chain(), chain().load(0), *SMALL, *STAGED)
    name, changed = f"{engine}.{action}", False
    for tile in program.all_tiles():
        if name in tile.work.energy:
            tile.work.energy[name] *= times
            changed = True
    assert changed
    assert broken(program, due_of(plan))


def test_weights_that_are_fetched_and_not_written():
    """A run of weights more than the buffer takes."""
    program, due = program_of(APART)
    tile = next(t for t in program.tiles[0]["fp"] if "fp.weight_write" in t.work.energy)
    corrupt(tile, "reads", tile.reads + tile.reads[-1:])
    assert broken(program, due)


@pytest.mark.parametrize("action", ["stage_read", "stage_write"])
def test_weights_that_stay_are_read_where_they_are(action):
    """Accesses that are left out, or that put weights where they are already."""
    program, due = program_of()
    for tile in program.tiles[0]["fp"]:
        read = tile.work.energy.get("fp.stage_read", 0)
        tile.work.energy |= {f"fp.{action}": 0 if action == "stage_read" else read}
        tile.work.energy["fp.weight_write"] *= action != "stage_read"
    assert broken(program, due)
