"""Laws of order and contents: each breaks when a program is spoiled before it runs."""

from dataclasses import replace

import pytest

from tests.program.graphs import broken_laws, builder, recording, workload
from tests.program.jobs import built, conv, corrupt, job, linear
from tests.program.jobs import due as due_of
from tests.reliability.probe import CHIPS, SMALL, chain, grouped, masks_on, residual
from tlm.laws.alternation import alternation
from tlm.laws.dram_contents import dram_contents
from tlm.laws.due import WeightsDue
from tlm.laws.order import arrivals, group_departures
from tlm.laws.runs import runs_of
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_fetches import Visit, weight_fetches
from tlm.space.phase import Phase
from tlm.space.tile import Tile
from tlm.workload.model import Pool

SMALL_U = "rows, little memory of U, blocks of steps"
ALTERNATES = "a pool for a turn, dY alternates"
IN_DRAM = "pipelined, gradients in DRAM"


APART = "memories apart"


def program_of(chip="default", job=None):
    """The program of a small job on one of the probe's chips, and what is due of it."""
    job = job or chain()
    plan, program = built(job, masks_on(job, chip), *SMALL, *CHIPS[chip])
    return program, due_of(plan)


def broken(program, due):
    """The laws that a program breaks without being run."""
    table = TileTable(program, due.regions)
    checks = (
        *weight_fetches(table, due),
        *dram_contents(table, due),
        *arrivals(program, due),
        *group_departures(program),
        *alternation(table, due),
    )
    return [check.name for check in checks if not check.holds]


def tiles(program, engine):
    """All tiles of one kind of engine."""
    return [tile for core in program.tiles for tile in core[engine]]


@pytest.mark.parametrize("chip", list(CHIPS))
@pytest.mark.parametrize("job", [chain, residual, grouped])
def test_programs_keep_the_laws(chip, job):
    """Every job on every chip of the probe."""
    assert broken(*program_of(chip, job())) == []


@pytest.mark.parametrize("engine", ["fp", "bp"])
def test_weights_that_were_never_fetched(engine):
    """One run of weights less, by a tile of either engine."""
    program, due = program_of(APART)
    [(address, nbytes)] = due.weights[0, engine, 1].at

    def fetched(run):
        return address <= run[0] < address + nbytes

    tile = next(t for t in tiles(program, engine) if any(map(fetched, t.reads)))
    corrupt(tile, "reads", tuple(run for run in tile.reads if not fetched(run)))
    assert "weights fetched before use" in broken(program, due)


@pytest.mark.parametrize("engine", ["fp", "bp"])
def test_weights_that_stay_are_not_fetched(engine):
    """One run of weights that are in the core for good."""
    program, due = program_of()
    weights = due.weights[0, engine, 1]
    assert weights.stays
    user = Phase[engine.upper()]
    tile = next(t for t in program.tiles[0][engine] if (t.phase, t.layer) == (user, 1))
    corrupt(tile, "reads", (*tile.reads, *weights.at))
    assert "weights fetched before use" in broken(program, due)


def test_weights_that_could_not_have_stayed():
    """Every block needs all weights; fetched once, they exceed what the core has room for."""
    program, due = program_of(SMALL_U)
    weights = due.weights[0, "bp", 1]
    assert weights.nbytes > weights.room
    fetched = set()
    for tile in program.tiles[0]["bp"]:
        first, end = weights.at[0][0], sum(weights.at[0])
        repeated = {run for run in tile.reads if first <= run[0] < end and run in fetched}
        fetched |= set(tile.reads)
        corrupt(tile, "reads", tuple(run for run in tile.reads if run not in repeated))
    assert broken(program, due) == ["weights fetched before use"]


@pytest.mark.parametrize("kind", ["reads", "writes"])
def test_state_that_is_not_moved_whole(kind):
    """U is written once and read once: the first run of it is missing."""
    program, due = program_of(APART)
    at = next(tensor.at for tensor in due.tensors if tensor.name == "conv0.U")
    for tile in (t for engine in ("fp", "bp") for t in tiles(program, engine)):
        runs = getattr(tile, kind)
        left = tuple(run for run in runs if run[0] != at[0])
        if left != runs:
            corrupt(tile, kind, left)
    assert "tensors moved whole" in broken(program, due)


