"""Messages: every producer meets its consumers, and the bytes are those of the tensors."""

from __future__ import annotations

from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.jobs import (
    DENSE,
    NO_SLICE_SKIPPING,
    Densities,
    conv,
    job,
    linear,
    place,
    tiles_of,
)
from tests.reliability.probe import APART
from tlm.program.build import build_program
from tlm.program.builder import ProgramBuilder, bitmap_bytes, spike_bytes
from tlm.program.gradient_routes import return_gradient
from tlm.space.phase import Command, Phase


@dataclass(frozen=True)
class Sent:
    """One call that hands data over, to another core or the same one."""

    command: Command
    source: int
    core: int
    nbytes: int
    what: str
    phase: Phase
    labels: tuple[str, ...]


def sends(plan):
    """Every hand-over of data while the program of a plan is built."""
    calls = []
    send, give_back = ProgramBuilder.send, return_gradient

    def sending(self, command, source, core, nbytes, arrives, tile):
        calls.append((command, source, core, nbytes, tile.phase, arrives))
        send(self, command, source, core, nbytes, arrives, tile)

    def giving_back(messages, core, tile):
        calls.extend(
            (sent.command, core, sent.core, sent.nbytes, tile.phase, sent.arrives)
            for sent in messages
        )
        give_back(messages, core, tile)

    with (
        patch.object(ProgramBuilder, "send", sending),
        patch("tlm.program.backward.return_gradient", giving_back),
    ):
        program = build_program(plan)
    found = []
    for *call, phase, arrives in calls:
        labels = tuple(program.completions.labels[ident] for ident in arrives)
        found.append(Sent(*call, labels[0].split(" core")[0], phase, labels))
    return found, program


ALL_ONES = Densities(1.0, 1.0, 1.0, 1.0, 1.0)


def eight_wide(pool, stride=1):
    """Layers whose every row is a whole number of bytes, so that bitmaps tell elements exactly."""
    width = 16 if pool else 8
    first = conv((4, width, width), 16, 3, padding=1, pool=pool)
    second = conv(first.pooled_shape, 24, 3, stride=stride, padding=1)
    return first, second, linear(int(np.prod(second.out_shape)), 10)


@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
@pytest.mark.parametrize("cores", [1, 3, 20])
@pytest.mark.parametrize("pool", [None, 2])
def test_fp_input_received_is_what_is_needed(split, cores, pool):
    """Each reader gets the whole region it reads, of all steps, once; spikes all set: bitmaps."""
    drawn = job(*eight_wide(pool), batch=4, steps=3, densities=ALL_ONES)
    plan = place(*drawn, f"mapping.split={split}", f"cores={cores}", "core.memory.spikes=1 Mib")
    found, _ = sends(plan)
    for layer_plan in plan.layers[1:]:
        assert layer_plan.stored.inputs == "memory"
        for part in layer_plan.cut.slices:
            wanted = layer_plan.wanted_input(part.neurons)
            elements = wanted.size * layer_plan.operand[2] * plan.steps
            label = f"FP input {layer_plan.layer.name} core{part.core:02d}"
            got = sum(s.nbytes for s in found if s.labels[0].startswith(label))
            assert got * 8 == elements, label
    loss = sum(one.nbytes for one in found if one.what.startswith("loss input"))
    senders = {one.source for one in found if one.what.startswith("loss input")}
    assert loss >= plan.workload.batch * plan.steps * 10 // 8
    assert senders == {part.core for part in plan.layers[-1].cut.slices}


