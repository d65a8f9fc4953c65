"""A walk over the encoded tables of a matrix, entry by entry, that counts every access.

It knows nothing of the formulas: it looks weights up in packed tables, checks itself by what it
finds there, and adds 1 to every weight that exists in the backward pass.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tlm.space.array_types import Ints
from tlm.synapses.access import BITMAP_WORD
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import named
from tlm.synapses.packing import index_bits, unpacked


@dataclass
class Memory:
    """Words of a table; each access is counted. Beyond its end there is nothing to read."""

    words: list[int]
    reads: int = 0
    writes: int = 0

    def read(self, place: int) -> int:
        self.reads += 1
        return self.words[place] if place < len(self.words) else -1

    def write(self, place: int, word: int) -> None:
        self.writes += 1
        self.words[place] = word


@dataclass
class Walked:
    """Weights by (input, output) as a pass met them, and the memories it walked."""

    weights: dict[tuple[int, int], int] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)

    def accesses(self) -> Counter[tuple[str, str]]:
        """Reads and writes by table; those of none are left out."""
        counts: Counter[tuple[str, str]] = Counter()
        for name, memory in self.memories.items():
            counts[name, "reads"] += memory.reads
            counts[name, "writes"] += memory.writes
        return +counts


def walk(organisation: str, matrix: SynapseMatrix, is_backward: bool) -> Walked:
    """A pass over all synapses of a matrix, in the tables that the organisation encodes."""
    encoded = named(organisation).encode(matrix)
    tables = {packed.table.name: unpacked(packed).tolist() for packed in encoded.contents}
    walker = {
        ("crossbar", False): _crossbar,
        ("crossbar", True): _crossbar_back,
        ("pb-bmp", False): _bitmap,
        ("pb-bmp", True): _bitmap_back,
        ("pb-csr", False): _compressed,
        ("pb-csr", True): _compressed_back,
    }[organisation, is_backward]
    return walker(tables, matrix)


Tables = dict[str, list[int]]


def _crossbar(tables: Tables, matrix: SynapseMatrix) -> Walked:
    weights = Memory(tables["weights"])
    met = Walked(memories={"weights": weights})
    for source in range(matrix.inputs):
        for target in range(matrix.outputs):
            met.weights[source, target] = weights.read(source * matrix.outputs + target)
    return met


def _crossbar_back(tables: Tables, matrix: SynapseMatrix) -> Walked:
    weights = Memory(tables["weights"])
    met = Walked(memories={"weights": weights})
    for target in range(matrix.outputs):
        for source in range(matrix.inputs):
            place = source * matrix.outputs + target
            weight = weights.read(place)
            weights.write(place, weight + 1)
            met.weights[source, target] = weight
    return met


def _bitmap_words(tables: Tables, matrix: SynapseMatrix) -> Memory:
    """Rows of bits, each padded to whole words."""
    bits = np.array(tables["bitmap"]).reshape(matrix.inputs, matrix.outputs)
    padded = np.pad(bits, ((0, 0), (0, -matrix.outputs % BITMAP_WORD)))
    powers = 1 << np.arange(BITMAP_WORD)
    return Memory((padded.reshape(-1, BITMAP_WORD) @ powers).tolist())


def _bitmap(tables: Tables, matrix: SynapseMatrix) -> Walked:
    bitmap, rows, weights = _bitmap_memories(tables, matrix)
    met = Walked(memories={"bitmap": bitmap, "rows": rows, "weights": weights})
    per_row, place = len(bitmap.words) // matrix.inputs, 0
    for source in range(matrix.inputs):
        end = rows.read(source)
        for index in range(per_row):
            word = bitmap.read(source * per_row + index)
            for bit in range(BITMAP_WORD):
                if word >> bit & 1:
                    met.weights[source, index * BITMAP_WORD + bit] = weights.read(place)
                    place += 1
        assert place == end
    return met


def _bitmap_back(tables: Tables, matrix: SynapseMatrix) -> Walked:
    """Column by column; the pointers of all rows are taken into counters first."""
    bitmap, rows, weights = _bitmap_memories(tables, matrix)
    met = Walked(memories={"bitmap": bitmap, "rows": rows, "weights": weights})
    per_row = len(bitmap.words) // matrix.inputs
    place = [0, *(rows.read(source) for source in range(matrix.inputs))]
    for target in range(matrix.outputs):
        for source in range(matrix.inputs):
            word = bitmap.read(source * per_row + target // BITMAP_WORD)
            weight = weights.read(place[source])
            if word >> target % BITMAP_WORD & 1:
                weights.write(place[source], weight + 1)
                met.weights[source, target] = weight
                place[source] += 1
    return met


def _bitmap_memories(tables: Tables, matrix: SynapseMatrix) -> Sequence[Memory]:
    return _bitmap_words(tables, matrix), Memory(tables["rows"]), Memory(tables["weights"])


def _compressed(tables: Tables, matrix: SynapseMatrix) -> Walked:
    """An entry's index and its weight are two reads."""
    entries, ends = Memory(tables["forward"]), Memory(tables["forward_pointers"])
    met = Walked(memories={"forward": entries, "forward_pointers": ends})
    place = 0
    for source in range(matrix.inputs):
        end = ends.read(source)
        while place < end:
            target = entries.read(place) >> matrix.width
            met.weights[source, target] = entries.read(place) & ((1 << matrix.width) - 1)
            place += 1
    return met


def _compressed_back(tables: Tables, matrix: SynapseMatrix) -> Walked:
    """Inputs are counted through for each output and compared with the next entry of its list."""
    entries, reverse = Memory(tables["forward"]), Memory(tables["reverse"])
    ends = Memory(tables["reverse_pointers"])
    met = Walked(memories={"forward": entries, "reverse": reverse, "reverse_pointers": ends})
    place_bits, cursor = index_bits(matrix.synapses), 0
    for target in range(matrix.outputs):
        end = ends.read(target)
        for source in range(matrix.inputs):
            entry = reverse.read(cursor)
            if cursor < end and entry >> place_bits == source:
                place = entry & ((1 << place_bits) - 1)
                word = entries.read(place)
                entries.write(place, word + 1)
                met.weights[source, target] = word & ((1 << matrix.width) - 1)
                cursor += 1
        assert cursor == end
    return met


def weights_of(matrix: SynapseMatrix, zeros_too: bool) -> dict[tuple[int, int], int]:
    """The stored codes of a matrix by (input, output), as two's complement."""
    stored: Ints = matrix.codes & ((1 << matrix.width) - 1)
    places = np.argwhere(np.ones_like(matrix.nonzero) if zeros_too else matrix.nonzero)
    return {(int(i), int(j)): int(stored[i, j]) for i, j in places}
