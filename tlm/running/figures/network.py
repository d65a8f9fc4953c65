"""Whether the links of a run were busier than model ``packet`` is trusted to be right."""

from __future__ import annotations

from tlm.hardware.chip import Chip
from tlm.hardware.noc.packet_error import error_at, trusted_use

LEAST_TIME = 0.1  # assumed: share of a run for which links may be busier and nothing is said


def network_warnings(chip: Chip) -> list[str]:
    """One line where the busiest link was too busy for too long, with the error measured there."""
    noc = chip.config.noc
    limit = trusted_use(noc.vcs)
    busier = [stretch for stretch in chip.link_load.stretches if stretch.use >= limit]
    time_ps = sum(stretch.time_ps for stretch in busier)
    if noc.model != "packet" or time_ps < LEAST_TIME * chip.env.now:
        return []
    use = sum(stretch.time_ps * stretch.use for stretch in busier) / time_ps
    error = error_at(noc.vcs, use)
    return [
        f"noc.model=packet: for {time_ps / chip.env.now:.0%} of the time some link is busy "
        f"{limit:.0%} or more, {min(use, 1):.0%} on average; that busy, packets' latencies miss "
        f"those of BookSim2 by {error.median:.0%} (median) to {error.p90:.0%} (90th percentile); "
        "--set noc.model=router has finite buffers"
    ]
