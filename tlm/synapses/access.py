"""The accesses of a pass over all synapses of a matrix, table by table, and the controller's walk.

A forward pass takes every synapse once, a backward pass takes them from the outputs and updates
their weights. How the controller of Schaefer et al. (ISCAS 2020, arXiv 2003.11639) walks its tables
is not published. Its energies say how often they are accessed: each rule below names what it
follows from, in cells of the authors' table at 784 x 128. Of Loihi and N:M no energies are
published: assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlm.errors import ConfigError
from tlm.space.rounding import ceil_div
from tlm.synapses.bitmap import Bitmap
from tlm.synapses.crossbar import Crossbar
from tlm.synapses.csr import CompressedRows
from tlm.synapses.loihi import Loihi
from tlm.synapses.matrix import SynapseCounts
from tlm.synapses.organisation import named
from tlm.synapses.packing import index_bits
from tlm.synapses.pointers import pointer_table
from tlm.synapses.structured import Structured
from tlm.synapses.tables import SynapseTable

BITMAP_WORD = 8
"""Bits of a word of a bitmap: PB-BMP adds 0.81 pJ a position to a crossbar, backward 6.4 pJ."""


@dataclass(frozen=True)
class TableAccess:
    """Reads and writes of a table, in the ``memory`` that holds it."""

    memory: SynapseTable
    reads: int
    writes: int = 0


@dataclass(frozen=True)
class SynapsePass:
    """A pass: its accesses, and the positions, synapses and rows that the controller steps over.

    In a convolution a position is a tap of a window and a row is a window.
    """

    accesses: tuple[TableAccess, ...]
    positions: int
    synapses: int
    rows: int


@dataclass(frozen=True)
class SynapsePasses:
    """Both passes, and the ``controller`` that walks them: an entry of the table of cycles."""

    controller: str
    forward: SynapsePass
    backward: SynapsePass


def passes(organisation: str, matrix: SynapseCounts) -> SynapsePasses:
    """Both passes over the synapses of a matrix in an organisation.

    Raises:
        ConfigError: there is no organisation of that name, or no accesses of it are known.
    """
    layout = named(organisation)
    if isinstance(layout, Crossbar):
        return _crossbar(matrix)
    if isinstance(layout, Bitmap):
        return _bitmap(matrix)
    if isinstance(layout, CompressedRows):
        return _compressed(matrix)
    if isinstance(layout, Loihi):
        return _loihi(layout, matrix)
    if isinstance(layout, Structured):
        return _structured(layout, matrix)
    raise ConfigError(f'no accesses are known of the organisation "{organisation}"')


def _crossbar(matrix: SynapseCounts) -> SynapsePasses:
    """Every place is read, in the backward pass read and written."""
    places = matrix.inputs * matrix.outputs
    weights = SynapseTable("weights", places, matrix.width)
    return SynapsePasses(
        "crossbar",
        SynapsePass((TableAccess(weights, places),), places, places, 0),
        SynapsePass((TableAccess(weights, places, places),), places, places, 0),
    )


def _bitmap(matrix: SynapseCounts) -> SynapsePasses:
    """Forward: words of a row's bits, and the weights of set bits.

    Backward: a column has one bit in the words of every row, so each bit takes a read; a weight is
    read with it, before the bit is known, and written if it is set. (At a density of 0.25 energies
    are those of a read of the bitmap and of one of the weights for every position.)
    """
    places, synapses = matrix.inputs * matrix.outputs, matrix.synapses
    words = matrix.inputs * ceil_div(matrix.outputs, BITMAP_WORD)
    bitmap = SynapseTable("bitmap", words, BITMAP_WORD)
    rows = TableAccess(pointer_table("rows", matrix.inputs, synapses), matrix.inputs)
    weights = SynapseTable("weights", synapses, matrix.width)
    forward = (TableAccess(bitmap, words), rows, TableAccess(weights, synapses))
    backward = (TableAccess(bitmap, places), rows, TableAccess(weights, places, synapses))
    return SynapsePasses(
        "pb-bmp",
        SynapsePass(forward, places, synapses, matrix.inputs),
        SynapsePass(backward, places, synapses, matrix.inputs),
    )


def _compressed(matrix: SynapseCounts) -> SynapsePasses:
    """Forward: the index and the weight of every entry, one after the other.

    Backward: inputs are counted through for every output, and the next entry of the reverse table
    is read at each to compare; where it is that input's, the weight is read and written. (The term
    of every position holds at every density.) Entries of both tables cost as those of a weight and
    an index into the larger side: energies at 2, 4, 8 and 12 bits are those of two reads of a
    memory of n (b + 10) bits.
    """
    inputs, outputs, synapses = matrix.inputs, matrix.outputs, matrix.synapses
    width = matrix.width + index_bits(max(inputs, outputs))
    entries = SynapseTable("forward", synapses, width)
    forward = (
        TableAccess(entries, 2 * synapses),
        TableAccess(pointer_table("forward_pointers", inputs, synapses), inputs),
    )
    backward = (
        TableAccess(SynapseTable("reverse", synapses, width), inputs * outputs),
        TableAccess(entries, synapses, synapses),
        TableAccess(pointer_table("reverse_pointers", outputs, synapses), outputs),
    )
    return SynapsePasses(
        "pb-csr",
        SynapsePass(forward, inputs * outputs, synapses, inputs),
        SynapsePass(backward, inputs * outputs, synapses, outputs),
    )


def _loihi(layout: Loihi, matrix: SynapseCounts) -> SynapsePasses:
    """Every word once; there is no reverse table, so a backward pass walks and writes the same."""
    words, axons = layout.tables(matrix)
    entries = matrix.synapses if layout.is_sparse else matrix.inputs * matrix.outputs
    return _listed(words, axons, entries, matrix.inputs)


def _structured(layout: Structured, matrix: SynapseCounts) -> SynapsePasses:
    """Every place and its index once; a backward pass finds the places of an output at a stride."""
    weights, indices = layout.tables(matrix)
    return _listed(weights, indices, weights.words, 0)


def _listed(weights: SynapseTable, beside: SynapseTable, entries: int, rows: int) -> SynapsePasses:
    """All words of two tables, of which a backward pass writes ``weights``; cycles as PB-CSR.

    Nothing is searched, so that no position takes a cycle.
    """
    read = TableAccess(beside, beside.words)
    forward = (TableAccess(weights, weights.words), read)
    backward = (TableAccess(weights, weights.words, weights.words), read)
    return SynapsePasses(
        "pb-csr", SynapsePass(forward, 0, entries, rows), SynapsePass(backward, 0, entries, rows)
    )
