"""What a layer's weights take in every organisation, by width and density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlm.config.tables.synapse_memory import SynapseMemoryTable, load_synapse_memory
from tlm.errors import WorkloadError
from tlm.synapses.cost import SynapseCost, convolution_cost, synapse_cost
from tlm.synapses.functional import CONVOLUTION_NAMES, convolution_named
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import Organisation, named
from tlm.synapses.pruning import pruned_in_groups
from tlm.synapses.sources import WeightSource
from tlm.synapses.structured import Structured
from tlm.synapses.tables import SynapseTable, total_bits

CONVOLUTION = "conv "
"""Before the name of an organisation that computes the connectivity of a convolution."""

DEFAULT_NAMES = ("crossbar", "pb-bmp", "pb-csr", "2:4", "loihi", "loihi-dense")


@dataclass(frozen=True)
class MemorySize:
    """The tables of one organisation. ``density`` is what was asked for.

    ``synapses`` are the weights that are not zero; N:M may have to drop some of them. ``unfit``
    says why an organisation cannot hold them: there are no tables and no cost then.
    """

    organisation: str
    width: int
    density: float
    synapses: int
    tables: tuple[SynapseTable, ...]
    cost: SynapseCost | None = None
    is_smallest: bool = False
    unfit: str = ""

    @property
    def bits(self) -> int:
        """Bits of all tables."""
        return total_bits(self.tables)


def memory_sizes(
    source: WeightSource, widths: Sequence[int], densities: Sequence[float], names: Sequence[str]
) -> list[MemorySize]:
    """A row for each width, density and organisation; the smallest that drops nothing is marked.

    Without ``names`` all organisations are compared.

    Raises:
        ConfigError: a name is unknown.
        WorkloadError: the weights do not fit a width.
    """
    rows: list[MemorySize] = []
    constants, names = load_synapse_memory(), names or _all_names(source)
    for width in widths:
        for density in densities:
            matrix = source.matrix(width, density)
            group = [_size(source, matrix, density, name, constants) for name in names]
            rows += _marked(group, matrix.synapses)
    if all(row.unfit for row in rows):
        raise WorkloadError(rows[0].unfit)
    return rows


def _all_names(source: WeightSource) -> list[str]:
    names = [*DEFAULT_NAMES]
    if source.is_convolution:
        names += [CONVOLUTION + name for name in CONVOLUTION_NAMES]
    return names


def _size(
    source: WeightSource,
    matrix: SynapseMatrix,
    density: float,
    name: str,
    constants: SynapseMemoryTable,
) -> MemorySize:
    cost: SynapseCost | None
    if name.startswith(CONVOLUTION):
        kind, filters = name.removeprefix(CONVOLUTION), source.filters(matrix)
        tables = convolution_named(kind).tables(filters)
        unfit, cost = "", convolution_cost(kind, filters, constants)
    else:
        matrix, tables, unfit = _matrix_tables(matrix, named(name))
        cost = None if unfit else synapse_cost(name, matrix, constants)
    return MemorySize(name, matrix.width, density, matrix.synapses, tables, cost, unfit=unfit)


def _matrix_tables(
    matrix: SynapseMatrix, organisation: Organisation
) -> tuple[SynapseMatrix, tuple[SynapseTable, ...], str]:
    """What an organisation holds of a matrix, its tables, and why there are none."""
    if isinstance(organisation, Structured):
        codes = pruned_in_groups(matrix.codes, organisation.kept, organisation.group)
        matrix = SynapseMatrix(codes, matrix.width)
    try:
        return matrix, organisation.tables(matrix), ""
    except WorkloadError as error:
        return matrix, (), str(error)


def _marked(rows: list[MemorySize], synapses: int) -> list[MemorySize]:
    """Rows of one matrix, with the smallest marked of those that hold all its ``synapses``."""
    whole = [row for row in rows if not row.unfit and row.synapses == synapses]
    smallest = min(whole, key=lambda row: row.bits, default=None)
    return [replace(row, is_smallest=row is smallest) for row in rows]
