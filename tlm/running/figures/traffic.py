"""What went through DRAM and over the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tlm.hardware.chip import Chip
from tlm.hardware.core.dma import Traffic
from tlm.laws import bounds_by_class, least_nbytes
from tlm.space.phase import Phase
from tlm.space.tensor_class import tensor_class
from tlm.storage.plan import Plan
from tlm.trace.summary import DramCommands, DramPart, NocPart, TensorBytes
from tlm.workload.model import Recording


def dram_part(chip: Chip, plan: Plan, recording: Recording) -> DramPart:
    """Bytes, bandwidth and commands of all channels, and what tensors the bytes are of."""
    bytes_read = sum(traffic.read_bytes for traffic in chip.traffic.values())
    bytes_written = sum(traffic.write_bytes for traffic in chip.traffic.values())
    by_layer = _by_layer(chip, plan)
    rows = [row for phases in by_layer.values() for row in phases.values()]
    tensors = [pair for row in rows for pair in row.items()]
    return DramPart(
        device=chip.config.dram.device,
        channels=len(chip.channels),
        bytes_read=bytes_read,
        bytes_written=bytes_written,
        peak_gb_s=chip.timing.peak_bytes_per_ps * 1000 * len(chip.channels),
        bandwidth_gb_s=(bytes_read + bytes_written) / chip.env.now * 1000,
        commands=_commands(chip),
        read_by_tensor=_totals((name, nbytes.read) for name, nbytes in tensors),
        written_by_tensor=_totals((name, nbytes.written) for name, nbytes in tensors),
        by_layer=by_layer,
        bounds=bounds_by_class(plan.workload, plan.chip, recording),
        least=least_nbytes(plan.workload, plan.chip, recording),
    )


def _by_layer(chip: Chip, plan: Plan) -> dict[str, dict[str, dict[str, TensorBytes]]]:
    """Bytes that were moved, by the layer and phase that moved them and the class of tensor."""
    classes = [tensor_class(tensor.name) for tensor in plan.addresses.placed]
    layers: dict[str, dict[str, dict[str, TensorBytes]]] = {}
    for layer_plan in plan.layers:
        phases = layers.setdefault(layer_plan.layer.name, {})
        for phase in Phase:
            traffic = chip.traffic.get((phase, layer_plan.layer.index), Traffic())
            read = _totals((classes[at], n) for at, n in traffic.read_regions.items())
            written = _totals((classes[at], n) for at, n in traffic.written_regions.items())
            if read or written:
                phases[phase.name.lower()] = {
                    name: TensorBytes(read.get(name, 0), written.get(name, 0))
                    for name in sorted(read | written)
                }
    return layers


def _totals(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums by name, in the order of names; without those of nothing."""
    totals = Counter[str]()
    for name, amount in amounts:
        totals[name] += amount
    return {name: total for name, total in sorted(totals.items()) if total}


def _commands(chip: Chip) -> DramCommands | None:
    """Counts of all controllers; None for the ideal model, which has none."""
    counters = [channel.counters for channel in chip.controllers]
    if not counters:
        return None
    bursts = sum(counter.reads + counter.writes for counter in counters)
    row_hits = sum(counter.row_hits for counter in counters)
    return DramCommands(
        bursts_read=sum(counter.reads for counter in counters),
        bursts_written=sum(counter.writes for counter in counters),
        activates=sum(counter.activates for counter in counters),
        refreshes=sum(counter.refreshes for counter in counters),
        row_hit_rate=row_hits / bursts if bursts else 0.0,
        busy_by_channel=[counter.busy_ps / chip.env.now for counter in counters],
    )


def noc_part(chip: Chip) -> NocPart:
    """Transactions, packets and flits, and the use of the busiest link."""
    links = chip.network.all_links()
    busiest = max(links, key=lambda link: link.flits)
    return NocPart(
        transactions=sum(traffic.transactions for traffic in chip.traffic.values()),
        message_bytes=sum(traffic.message_bytes for traffic in chip.traffic.values()),
        packets=sum(port.packets for port in chip.network.injections),
        flit_hops=sum(link.flits for link in chip.network.links.values()),
        busiest_link=busiest.name,
        busiest_link_use=busiest.flits * chip.network.period_ps / chip.env.now,
        link_flits={link.name: link.flits for link in links},
    )
