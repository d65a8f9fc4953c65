"""``summary.json``: what the figures and tables of a run take from it, with its type checked.

The classes carry the keys of the file; keys that nothing here reads are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import TypeAdapter, ValidationError

from tlm.errors import TraceError


@dataclass(frozen=True)
class JobSummary:
    """The job that ran; ``steps`` is T, ``batch`` B, ``activity`` where its masks are from."""

    name: str
    sha256: str
    iteration: int
    batch: int
    steps: int
    dataset: str
    activity: str


@dataclass(frozen=True)
class SplitSummary:
    """How one layer is cut: parts by output channel, by sample and by row, and the cores used."""

    k: int
    batch: int
    spatial: int
    cores: int


@dataclass(frozen=True)
class ChipSummary:
    """The chip that ran it; ``splits`` by layer."""

    name: str
    cores: int
    noc_model: str
    dram_model: str
    energy_table: str
    splits: dict[str, SplitSummary]


@dataclass(frozen=True)
class PhaseSummary:
    """One phase: from its first tile to its last, and its computing time, summed over cores."""

    begin_ps: int
    end_ps: int
    computing_ps: int
    cores: int


@dataclass(frozen=True)
class TimeSummary:
    """Time of the iteration, and of each of its samples."""

    makespan_ps: int
    per_sample_ps: float
    phases: dict[str, PhaseSummary]


@dataclass(frozen=True)
class WorkSummary:
    """Work of one layer in one phase; a slot is one cycle of a whole array."""

    executed_slots: int


@dataclass(frozen=True)
class EnergySummary:
    """Energy of the iteration; ``assumed_share`` of it rests on assumed coefficients, 0..1."""

    total_pj: float
    assumed_share: float


@dataclass(frozen=True)
class EfficiencyFigures:
    """One efficiency, for the cores alone and for the whole chip, TFLOPS/W."""

    core: float
    chip: float


@dataclass(frozen=True)
class EfficiencySummary:
    """Efficiency with every operation counted, and with those that zeros do not spare."""

    dense_equivalent_tflops_w: EfficiencyFigures
    effective_tflops_w: EfficiencyFigures


@dataclass(frozen=True)
class DramSummary:
    """Traffic of all DRAM channels; bandwidths in GB/s (1e9 bytes)."""

    bytes_read: int
    bytes_written: int
    bandwidth_gb_s: float
    peak_gb_s: float

    @property
    def nbytes(self) -> int:
        """Both directions."""
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class NocSummary:
    """Flits that passed each link and port, by its name."""

    link_flits: dict[str, int]


@dataclass(frozen=True)
class BusyResource:
    """How busy a resource was (``use``, 0..1) and the chip values that change it (``knob``)."""

    resource: str
    use: float
    knob: str


LayerDensities: TypeAlias = dict[str, list[float] | float]
"""Of one layer: by tensor the density at each time step, and figures of the layer as a whole."""


@dataclass(frozen=True)
class SparsitySummary:
    """LayerDensities by layer."""

    layers: dict[str, LayerDensities]


@dataclass(frozen=True)
class RunSummary:
    """The summary of a run; ``broken`` says of each broken law how, ``work`` is by layer and phase.

    ``lower_bounds_ps`` are times that no run of this mapping can beat.
    """

    status: str
    checks: int
    broken: dict[str, str]
    workload: JobSummary
    chip: ChipSummary
    time: TimeSummary
    work: dict[str, dict[str, WorkSummary]]
    energy: EnergySummary
    efficiency: EfficiencySummary
    dram: DramSummary
    noc: NocSummary
    lower_bounds_ps: dict[str, int]
    busiest: list[BusyResource]
    sparsity: SparsitySummary


_SUMMARY = TypeAdapter(RunSummary)


def run_summary(document: object, path: Path) -> RunSummary:
    """The summary from the JSON document that was read from ``path``.

    Raises:
        TraceError: a key is missing, or its value has another type.
    """
    try:
        return _SUMMARY.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise TraceError(f"{path}: {key}: {first['msg'].lower()}; run the job again") from None
