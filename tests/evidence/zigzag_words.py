"""ZigZag's DRAM words of ResNet-18's convolutions, as a CSV on standard output.

Runs in an environment of its own (``pip install zigzag-dse==3.9.1 six``), on nothing of this
project: ``python tests/evidence/zigzag_words.py > traces/reference/mapping/zigzag.csv``.
"""

import logging
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOOPS = (6, 7)  # that ZigZag's search puts in order; 6 is its default, each more takes far longer
MEMORIES = {"4 Mib": 4 << 20, "256 Kib": 256 << 10}
# layer, times, input channels, output channels, kernel, stride, padding, rows of the input
LAYERS = (
    ("conv0", 1, 3, 64, 7, 2, 3, 224),
    ("conv1", 4, 64, 64, 3, 1, 1, 56),
    ("conv5", 1, 64, 128, 1, 2, 0, 56),
    ("conv6", 1, 64, 128, 3, 2, 1, 56),
    ("conv7", 3, 128, 128, 3, 1, 1, 28),
    ("conv10", 1, 128, 256, 1, 2, 0, 28),
    ("conv11", 1, 128, 256, 3, 2, 1, 28),
    ("conv12", 3, 256, 256, 3, 1, 1, 14),
    ("conv15", 1, 256, 512, 1, 2, 0, 14),
    ("conv16", 1, 256, 512, 3, 2, 1, 14),
    ("conv17", 3, 512, 512, 3, 1, 1, 7),
)
HEAD = ("memory", "layer", "times", "inputs", "outputs", "kernel", "stride", "padding", "size",
        "inputs_words", "weights_words", "outputs_words", "sums_words")  # fmt: skip


def port(kind: str, width: int, *allocation: str) -> dict[str, Any]:
    """A memory port; ``allocation`` names operands and directions as ZigZag does."""
    name = {"read": "r", "write": "w", "read_write": "rw"}[kind] + "_port_1"
    return {"name": name, "type": kind, "bandwidth_min": 16, "bandwidth_max": width,
            "allocation": list(allocation)}  # fmt: skip


def memory(bits: int, operands: list[str], cost: float, ports: list[dict[str, Any]],
           array: tuple[str, ...] = ("D1", "D2")) -> dict[str, Any]:  # fmt: skip
    """A memory whose every access costs ``cost``: only DRAM's matters to the search."""
    return {"size": bits, "r_cost": cost, "w_cost": cost, "area": 0, "latency": 1,
            "operands": operands, "ports": ports, "served_dimensions": list(array)}  # fmt: skip


def core(spikes: int) -> dict[str, Any]:
    """One core of the preset: array, weight register, buffer and stage, inputs, partial sums."""

    def in_and_out(operand: str, width: int) -> list[dict[str, Any]]:
        read = port("read", width, f"{operand}, tl")
        return [read, port("write", width, f"{operand}, fh")]

    sums = [port("read", 256, "O, tl", "O, th"), port("write", 256, "O, fh", "O, fl")]
    everything = [f"{operand}, {way}" for operand in ("I1", "I2") for way in ("fh", "tl")]
    everything += [f"O, {way}" for way in ("fh", "tl", "fl", "th")]
    memories = {
        "weight_register": memory(16, ["I2"], 1e-6, in_and_out("I2", 16), ()),
        "weight_buffer": memory(18 << 10, ["I2"], 1e-5, in_and_out("I2", 4096)),
        "weight_stage": memory(768 << 10, ["I2"], 1e-4, in_and_out("I2", 4096)),
        "inputs": memory(spikes // 2, ["I1"], 1e-4, in_and_out("I1", 256)),
        "partial_sums": memory(64 << 10, ["O"], 1e-5, sums),
        "dram": memory(10**11, ["I1", "I2", "O"], 100.0, [port("read_write", 4096, *everything)]),
    }
    array = {"unit_energy": 0, "unit_area": 0, "dimensions": ["D1", "D2"], "sizes": [16, 16]}
    return {"name": "core", "memories": memories, "operational_array": array}


def convolution(layer: tuple[Any, ...]) -> list[dict[str, Any]]:
    """A layer as a ZigZag workload of 16-bit words, one sample."""
    name, _, channels, outputs, kernel, stride, padding, size = layer
    rows = (size + 2 * padding - kernel) // stride + 1
    after = (rows - 1) * stride + kernel - size - padding  # what of the padding below is read
    return [{
        "id": 0, "name": name, "operator_type": "Conv",
        "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
        "dimension_relations": [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"],
        "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
        "loop_sizes": [1, outputs, channels, rows, rows, kernel, kernel],
        "operand_precision": {"W": 16, "I": 16, "O": 16, "O_final": 16},
        "operand_source": {"I": 0, "W": 0},
        "pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [size, size],
        "padding": [[padding, after]] * 2,
    }]  # fmt: skip


MAPPING = [{
    "name": "default", "spatial_mapping": {"D1": ["C, 16"], "D2": ["K, 16"]},
    "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
}]  # fmt: skip


def words(layer: tuple[Any, ...], spikes: int) -> tuple[int, ...]:
    """DRAM words of the best mapping; the longer search is run where the shorter leaves a gap."""
    moved = searched(layer, spikes, LOOPS[0])
    if sum(moved) > least(layer):
        moved = min(moved, searched(layer, spikes, LOOPS[1]), key=sum)
    return moved


def least(layer: tuple[Any, ...]) -> int:
    """Words of all that a layer reads and writes, each once."""
    _, _, channels, outputs, kernel, stride, padding, size = layer
    rows = (size + 2 * padding - kernel) // stride + 1
    read = rows if kernel < stride else size
    return channels * (read**2 + outputs * kernel**2) + outputs * rows**2


def searched(layer: tuple[Any, ...], spikes: int, loops: int) -> tuple[int, ...]:
    """DRAM words of inputs, weights, outputs, and partial sums, of the cheapest mapping."""
    import yaml
    from zigzag.api import get_hardware_performance_zigzag
    from zigzag.hardware.architecture.memory_port import DataDirection
    from zigzag.mapping.data_movement import DataMoveAttr

    with TemporaryDirectory() as folder:
        files = []
        for stem, data in (("layer", convolution(layer)), ("core", core(spikes)), ("map", MAPPING)):
            files.append(f"{folder}/{stem}.yaml")
            Path(files[-1]).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        _, _, results = get_hardware_performance_zigzag(
            *files, opt="energy", lpf_limit=loops, dump_folder=folder, loma_show_progress_bar=False
        )
    moved = {
        str(operand): levels[-1].get_attribute(DataMoveAttr.DATA_ELEM_MOVE_COUNT)
        for operand, levels in results[0][1][0][0].mapping.unit_mem_data_movement.items()
    }
    read = {operand: moved[operand].get(DataDirection.RD_OUT_TO_LOW) for operand in moved}
    written = moved["O"].get(DataDirection.WR_IN_BY_LOW)
    outputs = written - read["O"]
    return read["I"], read["W"], outputs, 2 * read["O"]


def main() -> None:
    """Search every layer with both memories; one row at a time, for it takes minutes."""
    logging.disable(logging.CRITICAL)
    print(",".join(HEAD))
    for (name, spikes), layer in product(MEMORIES.items(), LAYERS):
        print(",".join(map(str, (name, *layer, *words(layer, spikes)))))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
