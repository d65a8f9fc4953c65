"""What is trained of a channel beside its weights: counted where it is used and where it learns."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.program.graphs import broken_laws, builder, recording, workload
from tests.program.jobs import IDEAL_DRAM, built, tiles_of
from tlm.space.phase import Phase
from tlm.workload.model import Norm

T, B, K, POSITIONS = 3, 4, 16, 16
PRODUCTS = T * B * K * POSITIONS


def two_layers(*, bias, norm=None):
    """conv0 -> conv1, both 16 channels of 4 x 4 pixels by 1 x 1 kernels; conv1 may have a bias."""
    net = builder((16, 4, 4))
    net.conv(K, kernel=1)
    net.conv(K, kernel=1)
    first, second = net.layers
    return workload([first, replace(second, bias=bias, norm=norm)], T, B)


def actions(program, layer):
    """Counts of all actions of a layer by phase."""
    total = Counter()
    for phase in Phase:
        for tile in tiles_of(program, phase, layer):
            for action, count in tile.work.energy.items():
                total[phase, action] += count
    return total


def kept_bytes(plan, program, layer):
    """Bytes read and written of all that is kept from one mini-batch to the next, by name."""
    moved = Counter()
    for name, tensor in plan.layers[layer].addressed.weights.items():
        end = tensor.address + tensor.nbytes
        for way in ("reads", "writes"):
            runs = [run for tile in program.all_tiles() for run in getattr(tile, way)]
            moved[name, way] = sum(size for at, size in runs if tensor.address <= at < end)
    return moved


def difference(job, changed, *overrides):
    """What the second job does more than the first one, in its last layer."""
    plan, program = built(job, recording(job), *overrides)
    other_plan, other = built(changed, recording(changed), *overrides)
    assert actions(other, 0) == actions(program, 0)
    assert broken_laws(plan, program, *overrides)[0] == []
    assert broken_laws(other_plan, other, *overrides)[0] == []
    more = actions(other, 1)
    more.subtract(actions(program, 1))
    read = kept_bytes(other_plan, other, 1)
    read.subtract(kept_bytes(plan, program, 1))
    return {key: n for key, n in more.items() if n}, {key: n for key, n in read.items() if n}


def test_a_bias_counted_by_hand_on_one_core():
    """An add for every product and every dY; 16 values of W and moments updated like weights.

    16-bit weights, 32-bit moments: 16 x 80 bit are 5 accesses of 256 bit, read and written.
    """
    more, moved = difference(two_layers(bias=False), two_layers(bias=True), "cores=1", IDEAL_DRAM)
    assert more == {
        (Phase.FP, "fp.bias_add"): PRODUCTS,
        (Phase.GRAD, "bp.bias_add"): PRODUCTS,
        (Phase.UPDATE, "wg.update_op_adam"): K,
        (Phase.UPDATE, "wg.optimizer_read"): 5,
        (Phase.UPDATE, "wg.optimizer_write"): 5,
    }
    assert moved == {
        ("bias", "reads"): 2 * 2 * K,  # for FP, and for the update
        ("bias", "writes"): 2 * K,
        **{(f"bias.moment{at}", way): 4 * K for at in (1, 2) for way in ("reads", "writes")},
    }


def test_scale_and_shift_learn_from_sums_that_batch_statistics_need_anyway():
    """No more passes over elements: two values a channel are updated, and read by FP and BP."""
    norm = Norm("batch", 1e-5, per_step=False)
    job = two_layers(bias=False, norm=norm)
    plan, program = built(job, recording(job), "cores=1", IDEAL_DRAM)
    assert broken_laws(plan, program, "cores=1", IDEAL_DRAM)[0] == []
    counts = actions(program, 1)
    assert counts[Phase.UPDATE, "wg.update_op_adam"] == K * (16 + 2)
    assert counts[Phase.GRAD, "bp.norm_stat"] == PRODUCTS
    assert counts[Phase.NORM_GRAD, "bp.norm_add"] == 0
    moved = kept_bytes(plan, program, 1)
    assert moved["scale", "reads"] == 3 * 2 * K  # NORM, NORM_GRAD, update
    assert moved["shift", "reads"] == 2 * 2 * K  # NORM, update
    for name in ("scale", "shift"):
        assert moved[name, "writes"] == 2 * K
        assert moved[f"{name}.moment1", "reads"] == moved[f"{name}.moment2", "writes"] == 4 * K


def test_sums_of_several_steps_are_added_up_for_scale_and_shift():
    """Statistics of each time step: T sums of each kind make one gradient."""
    job = two_layers(bias=False, norm=Norm("batch", 1e-5, per_step=True))
    plan, program = built(job, recording(job), "cores=1", IDEAL_DRAM)
    assert broken_laws(plan, program, "cores=1", IDEAL_DRAM)[0] == []
    assert actions(program, 1)[Phase.NORM_GRAD, "bp.norm_add"] == 2 * K * (T - 1)


@pytest.mark.parametrize(
    ("policy", "bias", "names"),
    [
        ("exact", True, ("bias", "scale", "shift")),
        ("frozen", False, ("scale", "shift")),
        ("frozen", True, ("bias", "scale", "shift")),
        ("folded", False, ("bias",)),
        ("folded", True, ("bias",)),
    ],
)
def test_what_learns_behind_a_norm_by_policy(policy, bias, names):
    """Folding leaves one number a channel, a bias; frozen statistics leave all."""
    overrides = (f"mapping.batch_norm={policy}", IDEAL_DRAM)
    job = two_layers(bias=bias, norm=Norm("batch", 1e-5, per_step=False))
    plan, program = built(job, recording(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    assert plan.layers[1].channel_parameters == names
    counts = actions(program, 1)
    assert counts[Phase.UPDATE, "wg.update_op_adam"] == K * (16 + len(names))
    maker = Phase.NORM_GRAD if policy == "exact" else Phase.GRAD
    assert counts[maker, "bp.bias_add"] == PRODUCTS * ("bias" in names)
    assert counts[Phase.GRAD, "bp.norm_stat"] == PRODUCTS * (policy != "folded")


@pytest.mark.parametrize("split", ["batch", "spatial", "k+batch"])
def test_replicas_send_their_sums_to_one_owner(split):
    """As many additions as the other replicas send; every channel is updated once."""
    overrides = ("cores=4", "mesh.columns=2", "mesh.rows=2", f"mapping.split={split}", IDEAL_DRAM)
    plain, biased = two_layers(bias=False), two_layers(bias=True)
    more, _ = difference(plain, biased, *overrides)
    plan, program = built(biased, recording(biased), *overrides)
    replicas = len(plan.layers[1].replicas(plan.layers[1].cut.slices[0]))
    assert replicas > 1
    assert more[Phase.UPDATE, "wg.reduce_add"] == K * (replicas - 1)
    assert more[Phase.UPDATE, "wg.update_op_adam"] == K
    sent = [sum(m.nbytes for tile in tiles_of(p, Phase.REDUCE, 1) for m in tile.messages)
            for p in (built(plain, recording(plain), *overrides)[1], program)]  # fmt: skip
    width = plan.chip.precision.partial_sum // 8
    assert sent[1] - sent[0] == width * K * (replicas - 1)


@pytest.mark.parametrize("setting", ["schedule=pipelined", "schedule=wavefront", "state=recompute"])
def test_laws_hold_however_a_biased_layer_is_scheduled(setting):
    """Fetched for every walk, summed over all groups of samples, updated once."""
    job, overrides = two_layers(bias=True), (f"mapping.{setting}", IDEAL_DRAM)
    plan, program = built(job, recording(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    assert actions(program, 1)[Phase.UPDATE, "wg.update_op_adam"] == K * (16 + 1)
