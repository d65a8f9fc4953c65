"""A few small jobs that between them use every mechanism of the model, run with all its laws.

``python -m tests.reliability.probe`` prints how the first of them ends that does not end ok.
"""

from __future__ import annotations

from dataclasses import replace

from tests.reliability import pairs
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.drawn.weights import parse_weights, weight_masks
from tlm.workload.model import Encoding, Norm, Pool, Recording, Workload
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job

SMALL = ["cores=4", "mesh.columns=2", "mesh.rows=2"]
# Every memory keeps data of its own kind, state and moments go through DRAM.
APART = ["core.memory.sharing=separate", "mapping.state=spill", "mapping.parameters=spill"]
# Pools in which some data stay for FP or BP of their layer alone, and two samples of dY alternate.
TIGHT = [
    "core.memory.weights=9 Kib", "core.memory.membrane=8 Kib", "core.memory.batch_norm=1 Kib",
    "core.memory.spike_gradients=1 Kib", "core.memory.accumulators=1 Kib",
]  # fmt: skip
CHIPS: dict[str, list[str]] = {
    "default": [],
    "memories apart": APART,
    "router, own clocks, batch": [
        "noc.model=router", 'core.clocks=["1-2: 400 MHz"]', "mapping.split=batch",
    ],
    "channels, pipelined, lanes, little memory": [
        *APART,
        "mapping.split=k+spatial", "mapping.schedule=pipelined", "mapping.state=recompute",
        "core.memory.accumulators=64 Kib", "core.memory.spikes=4 Kib", "dram.model=ideal",
        *(f"core.engines.{engine}.mode=element" for engine in ("fp", "bp", "wg")),
        "mapping.batch_norm=frozen", "core.queue_depth=1", "core.scan_slots=2",
    ],
    "rows, little memory of U, blocks of steps": [
        *APART,
        "mapping.split=spatial", "core.memory.membrane=8 Kib", "core.memory.partial_sums=4 Kib",
        "core.memory.gradients=8 Kib", "core.memory.accumulators=64 Kib",
        "mapping.static_input=every_step",  # U of the first layer is carried from block to block
    ],
    "pipelined, gradients in DRAM": [
        *APART,
        "mapping.schedule=pipelined", "mapping.batch_norm=frozen", "core.memory.gradients=4 Kib",
        "core.memory.accumulators=100 Kib", "mapping.split=spatial", "precision.partial_sum=fp32",
    ],
    "supply currents, CACTI, idle operands": [
        "dram.device=DDR4-2400", "dram.bus=64 bit", "dram.energy=currents", "energy=cacti28",
        "core.zero_operand_adds=false", "mapping.state=recompute", "mapping.split=spatial",
        "core.memory.weights=9 Kib", "core.memory.partial_sums=4 Kib",
    ],
    "wavefront": [
        *APART,
        "mapping.schedule=wavefront", "mapping.batch_norm=folded", "core.memory.membrane=2 Kib",
        "mapping.split=k",
    ],
    "a small pool": [
        "core.memory.batch_norm=16 Kib", "core.memory.spike_gradients=16 Kib",
        "core.memory.accumulators=16 Kib", "core.memory.optimizer=340 Kib",
        "mapping.split=spatial",
    ],
    "a pool that is too small, wavefront": [
        "core.memory.batch_norm=1 Kib", "core.memory.spike_gradients=1 Kib",
        "core.memory.accumulators=100 Kib", "core.memory.optimizer=1 Kib",
        "mapping.schedule=wavefront", "mapping.batch_norm=folded",
    ],
    "a pool for a turn, inputs in DRAM": [
        *TIGHT, "core.memory.optimizer=370 Kib", "core.memory.gradients=2 Kib",
        "core.memory.spikes=8 Kib", "core.memory.partial_sums=4 Kib", "mapping.split=spatial",
    ],
    "a pool for a turn, dY alternates": [
        *TIGHT, "core.memory.optimizer=400 Kib", "core.memory.gradients=1 Kib",
        "core.memory.partial_sums=4 Kib", "mapping.split=spatial",
    ],
    "a pool for a turn, channels cut": [
        *TIGHT, "core.memory.optimizer=410 Kib", "core.memory.gradients=40 Kib",
        "core.memory.partial_sums=8 Kib", "mapping.split=k", "precision.partial_sum=fp32",
    ],
    "bitmaps": [*APART, "core.weights.organisation=pb-bmp", "core.weights.rewired=0.3"],
    "compressed rows, of which others have copies": [
        "core.weights.organisation=pb-csr", "core.weights.rewired=0.2", "core.weights.lookups=3",
        "mapping.split=batch",
    ],
    "compressed rows, little memory": [
        *APART, "core.weights.organisation=pb-csr", "core.memory.membrane=8 Kib",
        "core.memory.accumulators=8 Kib", "core.memory.partial_sums=4 Kib",
        "core.memory.gradients=8 Kib", "mapping.split=spatial",
    ],
    "N:M, and bitmaps of a layer": [
        "core.weights.organisation=2:4", "core.weights.layers=[conv1=pb-bmp]",
        "core.zero_operand_adds=false", "mapping.split=k",
    ],
}  # fmt: skip
# Which weights are not zero, on chips that do not store all.
RULES = {
    "bitmaps": "density=0.3",
    "compressed rows, of which others have copies": "tiles=0.5",
    "compressed rows, little memory": "rows=0.5",
    "N:M, and bitmaps of a layer": "2:4",
}