def test_a_write_beyond_a_tensor():
    """No run reaches over the end of what it starts in."""
    program, due = program_of()
    tile = next(t for t in tiles(program, "fp") if t.writes)
    corrupt(tile, "writes", ((tile.writes[0][0], 1 << 20), *tile.writes[1:]))
    assert "tensors moved whole" in broken(program, due)


@pytest.mark.parametrize(
    ("chip", "engine", "name"),
    [(APART, "bp", "conv0.U"), (SMALL_U, "wg", "conv0.dY"), (IN_DRAM, "wg", "conv1.dW")],
)
def test_a_read_that_does_not_wait_for_the_write(chip, engine, name):
    """Without the completions of its reads, a tile may come before its data."""
    program, due = program_of(chip)
    places = [tensor.at for tensor in due.tensors if tensor.name.startswith(name)]
    for tile in tiles(program, engine):
        if any(a <= run[0] < a + n for run in tile.reads for a, n in places):
            corrupt(tile, "read_needs", ())
    assert "read after it was written" in broken(program, due)


def test_a_carry_that_waits_for_an_older_one():
    """Of several writes of one place by one engine, the last before the read counts."""
    program, due = program_of(SMALL_U)
    labels = program.completions.labels
    first = next(n for n, label in enumerate(labels) if label.startswith("U carried"))
    place = labels[first].rsplit(" ", 1)[0]
    later = {n for n, label in enumerate(labels) if label.startswith(place + " ")} - {first}
    assert later
    for tile in tiles(program, "fp"):
        corrupt(
            tile,
            "read_needs",
            tuple(first if ident in later else ident for ident in tile.read_needs),
        )
    assert "read after it was written" in broken(program, due)


@pytest.mark.parametrize(
    "label", ["FP input", "dS", "dY for BP", "dY for WG", "old weights", "loss input"]
)
def test_what_nobody_waits_for(label):
    """A completion that no tile needs any more."""
    program, due = program_of()
    labels = program.completions.labels
    for tile in (t for engine in ("fp", "bp", "wg") for t in tiles(program, engine)):
        corrupt(
            tile,
            "needs",
            tuple(ident for ident in tile.needs if not labels[ident].startswith(label)),
        )
    assert "what arrives is waited for" in broken(program, due)


def test_a_half_of_a_memory_that_is_not_waited_for():
    """Releases of a double buffer are waited for but the last two."""
    program, due = program_of()
    labels = program.completions.labels
    for tile in tiles(program, "bp"):
        corrupt(
            tile,
            "needs",
            tuple(ident for ident in tile.needs if not labels[ident].startswith("dY used")),
        )
    assert broken(program, due) == ["what arrives is waited for"]


def test_what_is_waited_for_and_never_sent():
    """A completion without an arrival is there from the start: waiting for it means nothing."""
    program, due = program_of()
    tile = tiles(program, "bp")[3]
    corrupt(tile, "needs", (*tile.needs, program.completions.ident("never")))
    assert broken(program, due) == ["what is waited for arrives"]


def test_a_message_to_the_wrong_core():
    """The core it is sent to waits for nothing of the kind."""
    program, due = program_of()
    tile = next(t for t in tiles(program, "fp") if t.messages)
    wrong = [replace(message, core=(message.core + 1) % 4) for message in tile.messages]
    corrupt(tile, "messages", tuple(wrong))
    assert "messages go to who waits" in broken(program, due)


@pytest.mark.parametrize(("chip", "engine"), [("default", "fp"), (SMALL_U, "bp")])
def test_a_core_that_sends_nothing(chip, engine):
    """Its messages are missing where they are due, though nobody would notice the wait."""
    program, due = program_of(chip, residual())
    core = next(
        core
        for core, engines in enumerate(program.tiles)
        if any(tile.messages for tile in engines[engine])
    )
    for tile in program.tiles[core][engine]:
        corrupt(tile, "messages", ())
    assert "data come from all who have them" in broken(program, due)


