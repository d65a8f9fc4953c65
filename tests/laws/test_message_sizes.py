"""Message sizes: a byte more or less of any kind of message is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.laws.test_programs import program_of
from tests.program.jobs import corrupt
from tests.reliability.probe import CHIPS, chain, grouped, residual
from tlm.laws.due.payloads import gradient_bytes
from tlm.laws.message_sizes import message_sizes
from tlm.laws.order import arrivals
from tlm.laws.samples import samples
from tlm.laws.tile_table import TileTable
from tlm.space.phase import BATCH, Phase
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job


def broken(program, due):
    """Whether the law is broken."""
    table = TileTable(program, due.regions)
    (check,) = message_sizes(table, list(samples(table, due.job)), due)
    return not check.holds


@pytest.mark.parametrize("chip", list(CHIPS))
@pytest.mark.parametrize("job", [chain, residual, grouped])
def test_programs_keep_the_law(chip, job):
    """Every job on every chip of the probe."""
    program, due = program_of(chip, job())
    assert not broken(program, due)


def wide():
    """A convolution and 96 classes, cut over the cores."""
    net = Builder((16, 10, 10), lif_neuron(), analog=False)
    net.conv(16, 3, padding=1)
    net.linear(96)
    network = Network("wide", tuple(net.layers), 2, 2, "rate", "made up")
    return network_job(network, Bernoulli(0.2), "bernoulli(0.2)")


@pytest.mark.parametrize(
    ("job", "chip", "phase", "batch"),
    [
        (chain, "default", Phase.FP, False),
        (chain, "default", Phase.BP, False),
        (grouped, "rows, little memory of U, blocks of steps", Phase.GRAD, False),
        (wide, "wavefront", Phase.LOSS, False),
        (residual, "default", Phase.NORM, True),
        (residual, "default", Phase.NORM_GRAD, True),
    ],
)
@pytest.mark.parametrize("change", [lambda nbytes: nbytes // 2, lambda nbytes: nbytes + 1])
def test_messages_of_the_wrong_size(job, chip, phase, batch, change):
    """Half of all spikes, gradients or statistics, or a byte more."""
    program, due = program_of(chip, job())
    assert not broken(program, due)
    tiles = [
        tile
        for tile in program.all_tiles()
        if tile.phase == phase and tile.messages and (tile.sample == BATCH) == batch
    ]
    assert tiles
    for tile in tiles:
        sent = tuple(replace(m, nbytes=change(m.nbytes)) for m in tile.messages)
        corrupt(tile, "messages", sent)
    assert broken(program, due)


def test_gradients_by_hand():
    """100 gradients of 16 bit, 10 of them set: a bitmap and 10 values; 99: plainly; dense: all."""
    _, due = program_of()
    assert gradient_bytes(due.job, 100, 10, 16) == (100 + 160 + 7) // 8
    assert gradient_bytes(due.job, 100, 99, 16) == 200
    dense = due.job.chip.core.engines.bp.model_copy(update={"mode": "dense"})
    engines = due.job.chip.core.engines.model_copy(update={"bp": dense})
    core = due.job.chip.core.model_copy(update={"engines": engines})
    job = replace(due.job, chip=due.job.chip.model_copy(update={"core": core}))
    assert gradient_bytes(job, 100, 10, 16) == 200


def test_a_slice_whose_windows_end_in_the_padding():
    """A kernel of one row that only meets padding: what comes along is due, and nothing else."""
    net = Builder((4, 1, 6), lif_neuron(), analog=False)
    net.conv(20, 1)
    layer = Builder((20, 1, 6), lif_neuron(), analog=False)
    layer.conv(20, 1, padding=1, stride=2)
    last = replace(layer.layers[0], index=1, name="padded", sources=(0,))
    network = Network("padded", (*net.layers, last), 2, 2, "rate", "made up")
    job = network_job(network, Bernoulli(0.4), "bernoulli(0.4)")
    program, due = program_of("default", job)
    assert all(check.holds for check in arrivals(program, due))
    assert not broken(program, due)
