"""Timeline: when the engines of every core are through with a mapping, without simulating it.

Engines walk the layers in the order of the program. FP of a slice waits for its sources, sample by
sample; the gradient unit for dS, and for WG to let go of the memory of dY; WG for dY; an update for
dW of all replicas, behind WG of the layer below. DRAM, and the mesh for dW, serve one layer after
the other. Of contention it knows no more than that, and the crowds of an exchange of dW.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.placement.exchange import exchanged
from tlm.placement.layer_load import LayerLoad
from tlm.placement.mesh_traffic import hops
from tlm.placement.profile import Profile
from tlm.placement.schedule import Schedule
from tlm.placement.target import Target
from tlm.space.array_types import Floats
from tlm.space.grid import Grid
from tlm.space.region import Span, length, overlap

LOSS_PASSES = 3  # of the lanes over the classes (assumed, as in the program)


@dataclass(frozen=True, slots=True)
class TimedLayer:
    """A layer on its grid, and how long what it sends to those before and behind it is on its way.

    ``spikes_ps`` and ``gradients_ps`` are times of all its inputs and of all dS that it returns on
    the busiest link, ``input_delay_ps`` that of an input from core to core. ``whole``: a block of
    dY takes the whole memory.
    """

    profile: Profile
    grid: Grid
    load: LayerLoad[float, int]
    spikes_ps: float
    gradients_ps: float
    input_delay_ps: float
    dY_through_dram: bool
    whole: bool


class _Part:
    """The samples of a layer's slices in a group, ``together`` to a unit: [slice, unit, place].

    ``index`` is a sample's number, ``there`` false where a unit has none; ``counts`` are of units.
    """

    def __init__(self, grid: Grid, group: Sequence[Span], together: int) -> None:
        spans = [part.neurons.samples for part in grid.slices()]
        samples = [
            [sample for span in group for sample in range(*overlap(span, own))] for own in spans
        ]
        units = max(1, -(-max(map(len, samples)) // together))
        self.index = np.zeros((len(spans), units * together), np.int64)
        self.there = np.zeros(self.index.shape, np.bool_)
        for row, own in enumerate(samples):
            self.index[row, : len(own)] = own
            self.there[row, : len(own)] = True
        shape = (len(spans), units, together)
        self.index, self.there = self.index.reshape(shape), self.there.reshape(shape)
        self.counts = self.there.sum(axis=2).astype(np.float64)
        self.share = 1 / np.array([length(span) for span in spans], np.float64)

    def ready(self, times: Floats) -> Floats:
        """When all samples of every unit are ready."""
        return np.asarray(np.where(self.there, times[self.index], 0.0).max(axis=2))

    def put(self, times: Floats, ends: Floats) -> None:
        """Let the samples of every unit be ready no sooner than its end."""
        values = np.broadcast_to(ends[..., None], self.index.shape)
        np.maximum.at(times, self.index[self.there], values[self.there])

    def served(self, free: Floats, ready: Floats, sample_ps: Floats) -> Floats:
        """The end of every unit on engines that take one after the other."""
        cost = self.counts * sample_ps[:, None]
        behind = cost.cumsum(axis=1)
        start = np.maximum(ready, free[:, None])
        return np.asarray(np.maximum.accumulate(start - (behind - cost), axis=1) + behind)


class Timeline:
    """When the engines of every core are free, and when data are there, in ps."""

    def __init__(self, layers: Sequence[TimedLayer], target: Target, schedule: Schedule) -> None:
        cores, self._batch = target.chip.cores, layers[0].profile.batch
        self._layers, self._target, self._schedule = layers, target, schedule
        self._fp, self._bp, self._wg = (np.zeros(cores) for _ in range(3))
        self._freed = [np.zeros(cores), np.zeros(cores)]  # WG of the last dY block but one; last
        self._outputs: dict[tuple[int, int], Floats] = {}  # by layer and step: of every sample
        self._returns: dict[int, Floats] = {}  # dS of a layer
        self._sums: dict[int, Floats] = {}  # dW of a layer, by slice
        self._dram = self._mesh = 0.0

    def end_ps(self) -> float:
        """When the iteration is done."""
        groups, learns = self._schedule.groups, self._layers[0].profile.learns
        ahead = min(1, self._schedule.in_flight - 1)
        for at in range(len(groups) + ahead):
            if at < len(groups):
                self._forward(groups[at])
            if at >= ahead and learns:
                self._backward(groups[at - ahead], last=at - ahead == len(groups) - 1)
        if learns:
            self._update(self._layers[0])
        engines = (self._fp.max(), self._bp.max(), self._wg.max())
        return float(max(*engines, self._mesh, self._dram))

    def _forward(self, group: Sequence[Span]) -> None:
        if not self._schedule.by_step:
            for layer in self._layers:
                self._forward_layer(layer, group, 0, 1)
            return
        depths: list[int] = []
        for layer in self._layers:
            sources = layer.profile.layer.predecessors
            depths.append(1 + max((depths[at] for at in sources), default=-1))
        steps = self._layers[0].profile.steps
        for wave in range(max(depths) + steps):
            for layer, depth in zip(self._layers, depths, strict=True):
                if 0 <= wave - depth < steps:
                    self._forward_layer(layer, group, wave - depth, steps)

    def _forward_layer(
        self, layer: TimedLayer, group: Sequence[Span], step: int, steps: int
    ) -> None:
        """FP of one of ``steps`` steps, or of all if there is one; NORM behind a barrier."""
        load, cores = layer.load, list(layer.grid.cores)
        part = _Part(layer.grid, group, load.fp_samples)
        begun = self._inputs(layer, step) + load.fill_ps
        ends = part.served(self._fp[cores], part.ready(begun), load.fp * part.share / steps)
        if layer.profile.waits_for_batch:
            known = np.full(len(cores), ends.max() + 2 * self._target.message_ps)
            ends = part.served(known, np.zeros_like(ends), load.norm * part.share)
        share = part.counts.sum() / (self._batch * _copies(layer.grid))
        first = begun.min() - load.fill_ps
        late = self._through_dram(ends, first, load.fp_bytes * share / steps / load.channels)
        late = max(late, begun.min() + layer.spikes_ps * share / steps - ends.max())
        ends = ends + max(0.0, late)
        self._fp[cores] = ends[:, -1]
        part.put(self._outputs.setdefault((layer.profile.layer.index, step), self._zeros()), ends)

    def _inputs(self, layer: TimedLayer, step: int) -> Floats:
        """When the inputs of every sample are there."""
        times = self._zeros()
        for source in layer.profile.layer.predecessors:
            times = np.maximum(times, self._outputs[source, step] + layer.input_delay_ps)
        return times

    def _zeros(self) -> Floats:
        return np.zeros(self._batch)

    def _through_dram(self, ends: Floats, begin: float, nbytes: float) -> float:
        """How much later than ``ends`` DRAM is through with what a layer moves."""
        self._dram = max(self._dram, begin) + self._target.dram_ps(nbytes)
        return float(max(0.0, self._dram - ends.max()))

    def _backward(self, group: Sequence[Span], last: bool) -> None:
        """Loss, then BP and WG layer by layer back; with the ``last`` group sums and updates."""
        self._returns = {}
        for layer in reversed(self._layers):
            if layer.profile.head:
                self._loss(layer, group)
            self._backward_layer(layer, group)
            index = layer.profile.layer.index
            if last:
                self._sums[index] = self._reduced(layer)
                if layer is not self._layers[-1]:
                    self._update(self._layers[index + 1])

    def _loss(self, layer: TimedLayer, group: Sequence[Span]) -> None:
        """A head's loss of every sample, on the core of its first channels."""
        chip = self._target.chip
        grid, profile, lanes = layer.grid, layer.profile, self._target.arrays.lanes
        step = profile.steps - 1 if self._schedule.by_step else 0
        passes = (profile.steps + LOSS_PASSES) * -(-prod(profile.layer.pooled_shape) // lanes)
        each = (passes + self._target.arrays.depth) * chip.core.period_ps
        outputs = self._outputs[profile.layer.index, step]
        self._returns[profile.layer.index] = self._zeros()
        part = _Part(grid, group, 1)
        cores = list(grid.cores)
        cost = np.full(len(cores), each)
        ready = part.ready(outputs + self._target.message_ps)
        ends = part.served(self._bp[cores], ready, cost)
        first = [part.neurons.channels[0] == 0 == part.neurons.rows[0] for part in grid.slices()]
        self._bp[cores] = np.where(first, ends[:, -1], self._bp[cores])
        part.put(self._returns[profile.layer.index], ends)

    def _backward_layer(self, layer: TimedLayer, group: Sequence[Span]) -> None:
        index, load, cores = layer.profile.layer.index, layer.load, list(layer.grid.cores)
        part = _Part(layer.grid, group, load.grad_samples)
        arrived = self._returns[index] + self._target.message_ps
        ready, begin = part.ready(arrived), float(arrived.min())
        unit = load.grad
        if layer.profile.waits_for_batch:
            ends = part.served(self._bp[cores], ready, load.grad * part.share)
            self._bp[cores] = ends.max() + 2 * self._target.message_ps
            ready, unit = np.zeros_like(ready), load.norm_grad
        walk = self._apart if layer.dY_through_dram else self._blocks
        ends = walk(layer, part, ready, unit)
        share = part.counts.sum() / (self._batch * _copies(layer.grid))
        late = self._through_dram(ends, begin, load.bp_bytes * share)
        late = max(late, begin + layer.gradients_ps * share - ends.max())
        self._bp[cores] += late
        wg = self._wg[cores]
        self._wg[cores] = wg + self._through_dram(wg, begin, load.wg_bytes * share / load.channels)
        for source in layer.profile.layer.predecessors:
            part.put(self._returns.setdefault(source, self._zeros()), ends + late)

    def _blocks(self, layer: TimedLayer, part: _Part, ready: Floats, unit: Floats) -> Floats:
        """GRAD and BP of a block of dY after the other; two are in the memory. Ends of BP."""
        load, cores, ends = layer.load, list(layer.grid.cores), np.zeros_like(ready)
        fp, bp, wg = self._fp[cores], self._bp[cores], self._wg[cores]
        before, last = self._freed[0][cores], self._freed[1][cores]
        for at in range(ready.shape[1]):
            share = part.counts[:, at] * part.share
            some = share > 0
            fp = fp + load.again * share
            again = np.where(load.again > 0, fp, 0.0)
            start = np.maximum.reduce([bp, ready[:, at], last if layer.whole else before, again])
            made = start + unit * share
            bp = np.where(some, made + load.bp * share, bp)
            wg = np.where(some, np.maximum(wg, made) + load.wg * share, wg)
            before, last = np.where(some, last, before), np.where(some, wg, last)
            ends[:, at] = bp
        self._fp[cores], self._bp[cores], self._wg[cores] = fp, bp, wg
        self._freed[0][cores], self._freed[1][cores] = before, last
        return ends

    def _apart(self, layer: TimedLayer, part: _Part, ready: Floats, unit: Floats) -> Floats:
        """GRAD of all samples, which leaves dY in DRAM; then BP and WG read it. Ends of BP."""
        load, cores = layer.load, list(layer.grid.cores)
        if load.again.any():
            again = part.served(self._fp[cores], np.zeros_like(ready), load.again * part.share)
            self._fp[cores], ready = again[:, -1], np.maximum(ready, again)
        made = part.served(self._bp[cores], ready, unit * part.share)
        saved = made + self._target.dram_latency_ps
        wg = part.served(self._wg[cores], saved, load.wg * part.share)
        ends = part.served(made[:, -1], saved, load.bp * part.share)
        self._bp[cores], self._wg[cores] = ends[:, -1], wg[:, -1]
        return ends

    def _exchanged(self, layer: TimedLayer, starts: Floats, share_ps: float, reach: int) -> Floats:
        """When all shares are there, by slice, if they are sent to ``reach`` replicas at a time.

        Who is nearer to the first receiver is a little ahead there, and more so at each one after.
        """
        chip, grid = self._target.chip, layer.grid
        way = hops(grid.cores, grid.cores[: grid.split.k], chip.mesh).max(axis=1)
        starts = starts + way * (chip.noc.router_stages + 1) * chip.noc.period_ps
        return exchanged(starts, share_ps, reach, grid, chip.mesh)

    def _reduced(self, layer: TimedLayer) -> Floats:
        """When every core has the dW of all replicas."""
        load, done = layer.load, self._wg[list(layer.grid.cores)]
        ends = done + load.sums
        ends = ends + self._through_dram(ends, float(done.min()), load.sums_bytes)
        if load.share_ps == 0.0:
            return ends
        starts = np.maximum(self._mesh, ends)
        times = self._exchanged(layer, starts, load.share_ps, int(load.reach))
        self._mesh = float(times.max())
        return times + self._target.message_ps

    def _update(self, layer: TimedLayer) -> None:
        """The update of a layer's weights; copies of new ones go to the other replicas."""
        load, cores = layer.load, list(layer.grid.cores)
        start = np.maximum(self._wg[cores], self._sums[layer.profile.layer.index])
        ends = start + load.update
        late = self._through_dram(ends, float(start.min()), load.update_bytes)
        self._wg[cores] = ends + late
        if load.copy_ps:  # piece by piece, each to all replicas
            times = self._exchanged(layer, start, load.copy_ps, len(cores))
            self._mesh = max(self._mesh, times.max(), ends.max()) + self._target.message_ps


def _copies(grid: Grid) -> int:
    """Slices that share the same samples."""
    return grid.split.k * grid.split.spatial