@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
@pytest.mark.parametrize("cores", [1, 3, 20])
@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_received_are_what_is_needed(split, cores, pool, stride):
    """Dense dS: every K-slice gives each pooled element once, as partial sums if there are more.

    dY reaches every core whose BP rows need it; its own BP and WG get it without a message.
    """
    drawn = job(*eight_wide(pool, stride), batch=4, steps=3, densities=ALL_ONES)
    plan = place(*drawn, f"mapping.split={split}", f"cores={cores}", *DENSE, NO_SLICE_SKIPPING)
    found, _ = sends(plan)
    for layer_plan, after in zip(plan.layers, plan.layers[1:], strict=False):
        elements = int(np.prod(layer_plan.layer.pooled_shape)) * 4 * plan.steps
        precision = plan.chip.precision
        bits = precision.partial_sum if after.cut.split.k > 1 else precision.gradient
        got = sum(s.nbytes for s in found if s.what == f"dS {layer_plan.layer.name}")
        assert got * 8 == elements * bits * after.cut.split.k
    last = plan.layers[-1]
    got = sum(s.nbytes for s in found if s.what == f"dS {last.layer.name}")
    assert got * 8 == last.layer.out_shape[0] * 4 * plan.steps * 16
    for layer_plan in plan.layers:
        inner = [s for s in found if s.what == f"dY for WG {layer_plan.layer.name}"]
        assert all(s.source == s.core and not s.nbytes for s in inner)
        given = sum(s.nbytes for s in found if s.what == f"dY for BP {layer_plan.layer.name}")
        assert given * 8 == (
            halo_elements(layer_plan) * plan.steps * 16 if layer_plan.layer.index else 0
        )


def halo_elements(layer_plan):
    """dY elements that all BP slices of a layer read, counted row by row."""
    layer, total = layer_plan.layer, 0
    for part in layer_plan.cut.slices:
        rows = {
            (y + layer.padding[0] - r) // layer.stride[0]
            for y in range(*part.input_rows)
            for r in range(layer.kernel[0])
            if (y + layer.padding[0] - r) % layer.stride[0] == 0
        } & set(range(layer.out_shape[1]))
        (k0, k1), (b0, b1) = part.neurons.channels, part.neurons.samples
        total += len(rows) * layer.out_shape[2] * (k1 - k0) * (b1 - b0)
    return total


@pytest.mark.parametrize("split", ["batch", "spatial"])
def test_replicas_exchange_all_of_dw_but_their_own_share(split):
    """n replicas of the weights send (n - 1) / n of dW each, as partial sums."""
    plan = place(*job(*eight_wide(None), batch=4), *APART, f"mapping.split={split}", "cores=4")
    found, program = sends(plan)
    for layer_plan in plan.layers:
        replicas = layer_plan.replicas(layer_plan.cut.slices[0])
        sent = [s for s in found if s.command == Command.WEIGHT_GRADIENT]
        sent = [s for s in sent if s.what == f"dW {layer_plan.layer.name}"]
        weights = layer_plan.addressed.weights["W"].nbytes // 2
        bits = plan.chip.precision.partial_sum
        assert sum(s.nbytes for s in sent) * 8 == weights * bits * (len(replicas) - 1)
        updates = tiles_of(program, Phase.UPDATE, layer_plan.layer.index)
        assert sum(tile.work.energy["wg.update_op_adam"] for tile in updates) == weights
        written = sorted(run for tile in updates for run in tile.writes)
        tensors = [layer_plan.addressed.weights[name] for name in ("W", "moment1", "moment2")]
        assert sum(size for _, size in written) == sum(tensor.nbytes for tensor in tensors)
        assert len({start for start, _ in written}) == len(written)


