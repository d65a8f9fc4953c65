"""Whole runs: nothing is used before it is there, nothing is overwritten too early."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from tests.program.jobs import IDEAL_DRAM, Densities, built, conv, job, linear
from tests.reliability.probe import APART
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.chip import Chip
from tlm.kernel import run_until
from tlm.space.phase import Command, Phase
from tlm.space.trace_rows import EngineState

NEVER = np.iinfo(np.int64).max
CASES = [
    (split, cores, pool, small)
    for split in ("auto", "k", "batch", "spatial")
    for cores, pool in ((3, None), (20, 2))
    for small in (False, True)
]


class Log:
    """A finished run: plan, transactions by address, and when each tile computed."""

    def __init__(self, split, cores, pool, small):
        self.small = small
        first = conv((4, 9, 8), 20, 3, padding=1, pool=pool)
        second = conv(first.pooled_shape, 33, 3, stride=2, padding=1)
        drawn = job(first, second, linear(int(np.prod(second.out_shape)), 10), batch=4, steps=3,
                    densities=Densities(live=0.7))  # fmt: skip
        overrides = [f"mapping.split={split}", f"cores={cores}", IDEAL_DRAM, "dram.channels=1",
                     "core.engines.wg.grid=compacted"]  # fmt: skip
        if small:  # inputs through DRAM, spilled dW, a block a sample, weights streamed
            overrides += [*APART, "core.memory.spikes=4 Kib", "core.memory.accumulators=16 Kib",
                          "core.memory.gradients=80 Kib",
                          "core.memory.weights=16 Kib"]  # fmt: skip
        self.plan, self.program = built(*drawn, *overrides)
        self.transactions, activity = [], []
        timing = load_dram_timing(self.plan.chip.dram.device)
        chip = Chip(self.plan.chip, timing, self.program, self.transactions, activity)
        run_until(chip.env, chip.finished)
        chip.settle()
        self.computed = defaultdict(list)  # (phase, layer): (core, samples, begin, end)
        for unit, begin, end, what, phase, layer, sample, samples, *_ in activity:
            if what == EngineState.COMPUTE:
                span = range(sample, sample + samples)
                self.computed[phase, layer].append((unit // 3, span, begin, end))

    def times(self, phase, layer, sample):
        """(begin, end) of all computing of a phase, layer and sample."""
        found = [(b, e) for _, s, b, e in self.computed[phase, layer] if sample in s]
        return np.array(found).reshape(-1, 2)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def log(request):
    """One run for all the tests of a case."""
    return Log(*request.param)


def extents(plan, name):
    """The address ranges of one kind of tensor over all layers."""
    tensors = plan.addresses.tensors.values()
    return [(t.address, t.address + t.nbytes) for t in tensors if t.name.split(".")[-1] == name]


def test_saved_state_is_read_only_after_its_write(log):
    """U, S, m and the pooled maps: a read leaves only when the bytes' write is acknowledged."""
    written = np.full(log.plan.addresses.top, NEVER)
    inside = np.zeros(len(written), bool)
    for name in ("U", "S", "m", "S_pooled", "m_pooled"):
        for low, high in extents(log.plan, name):
            inside[low:high] = True
    for row in log.transactions:
        if row[7] == Command.WRITE and inside[row[13]]:
            written[row[13] : row[13] + row[12]] = row[4]
    reads = 0
    for row in log.transactions:
        at = slice(row[13], row[13] + row[12])
        if row[7] == Command.READ and inside[at].all():
            assert (written[at] <= row[1]).all(), (Phase(row[8]).name, row[9])
            reads += 1
    assert reads > 0


