"""An image that all steps share is multiplied once; a spike train at every step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import IDEAL_DRAM, built, tiles_of
from tests.program.test_channel_parameters import actions
from tlm.space.phase import Phase

EVERY_STEP = "mapping.static_input=every_step"
CHIP = ("cores=4", "mesh.columns=2", "mesh.rows=2", IDEAL_DRAM)
T, B, POSITIONS = 5, 2, 36


def image_job(steps=T, norm=None, encoding="direct", bias=False):
    """3 x 6 x 6 pixels, convolution to 16 channels of 3 x 3, then to ten outputs."""
    net = builder((3, 6, 6), norm, analog=encoding == "direct")
    net.conv(16, kernel=3, padding=1)
    net.linear(10)
    first, second = net.layers
    layers = [replace(first, bias=bias), replace(second, norm=None)]
    return replace(workload(layers, steps, B), encoding=encoding)


def slots(program, phase):
    """Slots of the first layer, before skipping."""
    return sum(tile.work.slots for tile in tiles_of(program, phase, 0))


def placed(job, *overrides):
    """The program of a job, whose run keeps all laws."""
    plan, program = built(job, recording(job), *CHIP, *overrides)
    assert broken_laws(plan, program, *CHIP, *overrides)[0] == []
    return program


@pytest.mark.parametrize("steps", [1, 2, T, 40])
def test_slots_of_fp_do_not_grow_with_the_steps(steps):
    """Nine taps at 36 positions of every sample; the neurons run and WG multiplies each step."""
    program = placed(image_job(steps))
    assert slots(program, Phase.FP) == 9 * POSITIONS * B
    assert slots(program, Phase.WG) == 9 * POSITIONS * B * steps
    assert actions(program, 0)[Phase.FP, "fp.soma_op"] == 16 * POSITIONS * B * steps


@pytest.mark.parametrize(
    ("encoding", "overrides"),
    [("direct", (EVERY_STEP,)), ("direct", ("mapping.schedule=wavefront",)), ("rate", ())],
)
def test_slots_grow_where_each_step_is_multiplied(encoding, overrides):
    """By the switch, by a schedule that comes back for every step, by inputs that change."""
    program = placed(image_job(encoding=encoding), *overrides)
    assert slots(program, Phase.FP) == 9 * POSITIONS * B * T


@pytest.mark.parametrize(
    ("norm", "overrides"),
    [
        (NORM, ()),
        (NORM, ("mapping.batch_norm=folded", "mapping.state=recompute")),
        (None, ("mapping.state=recompute",)),
        (None, ("mapping.schedule=pipelined",)),
        (None, ("core.engines.fp.dataflow=output",)),
        (None, ("core.engines.fp.dataflow=input",)),
        (None, ("core.memory.partial_sums=4 Kib",)),
        (None, ("core.memory.weights=8 Kib",)),
    ],
)
def test_all_laws_hold_and_only_array_work_shrinks(norm, overrides):
    """Units beside the array work as often as when every step is multiplied."""
    job = image_job(norm=norm, bias=True)
    once, each = placed(job, *overrides), placed(job, *overrides, EVERY_STEP)
    for phase in (Phase.FP, Phase.RECOMPUTE):
        some, all_steps = (
            sum(tile.work.dense for tile in tiles_of(program, phase, 0)) for program in (once, each)
        )
        assert all_steps == T * some
    units = ("soma_op", "bias_add", "norm_op", "norm_stat", "grad_op", "update_op_adam")
    less, more = actions(once, 0), actions(each, 0)
    for key in more:
        if key[1].partition(".")[2] in units:
            assert less[key] == more[key], key
