"""Residency: what stays in the cores fits beside working room, and what pays most comes first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.graphs import broken_laws
from tests.program.jobs import built, conv, job, linear, loaded_chip
from tests.reliability.probe import APART, SMALL, chain, residual
from tlm.errors import MappingError
from tlm.storage.budget import Budget
from tlm.storage.candidates import candidates

POOLED = ("spikes", "spike_gradients", "batch_norm", "accumulators", "optimizer", "membrane")
WHOLE = 1 << 10
SIZES = tuple(f"core.memory.{name}=1 Kib" for name in POOLED[1:4])


def networked():
    """A convolution, a strided one, and a linear layer."""
    first = conv((4, 8, 8), 20, 3, padding=1, pool=2)
    return job(first, conv(first.pooled_shape, 24, 3, padding=1), linear(384, 10), batch=3)


def in_dram(plan, kind):
    """The layers one of whose tensors of a kind goes through DRAM."""
    return [lp.layer.index for lp in plan.layers if kind in lp.addressed.tensors]


@given(
    st.lists(
        st.tuples(st.sampled_from(POOLED), st.integers(0, WHOLE), st.integers(0, 4),
                  st.integers(0, 4)),
        max_size=30,
    ),
    st.booleans(),
    st.sampled_from(["pool", "separate"]),
)  # fmt: skip
def test_no_turn_holds_more_than_there_is_room_for(claims, at_once, sharing):
    """Whatever is asked for in whatever order: what is taken fits at every turn."""
    chip = loaded_chip(*SIZES, f"core.memory.sharing={sharing}").config
    budget, held = Budget(chip, at_once), Counter()
    for memory, bits, first, turns in claims:
        if budget.take(memory, {0: bits}, range(first, first + turns)):
            place = "pool" if sharing == "pool" else memory
            for turn in range(1) if at_once else range(first, first + turns):
                held[place, turn] += bits
    for (place, _), bits in held.items():
        assert bits <= budget.room(POOLED[0] if place == "pool" else place)


def test_a_pool_has_the_published_total_less_working_room():
    """Of 55 Mib and 256 Kib, engines work in 3/2 spike, two U and a dY memory, and two pieces."""
    kib = 1024
    total = (2 * 256 + 2 * 1024 + 4 * 1024 + 48 * 1024) * kib
    working = (3 * 128 + 2 * 1024 + 1024) * kib + 2 * 2048 * (16 + 2 * 32)
    assert Budget(loaded_chip().config, False).room("optimizer") == total - working
    forward = (128 + 1024) * kib  # inference: half of FP's spikes, its U
    assert Budget(loaded_chip().config, False, learns=False).room("optimizer") == total - forward


def test_all_of_a_small_job_stays_in_a_pool():
    """Nothing is saved in DRAM for BP, no weight and no moment moves; the laws hold."""
    plan, program = built(*networked())
    assert all(lp.state == "keep" for lp in plan.layers)
    stores = [lp.stored for lp in plan.layers]
    assert all(s.W == s.moments == s.dW == "memory" for s in stores)
    assert in_dram(plan, "U") == []
    trained = [tensor for lp in plan.layers for tensor in lp.addressed.trained("W")]
    touched = {run[0] for tile in program.all_tiles() for run in (*tile.reads, *tile.writes)}
    assert len(trained) == 3 * len(plan.layers)
    for tensor in trained:
        assert touched.isdisjoint(range(tensor.address, tensor.address + tensor.nbytes))
    assert broken_laws(plan, program)[0] == []


def test_memories_apart_keep_only_their_own_kind():
    """State has half of U's memory, though that of the optimizer is empty."""
    plan, _ = built(*networked(), *APART, "mapping.state=auto", "core.memory.membrane=4 Kib")
    assert in_dram(plan, "U")
    plan, _ = built(*networked(), "core.memory.membrane=4 Kib")
    assert in_dram(plan, "U") == []


