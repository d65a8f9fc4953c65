"""A trace as a Perfetto timeline: a track per engine, flows FP -> BP -> WG, bandwidth counters.

Perfetto counts in whole ns, so times are rounded down to ns; the exact ps are annotations of each
slice. Open the file at ui.perfetto.dev.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import TraceError
from tlm.space.phase import ENGINES
from tlm.space.trace_rows import ActivityRow, EngineState
from tlm.trace.dram_bytes import moved_nbytes
from tlm.trace.packets import link_nbytes, packets
from tlm.trace.reader import Trace
from tlm.trace.schema import PHASE_NAMES

WINDOWS = 1000  # samples of a bandwidth counter over the run
_SEQUENCE = 1  # the one writer of the file
_PS_PER_NS = 1000
_BEGIN, _END, _COUNTER = 1, 2, 4  # TrackEvent.Type
_DOINGS = {
    EngineState.COMPUTE: "computes",
    EngineState.STALL_DRAM: "waits for DRAM",
    EngineState.STALL_NOC: "waits for NoC",
    EngineState.STALL_WRITEBACK: "waits for write-back",
    EngineState.STALL_DEPENDENCY: "waits for other work",
    EngineState.NOT_BEGUN: "waits for its phase to begin",
    EngineState.IDLE: "idle",
}
_CHAIN = ("fp", "grad", "wg")  # phases that a sample's work of one layer passes, in this order


@dataclass(frozen=True, slots=True)
class _Tracks:
    """Identities of tracks: cores, then units, then counters."""

    core: dict[str, int]
    unit: dict[int, int]


def write_perfetto(
    trace: Trace, chip: ChipConfig, layers: Mapping[int, str], file: IO[bytes]
) -> None:
    """Write the timeline, packet by packet, so that size is bounded by the disk alone.

    ``layers`` are their names by number, as far as they are known.

    Raises:
        TraceError: the extra ``timeline`` is not installed.
    """
    writer = stream(file)
    tracks = _describe(trace, writer)
    flows = _flows(trace)
    for unit, track in tracks.unit.items():
        chosen = np.flatnonzero(trace.activity["unit"] == unit)
        rows = [ActivityRow._make(row) for row in trace.activity[chosen].tolist()]
        for edge in track_edges(rows, [flows.get(i, []) for i in chosen.tolist()], layers):
            write_edge(writer, track, edge)
    _counters(trace, chip, writer, first=1 + max([*tracks.core.values(), *tracks.unit.values()]))


def stream(file: IO[bytes]) -> Any:
    """A writer of packets; raises TraceError if the extra is not installed."""
    try:
        from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder
    except ImportError as error:
        raise TraceError(
            "export --perfetto needs the extra timeline: pip install perfetto"
        ) from error
    return StreamingTraceProtoBuilder(file)


def _describe(trace: Trace, writer: Any) -> _Tracks:
    """One group for each core, one track for each engine in it."""
    core: dict[str, int] = {}
    unit: dict[int, int] = {}
    for index, (path, kind) in enumerate(trace.units):
        if kind not in ENGINES:
            continue
        group = path.rpartition(".")[0]
        if group not in core:
            core[group] = 1 + len(core) + len(unit)
            write_track(writer, core[group], group)
        unit[index] = 1 + len(core) + len(unit)
        write_track(writer, unit[index], kind, core[group])
    return _Tracks(core, unit)


def write_track(writer: Any, uuid: int, name: str, parent: int = 0, unit: str = "") -> None:
    """A track, in a group if it has a parent; ``unit`` is what a counter counts."""
    packet = writer.create_packet()
    descriptor = packet.track_descriptor
    descriptor.uuid, descriptor.name = uuid, name
    if parent:
        descriptor.parent_uuid = parent
    if unit:
        descriptor.counter.unit_name = unit
    writer.write_packet(packet)


@dataclass(frozen=True, slots=True)
class SliceEdge:
    """The beginning of a slice, or its end if it has no name; ``span_ps`` is its exact extent."""

    time_ps: int
    name: str = ""
    flows: Sequence[int] = ()
    span_ps: tuple[int, ...] = ()


def track_edges(
    rows: Sequence[ActivityRow], flows: list[list[int]], layers: Mapping[int, str]
) -> Iterator[SliceEdge]:
    """Events of one track in order of time.

    An outer slice covers what belongs to one (phase, layer) in a row, inner ones its intervals.
    """
    outer: tuple[int, int] | None = None
    end = 0
    for row, row_flows in zip(rows, flows, strict=True):
        if row.what == EngineState.IDLE:
            continue
        if (row.phase, row.layer) != outer or row.begin != end:
            if outer is not None:
                yield SliceEdge(end)
            outer = (row.phase, row.layer)
            layer = layers.get(row.layer, f"layer {row.layer}")
            yield SliceEdge(row.begin, f"{PHASE_NAMES[row.phase].upper()} {layer}")
        yield SliceEdge(row.begin, _slice_name(row), row_flows, (row.begin, row.end))
        yield SliceEdge(row.end)
        end = row.end
    if outer is not None:
        yield SliceEdge(end)


def _slice_name(row: ActivityRow) -> str:
    """What an engine does, for which samples and steps of the mini-batch."""
    parts = [_DOINGS[EngineState(row.what)]]
    if row.sample >= 0:
        parts += [_span("sample", row.sample, row.samples), _span("step", row.step, row.steps)]
    return ", ".join(parts)


def _span(what: str, first: int, count: int) -> str:
    return f"{what} {first}" if count == 1 else f"{what}s {first} to {first + count - 1}"


def write_edge(writer: Any, track: int, edge: SliceEdge) -> None:
    """An event of a track."""
    packet = writer.create_packet()
    packet.timestamp = edge.time_ps // _PS_PER_NS
    packet.trusted_packet_sequence_id = _SEQUENCE
    event = packet.track_event
    event.type, event.track_uuid = (_BEGIN if edge.name else _END), track
    if edge.name:
        event.name = edge.name
    event.flow_ids.extend(edge.flows)
    for key, value in zip(("begin_ps", "end_ps"), edge.span_ps, strict=False):
        annotation = event.debug_annotations.add()
        annotation.name, annotation.int_value = key, value
    writer.write_packet(packet)


def _flows(trace: Trace) -> dict[int, list[int]]:
    """Flows of the activity rows that have any.

    One flow ties, for a core, layer and sample, the last FP interval, the last of the gradient
    unit and the first WG interval; blocks of samples that share all three share the flow.
    """
    rows = trace.activity
    core = [unit.path.rpartition(".")[0] for unit in trace.units]
    ends: dict[tuple[str, int, int], dict[str, int]] = {}
    computing = (rows["what"] == EngineState.COMPUTE) & (rows["sample"] >= 0)
    for index in np.flatnonzero(computing).tolist():
        row = ActivityRow._make(rows[index].tolist())
        name = PHASE_NAMES[row.phase]
        for sample in range(row.sample, row.sample + row.samples):
            chain = ends.setdefault((core[row.unit], row.layer, sample), {})
            if name in _CHAIN and not (name == _CHAIN[-1] and name in chain):
                chain[name] = index
    chains = dict.fromkeys(
        tuple(chain[name] for name in _CHAIN if name in chain) for chain in ends.values()
    )
    flows: dict[int, list[int]] = {}
    for number, chain_rows in enumerate(chains, 1):
        for index in chain_rows if len(chain_rows) > 1 else ():
            flows.setdefault(index, []).append(number)
    return flows


def _counters(trace: Trace, chip: ChipConfig, writer: Any, first: int) -> None:
    """Bandwidth of every DRAM channel and every mesh link that carries anything, in GB/s.

    None at level ``phase``: what was not recorded is not zero. See
    :func:`tlm.trace.dram_bytes.moved_nbytes` for when the bytes of a channel count.
    """
    rows = trace.transactions
    if not len(rows):
        return
    # Of a killed run the last activity may be missing although later transactions are there.
    end_ps = max(int(trace.activity["end"].max(initial=1)), int(rows["end_resp"].max()))
    edges = np.linspace(0, end_ps, WINDOWS + 1)
    series: dict[str, NDArray[np.float64]] = {}
    peak = load_dram_timing(chip.dram.device).peak_bytes_per_ps
    for unit in trace.unit_ids("dram").tolist():
        moved = moved_nbytes(rows[rows["target"] == unit], edges, peak)
        series[trace.units[unit].path] = moved[0] + moved[1]
    series |= link_nbytes(packets(trace, chip), chip, edges)
    gb_s = WINDOWS / end_ps * 1000  # bytes a window -> GB/s
    for uuid, (name, nbytes) in enumerate(series.items(), first):
        write_track(writer, uuid, name, unit="GB/s")
        for begin, value in zip(edges.tolist(), (nbytes * gb_s).tolist(), strict=False):
            packet = writer.create_packet()
            packet.timestamp = int(begin) // _PS_PER_NS
            packet.trusted_packet_sequence_id = _SEQUENCE
            packet.track_event.type, packet.track_event.track_uuid = _COUNTER, uuid
            packet.track_event.double_counter_value = value
            writer.write_packet(packet)
