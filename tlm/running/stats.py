"""stats.csv: the summary's figures one per line, for spreadsheets and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from tlm.laws import Check
from tlm.trace.summary import Summary

StatRow = tuple[str, str, str, str, str, object, str]


def stats_rows(summary: Summary, checks: list[Check]) -> Iterator[StatRow]:
    """(component, instance, phase, layer, metric, value, unit) of every counter."""
    yield ("chip", "", "", "", "makespan", summary.time.makespan_ps, "ps")
    for phase, time in summary.time.phases.items():
        for metric in ("begin_ps", "end_ps", "computing_ps"):
            yield ("chip", "", phase, "", metric.removesuffix("_ps"), getattr(time, metric), "ps")
    for layer, phases in summary.work.items():
        for phase, work in phases.items():
            for metric, value in asdict(work).items():
                unit = "cycle" if metric == "cycles" else "1"
                yield ("engines", "", phase, layer, metric, value, unit)
    for engine, engine_time in summary.engines.items():
        for reason, share in engine_time.shares.items():
            yield ("engines", engine, "", "", reason, share, "share of time")
    for metric in ("bytes_read", "bytes_written"):
        yield ("dram", "", "", "", metric, getattr(summary.dram, metric), "B")
    for link, flits in summary.noc.link_flits.items():
        yield ("noc", link, "", "", "flits", flits, "flit")
    for check in checks:
        yield ("invariant", check.name, "", "", "holds", int(check.holds), "1")