def test_what_saves_most_for_a_bit_comes_first():
    """A pool has room for a part of all: the candidate that is worth most is in it."""
    tight = (*SMALL, "core.memory.optimizer=380 Kib", *SIZES)
    plan, _ = built(residual(), residual().load(0), *tight)
    kinds = ("inputs", "dS", "Y", "dW", "W", "moments")
    by_kind = {(c.layer, c.kind): c for c in candidates(plan) if c.kind in kinds}
    stays = {key: getattr(plan.layers[key[0]].stored, key[1]) == "memory" for key in by_kind}
    assert set(stays.values()) == {True, False}
    best = max(by_kind.values(), key=lambda c: c.worth)
    assert stays[best.layer, best.kind]


def moved(program, tensor, *phases):
    """(Times that all of a tensor is read, that it is written), of some phases if any are named."""
    first, end = tensor.address, tensor.address + tensor.nbytes
    tiles = [tile for tile in program.all_tiles() if not phases or tile.phase.name in phases]
    runs = [[run for tile in tiles for run in tile.reads], [r for t in tiles for r in t.writes]]
    amounts = [sum(nbytes for at, nbytes in each if first <= at < end) for each in runs]
    return tuple(amount / tensor.nbytes for amount in amounts)


def test_currents_stay_for_the_turn_that_uses_them_twice():
    """Y of the first layer crosses DRAM once each way, between FP and BP; dI never leaves."""
    plan, program = built(
        residual(), residual().load(0), *SMALL, "core.memory.optimizer=330 Kib", *SIZES
    )
    first = plan.layers[0]
    assert (first.stored.Y, first.stored.Y_forward, first.stored.Y_backward) == (
        "dram", "memory", "memory",
    )  # fmt: skip
    assert moved(program, first.addressed.tensors["Y"]) == (1, 1)
    assert "dI" not in first.addressed.tensors
    # NORM, GRAD and NORM_GRAD each read Y where no turn has room for it.
    plan, program = built(
        residual(), residual().load(0), *SMALL, "core.memory.optimizer=1 Kib", *SIZES,
        "core.memory.spikes=4 Kib",
    )  # fmt: skip
    tensors = plan.layers[0].addressed.tensors
    assert moved(program, tensors["Y"]) == (3, 1)
    assert moved(program, tensors["dI"]) == (1, 1)


def test_dI_is_made_again_where_dS_stays_in_the_core():
    """NORM_GRAD adds partial dS and runs the surrogate once more: dI takes no room and no bytes."""
    tight = (*SMALL, "core.memory.optimizer=340 Kib", *SIZES, "core.memory.spikes=4 Kib")
    plan, program = built(residual(), residual().load(0), *tight)
    first, second, _ = plan.layers
    assert (first.stored.dS, first.stored.dI) == ("memory", "recompute")
    assert (second.stored.dS, second.stored.dI) == ("dram", "dram")
    assert in_dram(plan, "dI") == [1]
    neurons = first.spikes.size
    surrogates = Counter()
    for tile in program.all_tiles():
        surrogates[tile.layer, tile.phase.name] += tile.work.energy.get("bp.grad_op", 0)
    assert (surrogates[0, "GRAD"], surrogates[0, "NORM_GRAD"]) == (neurons, neurons)
    assert (surrogates[1, "GRAD"], surrogates[1, "NORM_GRAD"]) == (second.spikes.size, 0)
    assert broken_laws(plan, program, *tight)[0] == []


@pytest.mark.parametrize(("room", "times"), [(380, 23.46), (400, 2)])
def test_weights_stay_for_the_turn_that_needs_them_block_by_block(room, times):
    """Four convolutions: their weights fit the pool one after the other, not all together."""
    first = conv((4, 8, 8), 24, 3, padding=1)
    deep = job(first, *[conv((24, 8, 8), 24, 3, padding=1) for _ in range(3)],
               linear(24 * 64, 10), batch=3)  # fmt: skip
    overrides = (
        *SIZES, "cores=1", f"core.memory.optimizer={room} Kib", "core.memory.weights=8 Kib",
        "core.memory.membrane=16 Kib", "core.memory.partial_sums=8 Kib",
        "core.memory.spikes=16 Kib", "mapping.state=recompute",
    )  # fmt: skip
    plan, program = built(*deep, *overrides)
    W = plan.layers[1].addressed.weights["W"]
    assert moved(program, W, "FP", "BP") == (pytest.approx(times, abs=0.01), 0)
    assert broken_laws(plan, program, *overrides)[0] == []


