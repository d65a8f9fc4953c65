"""Table of "Beside other mappers" on the page of mappings: DRAM words of FP beside ZigZag's.

``python -m tests.evidence.mappers`` places every convolution of ResNet-18 on one core, each alone,
as ``traces/reference/mapping/README.md`` describes it for ZigZag, and writes the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.evidence.page import DOCS, read_csv, replace_section
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.space.phase import Phase
from tlm.validation.markdown import table
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import DenseActivity
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job

REFERENCE = DOCS.parent / "traces" / "reference" / "mapping" / "zigzag.csv"
PAGE = DOCS / "mapping.md"
WORD_BYTES = 2
MEMORIES = ("4 Mib", "256 Kib")  # spike memory: for 16-bit inputs, and as in the preset
# One layer at a time: nothing stays in the core between two layers or two mini-batches.
APART = ("core.memory.sharing=separate", "mapping.state=spill", "mapping.parameters=spill")
KEPT = "rows that blocks share are kept, ZigZag fetches them again"
AGAIN = "weights beyond the stage come once a block"
STRIDE = "rows are read whole, and those between the strides too"
REASONS = {
    "conv0": KEPT,
    "conv1": KEPT,
    "conv5": STRIDE,
    "conv6": "of the weights that come again the stage keeps a part",
    "conv7": AGAIN,
    "conv10": STRIDE,
    "conv15": STRIDE,
}


@dataclass(frozen=True)
class Shape:
    """A convolution on a square image of ``size`` rows; it stands ``times`` in the network."""

    layer: str
    times: int
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    size: int

    @property
    def rows(self) -> int:
        """Rows of its output."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Words:
    """DRAM words of 16 bit by operand; ``sums``: partial sums that go out and come back."""

    inputs: int
    weights: int
    outputs: int
    sums: int = 0

    @property
    def all(self) -> int:
        """Words of all operands."""
        return self.inputs + self.weights + self.outputs + self.sums


def reference(memory: str) -> dict[Shape, Words]:
    """What ZigZag moves of each layer, with a spike memory of that size."""
    return {
        Shape(row["layer"], *(int(row[name]) for name in list(Shape.__annotations__)[1:])): Words(
            *(int(row[f"{name}_words"]) for name in Words.__annotations__)
        )
        for row in read_csv(REFERENCE)
        if row["memory"] == memory
    }


def chip_words(shape: Shape, memory: str) -> Words:
    """What a core of the preset moves in FP of that layer, dense, with 16-bit inputs.

    The layer reads the network's input; a read-out behind it makes it write what it computes.
    """
    net = Builder((shape.inputs, shape.size, shape.size), lif_neuron())
    net.conv(shape.outputs, shape.kernel, shape.stride, shape.padding)
    net.linear(1, readout=True)
    network = Network(shape.layer, tuple(net.layers), 1, 1, "direct", "a layer of ResNet-18")
    job = network_job(network, DenseActivity(), "dense")
    overrides = (*APART, f"core.memory.spikes={memory}")
    prepared = prepare(RunRequest(shape.layer, "neuromc-1", overrides, activity="ann"), job)
    weights = prepared.plan.layers[0].addressed.weights["W"]
    held = range(weights.address, weights.address + weights.nbytes)
    tiles = [
        tile
        for engines in prepared.program.tiles
        for tile in engines["fp"]
        if tile.layer == 0 and tile.phase == Phase.FP
    ]
    reads = [extent for tile in tiles for extent in tile.reads]
    return Words(
        sum(nbytes for address, nbytes in reads if address not in held) // WORD_BYTES,
        sum(nbytes for address, nbytes in reads if address in held) // WORD_BYTES,
        sum(nbytes for tile in tiles for _, nbytes in tile.writes) // WORD_BYTES,
    )


def line(shape: Shape, ours: Words, theirs: Words) -> tuple[str, ...]:
    """A row of the table: thousands of words, and the reason of a difference."""
    counts = (ours.inputs, ours.weights, ours.all, theirs.inputs, theirs.weights, theirs.sums,
              theirs.all)  # fmt: skip
    size = f"{shape.inputs} to {shape.outputs}, {shape.kernel} x {shape.kernel} / {shape.stride}"
    return (
        f"{shape.layer} ({shape.times})",
        f"{size}, {shape.size}",
        *(f"{count / 1000:,.0f}" for count in counts),
        f"{ours.all / theirs.all:.2f}",
        REASONS.get(shape.layer, ""),
    )


def section(memory: str) -> str:
    """The table of all layers, and the sum over the network's twenty convolutions."""
    theirs = reference(memory)
    ours = {shape: chip_words(shape, memory) for shape in theirs}
    rows = [line(shape, ours[shape], theirs[shape]) for shape in theirs]
    sums = [sum(shape.times * of[shape].all for shape in of) for of in (ours, theirs)]
    blank = ("", "")
    all_words = (f"{count / 1000:,.0f}" for count in sums)
    total = ("all 20", "", *blank, next(all_words), *blank, "", next(all_words))
    rows.append((*total, f"{sums[0] / sums[1]:.2f}", ""))
    head = ("layer (times)", "shape, rows", "inputs", "weights", "all", "ZigZag inputs", "weights",
            "sums", "all", "ratio", "why")  # fmt: skip
    return table(head, rows)


def main() -> None:
    """Write the table of the larger memory into the page; print both."""
    for memory in MEMORIES:
        text = section(memory)
        print(f"{memory}\n{text}")
        if memory == MEMORIES[0]:
            replace_section(PAGE, "mappers", text)


if __name__ == "__main__":
    main()