def test_old_weights_are_read_before_new_ones_are_written(log):
    """Forward and backward passes of the whole mini-batch see the weights it began with."""
    last_read = np.zeros(log.plan.addresses.top, np.int64)
    for row in log.transactions:
        if row[7] == Command.READ and row[8] in (Phase.FP, Phase.BP):
            at = slice(row[13], row[13] + row[12])
            last_read[at] = np.maximum(last_read[at], row[4])
    writes = 0
    for low, high in extents(log.plan, "W"):
        for row in log.transactions:
            if row[7] == Command.WRITE and low <= row[13] < high:
                assert (last_read[row[13] : row[13] + row[12]] <= row[1]).all()
                writes += row[12]
    assert writes == log.small * sum(high - low for low, high in extents(log.plan, "W"))
    for layer in range(len(log.plan.layers)):
        begins = [begin for *_, begin, _ in log.computed[Phase.UPDATE, layer]]
        used = [end for phase in (Phase.FP, Phase.BP) for *_, end in log.computed[phase, layer]]
        assert max(used) <= min(begins)


def test_partial_sums_in_dram_alternate_between_write_and_read(log):
    """A spilled dW byte is read after its last write and before it is written again."""
    top = log.plan.addresses.top
    spilled, unread = np.zeros(top, bool), np.zeros(top, bool)
    written, read = np.full(top, NEVER), np.zeros(top, np.int64)
    for tensor in log.plan.addresses.tensors.values():
        if ".dW." in tensor.name:
            spilled[tensor.address : tensor.address + tensor.nbytes] = True
    assert log.small or not spilled.any()
    for row in sorted(log.transactions, key=lambda row: row[1]):
        at = slice(row[13], row[13] + row[12])
        if not row[12] or not spilled[at].all():
            continue
        if row[7] == Command.READ:
            assert (written[at] <= row[1]).all(), (Phase(row[8]).name, row[9])
            read[at], unread[at] = row[4], False
        else:
            assert (read[at] <= row[1]).all()
            assert not unread[at].any()
            written[at], unread[at] = row[4], True
    assert not unread.any()
    assert spilled.any() == (read > 0).any()


def test_phases_of_a_sample_follow_each_other(log):
    """FP down the layers, loss, then GRAD, BP and WG up again, for every sample."""
    layers = range(len(log.plan.layers))
    last = layers[-1]
    for sample in range(log.plan.workload.batch):
        fp = [log.times(Phase.FP, layer, sample) for layer in layers]
        grad = [log.times(Phase.GRAD, layer, sample) for layer in layers]
        loss = log.times(Phase.LOSS, last, sample)
        assert len(loss) == 1
        assert fp[last][:, 1].max() <= loss[0, 0]
        assert loss[0, 1] <= grad[last][:, 0].min()
        for layer in layers:
            assert fp[layer][:, 1].min() <= grad[layer][:, 0].min()
            wg = log.times(Phase.WG, layer, sample)
            if len(wg):
                assert grad[layer][:, 1].min() <= wg[:, 0].min()
        for layer in layers[1:]:
            assert fp[layer - 1][:, 1].min() <= fp[layer][:, 0].min()
            bp = log.times(Phase.BP, layer, sample)
            if len(bp):
                assert grad[layer][:, 1].min() <= bp[:, 0].min()
                assert bp[:, 1].min() <= grad[layer - 1][:, 1].max()
    # a linear layer reads every neuron of a sample, and every sample of its K-slices
    for sample in range(log.plan.workload.batch):
        before, after = (log.times(Phase.FP, layer, sample) for layer in (last - 1, last))
        assert before[:, 1].max() <= after[:, 1].max()


def test_each_core_works_on_its_own_gradients(log):
    """WG and BP of a sample on a core come after GRAD of that sample on that core."""
    for layer in range(len(log.plan.layers)):
        done = {}
        for core, samples, _, end in log.computed[Phase.GRAD, layer]:
            done.update({(core, sample): end for sample in samples})
        for phase in (Phase.BP, Phase.WG):
            for core, samples, begin, _ in log.computed[phase, layer]:
                assert all(done[core, sample] <= begin for sample in samples)