BLOCKS = (
    *SMALL, *SIZES, "core.memory.weights=9 Kib", "core.memory.membrane=8 Kib",
    "core.memory.partial_sums=4 Kib", "core.memory.spikes=8 Kib", "core.memory.optimizer=420 Kib",
    "core.memory.gradients=8 Kib", "mapping.split=spatial",
)  # fmt: skip


def test_weights_stay_for_the_turn_alone_that_they_have_room_in():
    """Four cores keep those of the first layer for FP, but not for U made again; one for BP."""
    plan, program = built(chain(), chain().load(0), *BLOCKS)
    stores = [(lp.stored.W, lp.stored.W_forward, lp.stored.W_backward) for lp in plan.layers]
    assert stores[:2] == [("dram", "memory", "dram"), ("dram", "dram", "memory")]
    first, second = (lp.addressed.weights["W"] for lp in plan.layers[:2])
    assert moved(program, first, "FP") == (4, 0)
    assert moved(program, first, "RECOMPUTE")[0] > 8
    assert moved(program, second, "BP") == (1, 0)


def test_no_weights_stay_where_all_are_to_be_spilled():
    """Not even for a turn, though each block fetches them again."""
    spilled = (*BLOCKS, "mapping.parameters=spill")
    plan, program = built(chain(), chain().load(0), *spilled)
    stores = [(lp.stored.W, lp.stored.W_forward, lp.stored.W_backward) for lp in plan.layers]
    assert set(stores) == {("dram", "dram", "dram")}
    assert moved(program, plan.layers[0].addressed.weights["W"], "FP")[0] > 4
    assert broken_laws(plan, program, *spilled)[0] == []


def test_a_tensor_has_its_place_from_its_first_write_to_its_last_read():
    """Turns 0 to 2 are FP; BP and WG of the last layer, which reads both others, are turn 3."""
    plan, _ = built(residual(), residual().load(0), "core.memory.gradients=1 Kib")
    turns = {(c.kind, c.layer): (c.turns[0], c.turns[-1]) for c in candidates(plan)}
    of_first = {kind: turns[kind, 0] for kind in ("Y", "state", "dS", "dI", "dY", "dW")}
    assert of_first == {
        "Y": (0, 5), "state": (0, 5), "dS": (3, 5), "dI": (5, 5), "dY": (5, 5), "dW": (5, 5),
    }  # fmt: skip
    # WG of a layer, and its update, may come while BP of the layer below does.
    assert turns["dY", 1] == turns["dW", 1] == (4, 5)
    assert turns["inputs", 2] == (0, 2)
    alone = {(c.kind, c.layer): [*c.turns] for c in candidates(plan) if c.kind[:2] == "Y_"}
    assert alone == {("Y_forward", 0): [0], ("Y_backward", 0): [5], ("Y_forward", 1): [1],
                     ("Y_backward", 1): [4]}  # fmt: skip


def test_dY_of_large_samples_alternates_in_the_pool():
    """A sample of the first layer has 20 x 8 x 8 x 3 dY of 16 bit: 60 Kib, on one core."""
    tight = ("cores=1", "core.memory.gradients=32 Kib")
    plan, program = built(*networked(), *tight)
    first = plan.layers[0]
    assert first.stored.dY_room == 2 * first.dY[:, 0].size * 16
    assert not in_dram(plan, "dY")
    assert broken_laws(plan, program, *tight)[0] == []
    plan, _ = built(*networked(), *tight, *APART)
    assert in_dram(plan, "dY")


def test_all_cores_have_room_for_the_dY_that_alternates():
    """Of 20 channels a core has 16, another 4: in as much room, more of its samples alternate."""
    cut = ("cores=2", "core.memory.gradients=16 Kib", "mapping.split=k")
    plan, program = built(*networked(), *cut)
    first, memory = plan.layers[0], 16 * 1024
    channels = [part.neurons.channels for part in first.cut.slices]
    assert channels == [(0, 16), (16, 20)]
    dY = next(c for c in candidates(plan) if c.kind == "dY" and c.layer == 0)
    assert set(dY.bits.values()) == {first.stored.dY_room - memory}
    assert first.stored.dY_room == 2 * first.dY[:, 0, :16].size * 16
    assert broken_laws(plan, program, *cut)[0] == []


