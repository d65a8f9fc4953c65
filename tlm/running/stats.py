"""stats.csv: the summary's figures one a line, for spreadsheets and scripts."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.laws import Check
from tlm.running.summary import Json

StatRow = tuple[str, str, str, str, str, object, str]


def stats_rows(summary: Json, checks: list[Check]) -> Iterator[StatRow]:
    """(component, instance, phase, layer, metric, value, unit) of every counter."""
    yield ("chip", "", "", "", "makespan", summary["time"]["makespan_ps"], "ps")
    for phase, figures in summary["time"]["phases"].items():
        for metric in ("begin_ps", "end_ps", "computing_ps"):
            yield ("chip", "", phase, "", metric.removesuffix("_ps"), figures[metric], "ps")
    for layer, phases in summary["work"].items():
        for phase, figures in phases.items():
            for metric, value in figures.items():
                unit = "cycle" if metric == "cycles" else "1"
                yield ("engines", "", phase, layer, metric, value, unit)
    for engine, figures in summary["engines"].items():
        for reason, share in figures["shares"].items():
            yield ("engines", engine, "", "", reason, share, "share of time")
    for metric in ("bytes_read", "bytes_written"):
        yield ("dram", "", "", "", metric, summary["dram"][metric], "B")
    for link, flits in summary["noc"]["link_flits"].items():
        yield ("noc", link, "", "", "flits", flits, "flit")
    for check in checks:
        yield ("invariant", check.name, "", "", "holds", int(check.holds), "1")