def test_weights_are_updated_when_all_gradients_are_there(log):
    """No share of a layer is updated before WG and BP of that layer are over on its cores."""
    for layer in range(len(log.plan.layers)):
        update = min(begin for _, _, begin, _ in log.computed[Phase.UPDATE, layer])
        behind = log.computed[Phase.BP, layer] if layer else log.computed[Phase.FP, layer]
        assert max(end for _, _, _, end in behind) <= update
        layer_plan = log.plan.layers[layer]
        for part in layer_plan.cut.slices:
            cores = {replica.core for replica in layer_plan.replicas(part)}
            own = [b for core, _, b, _ in log.computed[Phase.UPDATE, layer] if core == part.core]
            ends = [e for core, _, _, e in log.computed[Phase.WG, layer] if core in cores]
            assert not own or max(ends) <= min(own)


def test_gradients_in_memory_never_exceed_it(log):
    """dY is held from the start of its GRAD to the end of its WG; at most what the memory holds."""
    chip = log.plan.chip
    peaks = []
    for core in range(chip.cores):
        events = []
        for layer_plan in log.plan.layers:
            layer = layer_plan.layer.index
            part = next((part for part in layer_plan.cut.slices if part.core == core), None)
            if part is None or layer_plan.stored.dY == "dram":
                continue
            (k0, k1), (y0, y1) = part.neurons.channels, part.neurons.rows
            bits = (k1 - k0) * (y1 - y0) * layer_plan.layer.out_shape[2] * log.plan.steps * 16
            for holder, samples, begin, end in log.computed[Phase.GRAD, layer]:
                if holder == core:
                    wg = [e for c, s, _, e in log.computed[Phase.WG, layer]
                          if c == core and set(s) & set(samples)]  # fmt: skip
                    events += [(begin, 1, bits * len(samples))]
                    events += [(max([end, *wg]), 0, -bits * len(samples))]
        held = np.cumsum([change for _, _, change in sorted(events)])
        peaks.append(int(held.max(initial=0)))
    held = any(layer_plan.stored.dY == "memory" for layer_plan in log.plan.layers)
    assert held == (max(peaks) > 0)
    assert max(peaks) <= chip.core.memory.gradients


def needed_samples(program, tile, what):
    """Samples for which a tile waits for a kind of completion."""
    labels = [program.completions.labels[ident] for ident in tile.needs]
    return {int(label.split()[-1]) for label in labels if label.startswith(f"{what} ")}


def test_the_first_tile_of_a_block_waits_for_all_its_samples(log):
    """FP for its inputs, GRAD for dS, BP and WG for dY, the loss for the last layer's spikes."""
    kinds = {
        Phase.FP: "FP input",
        Phase.GRAD: "dS",
        Phase.BP: "dY for BP",
        Phase.WG: "dY for WG",
        Phase.LOSS: "loss input",
    }
    for engines in log.program.tiles:
        waited = defaultdict(set)
        for tile in (tile for tiles in engines.values() for tile in tiles):
            if tile.phase not in kinds:
                continue
            layer_plan = log.plan.layers[tile.layer]
            if tile.phase == Phase.FP and layer_plan.stored.inputs == "dram":
                continue
            if tile.phase in (Phase.BP, Phase.WG) and layer_plan.stored.dY == "dram":
                continue
            if tile.phase == Phase.GRAD and layer_plan.stored.dS == "dram":
                continue
            seen = waited[tile.phase, tile.layer]
            seen |= needed_samples(log.program, tile, kinds[tile.phase])
            assert set(range(tile.sample, tile.sample + tile.samples)) <= seen


def test_every_read_waits_for_the_write_of_its_bytes(log):
    """A tile, or one before it on its engine, names the completion of what it reads from DRAM."""
    tiles = [t for engines in log.program.tiles for t in engines["fp"]]
    writer = np.full(log.plan.addresses.top, -1)
    for number, tile in enumerate(tiles):
        for start, size in tile.writes:
            writer[start : start + size] = number
    reads = 0
    for engines in log.program.tiles:
        for program in engines.values():
            known = set()
            for tile in program:
                known |= set(tile.read_needs)
                for start, size in tile.reads:
                    for number in set(writer[start : start + size].tolist()) - {-1}:
                        assert known & set(tiles[number].saves), (tile.phase, tile.layer)
                        reads += 1
    assert reads > 0