@pytest.mark.parametrize(("sharing", "times"), [("pool", 1), ("separate", 8.625)])
def test_rows_of_inputs_wait_in_the_pool_for_all_outputs_of_a_block(sharing, times):
    """Else three panels of outputs each read the rows under their blocks, which overlap."""
    first = conv((4, 16, 16), 64, 3, padding=1)
    large = job(first, conv(first.out_shape, 48, 3, padding=1), linear(48 * 256, 10), batch=3)
    overrides = (
        *SIZES, "cores=1", "core.memory.spikes=4 Kib", f"core.memory.sharing={sharing}",
        "core.memory.partial_sums=8 Kib", "mapping.state=spill", "core.memory.optimizer=330 Kib",
    )  # fmt: skip
    plan, program = built(*large, *overrides)
    assert moved(program, plan.layers[0].addressed.tensors["spikes"], "FP") == (times, 1)
    assert broken_laws(plan, program, *overrides)[0] == []


@pytest.mark.parametrize(("optimizer", "times"), [(330, 5.75), (350, 1)])
def test_rows_of_dY_wait_in_the_pool_for_the_blocks_they_are_under(optimizer, times):
    """Two chunks of inputs and three rows of a kernel need dY that is in DRAM: it comes once."""
    first = conv((4, 16, 16), 24, 3, padding=1)
    large = job(first, conv(first.out_shape, 24, 3, padding=1), linear(24 * 256, 10), batch=3)
    overrides = (
        *SIZES, "cores=1", "core.memory.spikes=2 Kib", "core.memory.gradients=24 Kib",
        "core.memory.partial_sums=8 Kib", "core.memory.membrane=16 Kib",
        f"core.memory.optimizer={optimizer} Kib",
    )  # fmt: skip
    plan, program = built(*large, *overrides)
    second = plan.layers[1]
    assert second.stored.dY_rows_room >= 21 * 1024
    assert moved(program, second.addressed.tensors["dY"], "BP") == (times, 0)
    assert broken_laws(plan, program, *overrides)[0] == []


def test_partial_sums_of_dS_share_a_place():
    """Eight readers' slices add to the same dS: it takes no more room than one of them."""
    workload, recording = networked()
    for cores in (1, 8):
        plan, _ = built(workload, recording, f"cores={cores}", "mapping.split=k")
        dS = next(c for c in candidates(plan) if c.kind == "dS" and c.layer == 0)
        assert plan.layers[0].partials == plan.layers[1].cut.split.k
        assert sum(dS.bits.values()) <= 16 * plan.layers[0].need.size


@settings(max_examples=20, deadline=None)
@given(
    optimizer=st.sampled_from([1, 330, 360, 400, 600, 2000]),
    spikes=st.sampled_from([4, 16, 256]),
    sharing=st.sampled_from(["pool", "separate"]),
    state=st.sampled_from(["auto", "spill", "recompute"]),
    parameters=st.sampled_from(["auto", "spill"]),
    normed=st.booleans(),
    gradients=st.sampled_from([2, 8, 1024]),
)
def test_any_size_of_the_memories_keeps_every_law(
    optimizer, spikes, sharing, state, parameters, normed, gradients
):
    """From all in DRAM to all in the cores."""
    overrides = (
        *SMALL, *SIZES, f"core.memory.optimizer={optimizer} Kib",
        f"core.memory.spikes={spikes} Kib", f"core.memory.sharing={sharing}",
        f"mapping.state={state}", f"mapping.parameters={parameters}",
        f"core.memory.gradients={gradients} Kib",
    )  # fmt: skip
    drawn = residual() if normed else chain()
    plan, program = built(drawn, drawn.load(0), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


def test_state_that_was_to_be_kept_and_does_not_fit():
    """The line says where, how much of what, and what to do."""
    tight = ("cores=1", "mapping.state=keep", "core.memory.optimizer=1 Kib", *SIZES)
    with pytest.raises(MappingError, match=r"layer conv1: state kept on core 0 needs \d+ bit"):
        built(*networked(), *tight, "core.memory.spikes=8 Kib")
