"""Occupancy: what stays in the cores fits, and a memory too small for it is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.laws.test_programs import program_of
from tests.program.jobs import built, conv, corrupt, linear
from tests.program.jobs import due as due_of
from tests.program.jobs import job as chained
from tests.reliability.probe import APART, CHIPS, SMALL, chain, grouped, residual
from tlm.laws.gradient_windows import gradient_windows
from tlm.laws.input_windows import input_windows
from tlm.laws.occupancy import claims, occupancy
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase


def broken(program, due):
    """Whether the law is broken."""
    (check,) = occupancy(TileTable(program, due.regions), due)
    return not check.holds


def with_memory(due, **sizes):
    """What is due, on a chip with other memories than it was planned for."""
    core = due.job.chip.core
    core = core.model_copy(update={"memory": core.memory.model_copy(update=sizes)})
    return replace(due, job=replace(due.job, chip=due.job.chip.model_copy(update={"core": core})))


@pytest.mark.parametrize("chip", list(CHIPS))
@pytest.mark.parametrize("job", [chain, residual, grouped])
def test_programs_keep_the_law(chip, job):
    """Every job on every chip of the probe."""
    assert not broken(*program_of(chip, job()))


@pytest.mark.parametrize(
    ("memory", "job", "chip"),
    [
        ("spikes", chain, []),
        ("spike_gradients", chain, []),
        ("accumulators", chain, []),
        ("batch_norm", residual, []),
        ("membrane", chain, ["mapping.state=keep"]),
        ("partial_sums", chain, []),
        ("optimizer", chain, []),
    ],
)
def test_a_memory_that_is_too_small(memory, job, chip):
    """What is held at the busiest turn fits some size, and no smaller one."""
    plan, program = built(job(), job().load(0), *SMALL, *APART, *chip)
    due = due_of(plan)
    faults = [broken(program, with_memory(due, **{memory: 1 << size})) for size in range(36)]
    assert faults[0]
    assert not faults[-1]
    assert faults == sorted(faults, reverse=True)


def test_layers_of_a_pipeline_share_all_the_time():
    """Claims of all layers are held against each other, not turn by turn."""
    _, due = program_of("pipelined, gradients in DRAM")
    assert {claim.turns for claim in claims(due.job)} == {range(1)}
    _, due = program_of()
    assert len({claim.turns for claim in claims(due.job)}) > 1


def test_a_pipeline_of_a_single_group_takes_turns():
    """No second group meets the first: its layers use the memories one after the other."""
    job = chain()
    chip = [*CHIPS["pipelined, gradients in DRAM"], f"mapping.group={job.batch}"]
    plan, _ = built(job, job.load(0), *SMALL, *chip)
    assert len({claim.turns for claim in claims(due_of(plan).job)}) > 1


def test_a_block_with_more_sums_than_the_buffer():
    """Rows of a tile, a hundred times as many."""
    program, due = program_of()
    tile = next(t for t in program.all_tiles() if t.phase == Phase.BP)
    corrupt(tile, "rows", (0, 100 * tile.rows[1]))
    assert broken(program, due)


def test_inputs_that_were_kept_and_do_not_fit():
    """What two panels of outputs read once fits some spike memory; in a small one both fetch."""
    plan, program = built(residual(), residual().load(0), "cores=1", *APART)
    due = due_of(plan)
    table, faults = TileTable(program, due.regions), []
    for size in range(20):
        (check,) = input_windows(table, with_memory(due, spikes=1 << size))
        faults.append(not check.holds)
    assert faults[0]
    assert not faults[-1]
    small = ("cores=1", *APART, "core.memory.spikes=2 Kib")
    plan, program = built(residual(), residual().load(0), *small)
    due = due_of(plan)
    (check,) = input_windows(TileTable(program, due.regions), due)
    assert check.holds


def test_rows_of_dY_that_were_kept_and_do_not_fit():
    """Two panels of inputs of a convolution read the dY of a block once, or both do."""
    first = conv((4, 16, 16), 24, 3, padding=1)
    large = chained(first, conv(first.out_shape, 24, 3, padding=1), linear(24 * 256, 10), batch=3)
    chip = ("cores=1", *APART, "core.memory.gradients=48 Kib", "core.memory.partial_sums=8 Kib")
    plan, program = built(*large, *chip)
    due = due_of(plan)
    assert not due.job.layers[1].dY_sent
    table, faults = TileTable(program, due.regions), []
    for size in range(17):
        (check,) = gradient_windows(table, with_memory(due, gradients=1 << size))
        faults.append(not check.holds)
    assert faults[0]
    assert not faults[-1]