@pytest.mark.parametrize("split", ["batch", "spatial", "k"])
def test_new_weights_reach_every_replica(split):
    """A share goes to the n - 1 other replicas, each of which waits and stores what it lacked."""
    plan = place(*job(*eight_wide(None), batch=4), f"mapping.split={split}", "cores=4")
    found, program = sends(plan)
    for layer_plan in plan.layers:
        assert layer_plan.stored.W == layer_plan.stored.moments == "memory"
        replicas = len(layer_plan.replicas(layer_plan.cut.slices[0]))
        name = layer_plan.layer.name
        sent = [s for s in found if s.command == Command.WEIGHT and s.what == f"W {name}"]
        nbytes = layer_plan.addressed.weights["W"].nbytes
        assert sum(s.nbytes for s in sent) == nbytes * (replicas - 1)
        ends = {(s.source, s.core) for s in sent}
        assert len(ends) == (replicas - 1) * len(layer_plan.cut.slices)
        updates = tiles_of(program, Phase.UPDATE, layer_plan.layer.index)
        stored = [tile for tile in updates if not tile.covers]
        assert len(stored) == len({core for _, core in ends})
        assert not any(tile.reads or tile.writes for tile in updates)
        bits = 256 * sum(tile.work.energy["wg.optimizer_write"] for tile in stored)
        assert 0 <= bits - 8 * nbytes * (replicas - 1) < 256 * max(1, len(stored))


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([1, 16, 32]))
def test_message_sizes_take_the_shorter_form(elements, present, bits):
    """Bitmap and values, or plain; bitmap, or a list of addresses; rounded up to bytes."""
    present = min(present, elements)
    values = bitmap_bytes(elements, present, bits)
    assert values == -(-min(elements * bits, elements + present * bits) // 8)
    spikes = spike_bytes(elements, present)
    bits_of_address = max(1, int(np.ceil(np.log2(elements)))) if elements > 1 else 1
    assert spikes == -(-min(elements, present * bits_of_address) // 8)
    assert spike_bytes(elements, 0) == 0


def test_gradients_are_sent_as_a_bitmap_and_what_is_there():
    """Mode vector sends no zero: a K-slice's message is its bitmap and its needed elements."""
    first = conv((4, 8, 8), 16, 3, padding=1)
    densities = Densities(gradients=0.5, masks=0.2, live=1.0)
    workload, recording = job(first, linear(1024, 10), densities=densities, batch=1, steps=1)
    plan = place(workload, recording, "cores=2", "mapping.split=batch")
    found, _ = sends(plan)
    live = recording.dU[1].any()
    got = [one for one in found if one.what == "dS conv1"]
    assert live
    chunks = [recording.masks[0].reshape(-1)[c : c + 16] for c in range(0, 1024, 16)]
    assert sum(one.nbytes for one in got) == sum(
        -(-min(16 * 16, 16 + 16 * int(chunk.sum())) // 8) for chunk in chunks
    )


def test_few_spikes_are_sent_as_their_addresses():
    """A message of one block: as many addresses as the recording has spikes, of 10 bits each."""
    first = conv((4, 8, 8), 16, 3, padding=1)
    densities = Densities(spikes=0.02)
    workload, recording = job(first, linear(1024, 10), densities=densities, batch=1, steps=1)
    found, _ = sends(place(workload, recording, "cores=1"))
    spikes = int(recording.spikes[0].sum())
    assert 1 < spikes < 100
    got = [one.nbytes for one in found if one.what == "FP input linear2"]
    assert got == [-(-10 * spikes // 8)]


@pytest.mark.parametrize("split", ["k", "batch", "spatial"])
def test_spikes_travel_one_way_only(split):
    """Inputs that do not fit a core's spike memory are read from DRAM and not sent as well."""
    drawn = job(*eight_wide(2), batch=4, steps=3, densities=ALL_ONES)
    plan = place(*drawn, *APART, f"mapping.split={split}", "core.memory.spikes=2 Kib", *DENSE)
    found, program = sends(plan)
    for layer_plan in plan.layers[1:]:
        assert layer_plan.stored.inputs == "dram"
        assert not [one for one in found if one.what == f"FP input {layer_plan.layer.name}"]
        source = layer_plan.addressed.sources[0]
        fetched = [
            run
            for tile in tiles_of(program, Phase.FP, layer_plan.layer.index)
            for run in tile.reads
            if source.address <= run[0] < source.address + source.nbytes
        ]
        assert sum(size for _, size in fetched) >= source.nbytes
