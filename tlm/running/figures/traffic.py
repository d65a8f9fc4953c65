"""What went through DRAM and over the network."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.hardware.dram.channel import DramChannel
from tlm.storage.plan import Plan
from tlm.trace.summary import DramCommands, DramPart, NocPart


def dram_part(chip: Chip, plan: Plan) -> DramPart:
    """Bytes, bandwidth and commands of all channels, and what tensors the bytes are of."""
    bytes_read = sum(traffic.read_bytes for traffic in chip.traffic.values())
    bytes_written = sum(traffic.write_bytes for traffic in chip.traffic.values())
    tiles = [tile for engine in chip.engines for tile in engine.tiles]
    bytes_by_kind = plan.addresses.bytes_by_kind
    return DramPart(
        device=chip.config.dram.device,
        channels=len(chip.channels),
        bytes_read=bytes_read,
        bytes_written=bytes_written,
        peak_gb_s=chip.timing.peak_bytes_per_ps * 1000 * len(chip.channels),
        bandwidth_gb_s=(bytes_read + bytes_written) / chip.env.now * 1000,
        commands=_commands(chip),
        read_by_tensor=bytes_by_kind(run for tile in tiles for run in tile.reads),
        written_by_tensor=bytes_by_kind(run for tile in tiles for run in tile.writes),
    )


def _commands(chip: Chip) -> DramCommands | None:
    """Counts of all controllers; None for the ideal model, which has none."""
    counters = [channel.counters for channel in chip.channels if isinstance(channel, DramChannel)]
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