def chain() -> Workload:
    """Two convolutions, one strided, and a linear layer; some gradients are zero throughout."""
    net = Builder((4, 9, 9), lif_neuron())
    net.conv(20, 3, padding=1, pool=Pool.square("max", 2, 2))
    net.conv(36, 3, stride=2)
    net.linear(5)
    return drawn("chain", net, 0.03)


def residual() -> Workload:
    """A sum of two branches behind batch normalisation, average-pooling and a read-out."""
    norm = Norm("batch", 1e-5, per_step=False)
    net = Builder((3, 6, 6), lif_neuron(), norm, analog=False)
    first = net.conv(20, 3, padding=1)
    second = net.conv(20, 3, padding=1)
    net.linear(36, sources=(first, second), input_pool=Pool.square("average", 2, 2), readout=True)
    return drawn("sum", net, 0.3)


def grouped() -> Workload:
    """A convolution of each channel alone."""
    net = Builder((4, 8, 8), lif_neuron(), analog=False)
    net.conv(12, 3, padding=1)
    net.conv(24, 3, stride=2, groups=12)
    net.linear(5)
    return drawn("groups", net, 0.2)


def pooled() -> Workload:
    """Max-pools of a sum: what is sent back says where in its window each gradient goes."""
    net = Builder((4, 8, 8), lif_neuron(), analog=False)
    first = net.conv(20, 3, padding=1)
    second = net.conv(20, 3, padding=1)
    net.linear(40, sources=(first, second), input_pool=Pool.square("max", 2, 2))
    return drawn("max-pool", net, 0.3)


def drawn(name: str, net: Builder, density: float) -> Workload:
    encoding: Encoding = "direct" if net.layers[0].input_kind == "analog" else "rate"
    network = Network(name, tuple(net.layers), 4, 3, encoding, "made up")
    return network_job(network, Bernoulli(density), f"bernoulli({density})")


def masks_on(job: Workload, chip: str) -> Recording:
    """The masks of a job with those weights that a chip runs it with."""
    masks = weight_masks(job, 0, parse_weights(RULES.get(chip, "dense")))
    return replace(job.load(0), weights=masks)


def first_fault() -> str:
    """How the first pair ends that is not ok, or nothing."""
    for job in (chain(), residual(), grouped(), pooled()):
        for name, chip in CHIPS.items():
            rule = RULES.get(name, "dense")
            pair = pairs.Pair([*SMALL, *chip], job, "recorded", "off", rule)
            end, reason = pairs.outcome_apart(pair)
            if end != pairs.OK:
                return f"{job.name} on {name}: {reason}"
    return ""


if __name__ == "__main__":
    print(first_fault() or "ok")
