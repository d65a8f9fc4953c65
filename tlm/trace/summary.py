"""``summary.json``: the figures of a finished run, a dataclass for each part.

The fields stand in the order of the file. Units are in the names: ``_ps``, ``_pj``, ``_gb_s``
(1e9 B/s); shares and rates are 0..1. Phases are named in lower case (``fp``, ``wg``), layers as in
the job, engines ``fp``, ``bp``, ``wg``. ``tlm.trace.summary_file`` writes and reads the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SCHEMA: Literal["tlm-summary"] = "tlm-summary"
SCHEMA_VERSION = 3


@dataclass(frozen=True)
class JobPart:
    """Which job was run; ``activity`` says where its masks come from.

    ``mode`` says whether all of a training iteration was run, or inference; ``steps_run`` are those
    of each sample, where samples stop by themselves.
    """

    name: str
    sha256: str
    iteration: int
    batch: int
    steps: int
    dataset: str
    accuracy: float | None
    activity: str
    mode: Literal["training", "inference"] = "training"
    steps_run: list[int] | None = None

    @property
    def unit(self) -> str:
        """What a run is one of: training iterations, or batches of inference."""
        return "iteration" if self.mode == "training" else "batch"


@dataclass(frozen=True)
class LayerSplit:
    """Into how many parts a layer is cut: output channels, samples, rows; on how many cores."""

    k: int
    batch: int
    spatial: int
    cores: int


@dataclass(frozen=True)
class ChipPart:
    """Which chip ran it, and how every layer was split over its cores.

    ``unsourced`` are the keys whose values have no provenance, be it a source or an assumption.
    """

    name: str
    cores: int
    noc_model: str
    dram_model: str
    energy_table: str
    splits: dict[str, LayerSplit]
    unsourced: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PhaseTime:
    """A phase from its first tile to its last; ``computing_ps`` is summed over engines."""

    begin_ps: int
    end_ps: int
    computing_ps: int
    cores: int


@dataclass(frozen=True)
class TimePart:
    """Time of the mini-batch, per sample, in clock cycles of a core, and by phase."""

    makespan_ps: int
    per_sample_ps: float
    core_cycles: float
    phases: dict[str, PhaseTime]


@dataclass(frozen=True)
class PhaseWork:
    """Exact work of one phase of one layer, summed over cores.

    Slots and multiply-accumulates are those of the dense loop nest; ``executed_slots`` are left
    after skipping; ``useful_macs`` have non-zero operands, a stored weight and a needed result.
    """

    tiles: int
    cycles: int
    slots: int
    executed_slots: int
    dense_macs: int
    useful_macs: int


@dataclass(frozen=True)
class EnergyPart:
    """Energy in pJ; the three breakdowns by part are dynamic energy, leakage stands apart.

    ``by_phase_pj`` and ``by_layer_pj`` have a key ``""`` or ``"-1"`` for what belongs to none;
    layers go by number. ``assumed_share`` rests on coefficients that no publication states.
    """

    total_pj: float
    dynamic_pj: float
    leakage_pj: float
    by_component_pj: dict[str, float]
    by_phase_pj: dict[str, float]
    by_layer_pj: dict[str, float]
    leakage_by_component_pj: dict[str, float]
    assumed_share: float


@dataclass(frozen=True)
class TflopsPerWatt:
    """Of boundary core (engines, buffers, units; FP to WG) and of the whole chip."""

    core: float
    chip: float


@dataclass(frozen=True)
class EfficiencyPart:
    """Three counts of FLOP over the energy of two boundaries; TFLOPS/W = FLOP/pJ.

    Dense-equivalent FLOP: 2 for every multiply-accumulate of the layers, by their shapes alone.
    Slot FLOP: 2 for every element of every slot of the arrays, executed or skipped, with the zeros
    that strides insert and what is computed twice, as the published figure counts. Effective FLOP:
    2 for every operation on non-zero operands with a needed result.
    """

    dense_equivalent_flop: int
    slot_flop: int
    effective_flop: int
    core_pj: float
    dense_equivalent_tflops_w: TflopsPerWatt
    slot_tflops_w: TflopsPerWatt
    effective_tflops_w: TflopsPerWatt
    dense_equivalent_tflops: float
    effective_tflops: float


@dataclass(frozen=True)
class SynapticPart:
    """Synaptic operations of FP: for each spike the weights that it has added up.

    ``analog_macs`` are those of layers that read values, not spikes. ``core_pj`` is the energy of
    engines, their buffers and units in FP; ``chip_pj`` that of all FP has done anywhere, with the
    leakage and refresh meanwhile; in inference of all. Per operation it is None if there is none.
    """

    operations: int
    analog_macs: int
    core_pj: float
    chip_pj: float
    core_pj_per_operation: float | None
    chip_pj_per_operation: float | None


@dataclass(frozen=True)
class EngineTime:
    """Shares of time, by state, of all engines of a kind; the most that one of them computes."""

    shares: dict[str, float]
    busiest: float
    cores_computing: int


@dataclass(frozen=True)
class DramCommands:
    """What the DRAM controllers counted, and the share of time each channel's bus was busy."""

    bursts_read: int
    bursts_written: int
    activates: int
    refreshes: int
    row_hit_rate: float
    busy_by_channel: list[float]


