"""What counting costs beside reading: ``python -m benchmarks.counting [JOB ...]``.

The floor is to read the tensors of an iteration once, packed as they are stored, and to count
their set bits. Above it stand the useful multiply-accumulates of every layer in FP, BP and WG, as
the laws count them, and all that the arrays of the default chip walk and skip: every block, tap
and tile by itself, each layer on one core. Times are of the processor, the least of some tries, in
ms. Drawn masks have no file: they are packed first, and reading them is a copy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.config.layers import load_chip
from tlm.counts.blocks import blocks
from tlm.counts.core_arrays import CoreArrays, arrays_of
from tlm.counts.layer_work import LayerWork
from tlm.counts.masks import Masks
from tlm.counts.passes import Passes
from tlm.laws.due.facts import Facts, facts_of
from tlm.laws.due.masks import PooledMasks
from tlm.laws.due.results import useful_due
from tlm.running.preparation import place_job
from tlm.running.request import RunRequest
from tlm.space.phase import Phase
from tlm.space.region import Block
from tlm.workload.bundled import bundled_names
from tlm.workload.file.layout import expected_bits
from tlm.workload.model import Layer, Recording, Workload

JOBS = (*bundled_names("training"), "s-resnet18[B=16,T=4]:like(cifar-sew)")
TRIES = 5
SET_BITS = np.array([bin(octet).count("1") for octet in range(256)], np.uint8)

Packed = NDArray[np.uint8]
Counted = dict[tuple[Phase, int], int]  # useful multiply-accumulates by phase and layer


def set_bits(packed: Packed) -> int:
    """How many bits are set."""
    count = getattr(np, "bitwise_count", SET_BITS.__getitem__)  # numpy 1 has none
    return int(count(packed).sum(dtype=np.int64))


def reader_of(workload: Workload, recording: Recording) -> Callable[[], list[Packed]]:
    """Reads the packed tensors of the last iteration, all of them."""
    if workload.activity != "recorded":
        kinds = (recording.spikes, recording.masks, recording.dU)
        tensors = [np.packbits(values) for kind in kinds for values in kind]
        return lambda: [tensor.copy() for tensor in tensors]
    names = [one.name for one in expected_bits(workload, len(workload.iterations) - 1).values()]

    def read() -> list[Packed]:
        with h5py.File(workload.path) as file:
            return [file[name][...] for name in names]

    return read


def walked(workload: Workload, recording: Recording, arrays: CoreArrays) -> Counted:
    """Useful multiply-accumulates as all tiles of all layers add up to them."""
    masks = Masks(workload, recording, sparse_norm=False)
    return {
        (phase, layer.index): sum(int(some.counts.useful.sum()) for some in passes)
        for layer in workload.layers
        for phase, passes in _passes(workload, layer, masks, arrays)
    }


def _passes(
    workload: Workload, layer: Layer, masks: Masks, arrays: CoreArrays
) -> Iterator[tuple[Phase, Iterator[Passes]]]:
    live = np.asarray(masks.dY(layer.index).any(axis=(2, 3, 4)))
    work = LayerWork(layer, masks, live, arrays)
    outputs, inputs = (0, layer.product_channels), (0, layer.in_shape[0])
    every_tile = outputs[1] * inputs[1] * layer.kernel[0] * layer.kernel[1]

    def cut(grid: tuple[int, int, int]) -> Sequence[Block]:
        samples, (_, rows, width) = (0, workload.batch), grid
        return list(blocks(samples, (0, rows), workload.steps, width, arrays.positions))

    products = cut(layer.product_shape)
    yield Phase.FP, work.forward(products, outputs, outputs, arrays.fp.cols, every_tile)
    yield Phase.WG, work.weight_gradient(products, outputs, outputs, inputs, arrays.wg.cols)
    if layer.producers:
        at_inputs = cut(layer.in_shape)
        yield Phase.BP, work.backward(at_inputs, outputs, inputs, arrays.bp.cols, every_tile)


def least_ms(action: Callable[[], Any]) -> float:
    """The least time of some tries."""
    times = []
    for _ in range(TRIES):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times) * 1e3


def _again(facts: Facts) -> Facts:
    """The same, with nothing made of its masks yet."""
    return replace(facts, masks=PooledMasks(facts.workload, facts.recording))


def facts_for(job: str) -> Facts:
    """A job placed on the default chip, multiplying the image of every step."""
    request = RunRequest(job, overrides=("mapping.static_input=every_step",), trace="off")
    placed = place_job(request)
    return facts_of(placed.plan, placed.recording)


def main(jobs: Sequence[str]) -> None:
    """Print a line for every job."""
    arrays = arrays_of(load_chip("neuromc-20").config)
    columns = ("MB", "read", "bits", "useful", "ratio", "tiles", "ratio")
    print(f"{'job':38}" + "".join(f"{column:>9}" for column in columns))
    for job in jobs:
        facts = facts_for(job)
        workload, recording = facts.workload, facts.recording
        read = reader_of(workload, recording)
        tensors = read()
        reading = least_ms(read)
        counting = least_ms(lambda tensors=tensors: [set_bits(tensor) for tensor in tensors])
        fresh = least_ms(lambda facts=facts: useful_due(_again(facts)))
        tiles = least_ms(lambda w=workload, r=recording: walked(w, r, arrays))
        if walked(workload, recording, arrays) != useful_due(facts):
            raise SystemExit(f"{job}: the two ways of counting differ")
        floor = reading + counting
        size = sum(tensor.nbytes for tensor in tensors) / 1e6
        print(
            f"{job:38}{size:9.2f}{reading:9.2f}{counting:9.2f}{fresh:9.1f}{fresh / floor:9.1f}"
            f"{tiles:9.1f}{tiles / floor:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or JOBS)
