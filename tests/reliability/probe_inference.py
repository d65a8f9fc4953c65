"""Inference of small and of bundled jobs that use every mechanism of it, run with all laws.

``python -m tests.reliability.probe_inference`` prints how the first that does not end ok ends.
"""

from __future__ import annotations

from tests.reliability import pairs, probe
from tests.reliability.probe import APART, SMALL, TIGHT
from tlm.workload.builder import Builder
from tlm.workload.bundled import open_workload
from tlm.workload.inference import STOPS
from tlm.workload.model import Pool, Workload
from tlm.workload.surrogate import lif_neuron

CHOSEN = ("default", "channels, pipelined, lanes, little memory", "wavefront")  # of the probe
CHIPS = {name: probe.CHIPS[name] for name in CHOSEN} | {
    "wide U": [*APART, "precision.membrane=fp32"],
    "inputs of some layers in DRAM": [
        *APART, "core.memory.spikes=6 Kib", "mapping.split=batch",
    ],
    "inputs of all layers in DRAM": [*APART, "core.memory.spikes=1 Kib"],
    "a pool for some weights": [
        *TIGHT, "core.memory.optimizer=8 Kib", "core.memory.gradients=2 Kib",
        "core.memory.spikes=8 Kib", "core.memory.partial_sums=4 Kib", "mapping.split=spatial",
    ],
    "a pool for some weights, channels cut": [
        *TIGHT, "core.memory.optimizer=50 Kib", "core.memory.gradients=2 Kib",
        "core.memory.spikes=8 Kib", "core.memory.partial_sums=4 Kib", "mapping.split=k",
    ],
}  # fmt: skip
BUNDLED = ("digits", "mnist-csnn-bn", "mnist-fc-t25")


def counted() -> Workload:
    """Two layers read the counts of average-pooled spikes; the last is a read-out."""
    net = Builder((3, 8, 8), lif_neuron(), analog=False)
    first = net.conv(20, 3, padding=1, pool=Pool.square("average", 2, 2))
    second = net.conv(20, 3, padding=1)
    net.linear(24, sources=(first, second))
    net.linear(5, readout=True)
    return probe.drawn("counts", net, 0.2)


JOBS = (probe.chain, probe.residual, probe.grouped, probe.pooled, counted)


def first_fault() -> str:
    """How the first job that is not ok ends, or nothing."""
    for stop in STOPS:
        small = [made() for made in JOBS]
        if stop == "first-spike":
            small = [job for job in small if job.layers[-1].neuron is not None]
        tried = [
            (job, name, [*SMALL, *chip], None) for job in small for name, chip in CHIPS.items()
        ]
        tried += [(open_workload(job), f"{batch or 'all'} samples", [], batch)
                  for job in BUNDLED for batch in (None, 3)]  # fmt: skip
        for job, name, chip, batch in tried:
            pair = pairs.Pair(chip, job, "recorded", "off", "dense", stop, batch)
            end, reason = pairs.outcome_apart(pair)
            if end != pairs.OK:
                return f"{job.name} until {stop} on {name}: {reason}"
    return ""


if __name__ == "__main__":
    print(first_fault() or "ok")