@dataclass(frozen=True)
class TensorBytes:
    """DRAM bytes of a class of tensor."""

    read: int
    written: int


@dataclass(frozen=True)
class DramPart:
    """Traffic of all DRAM channels in bytes, and its classes of tensor as they were moved.

    The fields of ``commands`` stand among the others in the file; the ideal model has none.
    ``by_layer`` goes by layer, phase and class of tensor. ``bounds`` are the bytes that the job
    takes by each of four ways to train it (``tlm.laws.dram_bounds``), by class of tensor, and
    ``least`` those that no plan on this chip can avoid (``tlm.laws.least_dram``).
    """

    device: str
    channels: int
    bytes_read: int
    bytes_written: int
    peak_gb_s: float
    bandwidth_gb_s: float
    commands: DramCommands | None
    read_by_tensor: dict[str, int]
    written_by_tensor: dict[str, int]
    by_layer: dict[str, dict[str, dict[str, TensorBytes]]]
    bounds: dict[str, dict[str, int]]
    least: int

    @property
    def nbytes(self) -> int:
        """Bytes read and written."""
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class NocPart:
    """Traffic of the network: transactions are DRAM's and core-to-core messages."""

    transactions: int
    message_bytes: int
    packets: int
    flit_hops: int
    busiest_link: str
    busiest_link_use: float
    link_flits: dict[str, int]


@dataclass(frozen=True)
class LayerDensity:
    """Measured densities of spikes S, surrogate masks m and dU, one per time step.

    Of a layer without neurons S and m are empty. ``zero_slices`` is the share of (step, sample)
    slices in which dU is all zero.
    """

    S: list[float]
    m: list[float]
    dU: list[float]
    zero_slices: float


@dataclass(frozen=True)
class SparsityPart:
    """Measured densities of the job's inputs and, by layer, of its recorded tensors."""

    inputs: float
    layers: dict[str, LayerDensity]


@dataclass(frozen=True)
class WeightsPart:
    """Which weights are not zero, by what ``rule``; how they are stored.

    By layer ``kept``, the share of weights that are not zero, their ``organisations``, and the
    ``bits`` of all their tables.
    """

    rule: str
    kept: dict[str, float]
    organisations: dict[str, str]
    bits: dict[str, int]


@dataclass(frozen=True)
class BusyResource:
    """A resource and the share of time it is busy, which says nothing of what more would gain."""

    resource: str
    use: float


@dataclass(frozen=True)
class AwaitedWork:
    """Work that a dependency waited for, as a share of all engines' time, on whichever core.

    ``core`` is the one that was waited for longest, ``core_share`` its part of ``share``.
    """

    phase: str
    layer: str
    share: float
    core: int
    core_share: float


@dataclass(frozen=True)
class Stall:
    """Share of all engines' time that is lost to one reason in one phase of one layer.

    ``awaited`` is what a dependency waited for, the largest shares first; empty otherwise.
    """

    phase: str
    layer: str
    reason: str
    share: float
    awaited: list[AwaitedWork]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All figures of a run; ``broken`` are the laws that do not hold, with what they found.

    ``weights`` stand there if some are zero, or not all have a place.
    ``warnings`` say which figures are odd although all laws hold (``tlm.running.figures.sanity``).

    ``work`` goes by layer and phase. ``busiest`` and ``stalls`` are sorted, largest first; no stall
    is the time before a phase began.
    ``lower_bounds_ps`` are times that no schedule of this work can beat.
    """

    status: Literal["ok", "invalid"]
    checks: int
    broken: dict[str, str]
    schema: Literal["tlm-summary"] = SCHEMA
    schema_version: int = SCHEMA_VERSION
    workload: JobPart
    chip: ChipPart
    time: TimePart
    work: dict[str, dict[str, PhaseWork]]
    energy: EnergyPart
    efficiency: EfficiencyPart
    synaptic: SynapticPart
    engines: dict[str, EngineTime]
    dram: DramPart
    noc: NocPart
    sparsity: SparsityPart
    weights: WeightsPart | None = None
    busiest: list[BusyResource]
    stalls: list[Stall]
    lower_bounds_ps: dict[str, int]
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every law holds."""
        return self.status == "ok"