def test_a_group_that_leaves_too_early():
    """Samples are done when the last tile of theirs is."""
    program, due = program_of(IN_DRAM)
    labels = program.completions.labels
    wg = program.tiles[0]["wg"]
    last = next(t for t in wg if any(labels[n].startswith("samples done") for n in t.signals))
    first = next(t for t in wg if t.sample == last.sample)
    signals = last.signals, first.signals
    corrupt(first, "signals", signals[0])
    corrupt(last, "signals", signals[1])
    assert broken(program, due) == ["groups leave when they are done"]


def test_weights_fetched_a_second_time_after_another_layer():
    """Both layers run FP on a core between two times that one of them recomputes U."""
    overrides = ("cores=1", "mapping.schedule=pipelined", "mapping.state=spill",
                 "mapping.states=[conv1=recompute]")  # fmt: skip
    first = conv((4, 8, 8), 20, 3, padding=1)
    plan, program = built(*job(first, linear(1280, 10), batch=4), *overrides)
    assert [layer_plan.state for layer_plan in plan.layers] == ["recompute", "spill"]
    assert broken_laws(plan, program, *overrides)[0] == []


def test_dY_that_takes_the_place_of_what_wg_still_reads():
    """The wait for room comes with the second rows of the last sample: one tile too late."""
    program, due = program_of(ALTERNATES)
    labels = program.completions.labels
    makers = [t for t in program.tiles[3]["bp"] if t.phase == Phase.GRAD]
    releases = [(at, ident) for at, tile in enumerate(makers[:-1]) for ident in tile.needs
                if labels[ident].startswith("dY used")]  # fmt: skip
    at, ident = releases[-1]
    corrupt(makers[at], "needs", tuple(other for other in makers[at].needs if other != ident))
    corrupt(makers[at + 1], "needs", (*makers[at + 1].needs, ident))
    assert broken(program, due) == ["dY of samples finds room"]


def test_a_slice_of_bp_without_a_weight():
    """On the compacted grid, an input row between two strides may meet no output at all."""
    due = WeightsDue(
        [(0, 64)], 0, elements=8, even=True, room=0, once=False, rounded=False, stays=False
    )
    tile = Tile(Phase.BP, 1, 0, 1, 0, 1, covers=8)
    visit = Visit(due, [tile.phase], [tile], runs_of([tile.reads], [0]))
    assert visit.fault() == ""


def test_channels_of_a_grouped_convolution_lie_apart():
    """Each channel is a group of its own: its state is written once, not once per channel."""
    net = builder((8, 6, 6))
    net.conv(8, 3, padding=1)
    net.conv(8, 3, padding=1, groups=8)
    net.linear(5)
    drawn = workload(net.layers)
    plan, program = built(drawn, recording(drawn), "cores=1", "mapping.state=spill")
    assert plan.layers[1].addressed.tensors["U"].group == 1
    saved = plan.layers[1].addressed.tensors["U"]
    written = sum(n for t in tiles(program, "fp") for a, n in t.writes if a // saved.nbytes ==
                  saved.address // saved.nbytes and saved.address <= a)  # fmt: skip
    assert written <= saved.nbytes
    assert broken_laws(plan, program, "cores=1", "mapping.state=spill")[0] == []


def test_u_recomputed_below_windows_that_overlap():
    """The last row of neurons follows from products that the rows before it have made already."""
    net = builder((17, 8, 9))
    index = net.conv(26, 3, padding=1)
    pool = Pool.square("max", 2, 1, padding=1)
    shape = pool.pooled(net.layers[index].product_shape)
    net.layers[index] = replace(net.layers[index], current_pool=pool, out_shape=shape)
    net.conv(2, 1)
    drawn = workload(net.layers)
    overrides = ("cores=2", "core.memory.gradients=8 Kib", "mapping.states=[conv0=recompute]")
    plan, program = built(drawn, recording(drawn), *overrides)
    assert any(t.phase == Phase.RECOMPUTE for t in tiles(program, "fp"))
    assert broken_laws(plan, program, *overrides)[0] == []
