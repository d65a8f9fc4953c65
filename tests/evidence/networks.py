"""Public networks, recorded, verified and run: `python -m tests.evidence.networks`.

Needs the extra ``capture`` and, for some, snnTorch, Norse and sinabs. ``--data DIR`` holds data
sets as for ``tlm record``; without it inputs are drawn. Names of networks measure these alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.workload.nets.catalogue import PUBLISHED, Published
from tests.workload.nets.parts import NEURONS
from tests.workload.nets.samples import Samples, samples
from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Workload
from tlm.workload.capture import Capture
from tlm.workload.model import Level

RESULTS = DOCS / "studies" / "networks.csv"
PAGE = DOCS / "networks.md"
_OURS = ("layers", "macs", "record_s", "run", "run_s")
"""What is known of a network that is recorded."""


def torch_macs(net: Any, inputs: Any) -> int:
    """Multiply-accumulates of one forward pass by torch's own counter, which counts two each."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(inputs)
    return int(counter.get_total_flops()) // 2


def job_macs(job: Workload) -> int:
    """Multiply-accumulates of a forward pass of all steps and samples, by the recorded layers."""
    return sum(layer.macs for layer in job.layers) * job.steps * job.batch


def record(
    published: Published, net: Any, seen: Samples, path: Path, level: Level = "bits"
) -> Workload:
    """One iteration of training, recorded and verified.

    Raises WorkloadError if it cannot be recorded.
    """
    capture = Capture(net, steps=published.steps, neurons=NEURONS, time_axis=published.time_axis)
    with capture.at(0):
        published.loss(net(seen.inputs), seen.target).backward()
    return capture.save(path, level=level, dataset=seen.title)


def measured(name: str, data: Path | None) -> dict[str, object]:
    """A row: what network ``name`` is, and what recording and running it said and took."""
    torch.manual_seed(0)
    published = PUBLISHED[name]
    net, seen = published.build(False), samples(published, data, small=False)
    row: dict[str, object] = dict.fromkeys(_OURS, "") | {
        "network": name,
        "source": published.source,
        "input": seen.title,
        "T": published.steps,
        "B": published.batch,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "torch_macs": torch_macs(net, seen.inputs),
        "record": "ok",
    }
    started = time.process_time()
    published.loss(net(seen.inputs), seen.target).backward()
    row["plain_s"] = _since(started)
    with TemporaryDirectory() as folder:
        started = time.process_time()
        try:
            job = record(published, net, seen, Path(folder) / "job.h5")
        except WorkloadError as error:
            return row | {"record": error}
        row |= {"layers": len(job.layers), "macs": job_macs(job), "record_s": _since(started)}
        started = time.process_time()
        row["run"] = run(job, Path(folder) / "run")
        row["run_s"] = _since(started) if str(row["run"]).startswith("ok") else ""
    return row


def _since(started: float) -> str:
    return f"{time.process_time() - started:.2g}"


def run(job: Workload, out: Path) -> str:
    """What a run on the default chip says: ok, the laws that are broken, or the refusal.

    A job of which inference alone runs is run so.
    """
    said = "ok"
    try:
        result = run_job(str(job.path), out=out, trace="off")
    except WorkloadError as error:
        if "--mode inference" not in str(error):
            return str(error)
        said = "ok in inference"
        result = run_job(str(job.path), out=out, trace="off", mode="inference")
    return said if result.ok else f"broken: {', '.join(result.summary.broken)}"


def section(rows: Iterable[Mapping[str, str]]) -> str:
    """The counts and the table of the page."""
    return "\n".join(_lines(list(rows)))


def _lines(rows: list[Mapping[str, str]]) -> Iterator[str]:
    ran, forward = (sum(row["run"] == said for row in rows) for said in ("ok", "ok in inference"))
    alike = sum(row["macs"] == row["torch_macs"] for row in rows)
    yield (
        f"Of {len(rows)} networks {sum(row['record'] == 'ok' for row in rows)} are recorded and "
        f"verified; with all laws holding {ran} run, and {forward} in inference alone. The MACs of "
        f"{alike} are those that torch counts.\n"
    )
    yield "| network | input | T, B | layers | parameters | MACs | run | CPU seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        seconds = [row[key] or "-" for key in ("plain_s", "record_s", "run_s")]
        yield (
            f"| {row['network']} | {row['input']} | {row['T']}, {row['B']} | {row['layers']} | "
            f"{int(row['parameters']):,} | {int(row['torch_macs']):,} | {_said(row)} | "
            f"{', '.join(seconds)} |"
        )
    yield "\n" + "\n".join(f"- **{row['network']}**: {row['source']}." for row in rows)


def _said(row: Mapping[str, str]) -> str:
    """What recording or running said, without what every refusal says."""
    said = row["run"] if row["record"] == "ok" else f"not recorded: {row['record']}"
    return said.removeprefix("job.h5: ").partition(", which the chip model does not run yet")[0]


def main() -> None:
    """Measure the networks named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *PUBLISHED], metavar="NETWORK")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names or PUBLISHED:
        row = measured(name, arguments.data)
        print(name, row["record"], row["run"], flush=True)
        update_csv(RESULTS, ["network"], [row])
    write_page()


def rows() -> list[dict[str, str]]:
    """The rows that are kept, in the order of the catalogue."""
    by_name = {row["network"]: row for row in read_csv(RESULTS)}
    return [by_name[name] for name in PUBLISHED]


def write_page() -> None:
    """Put the rows that are kept on the page."""
    replace_section(PAGE, "networks", section(rows()))


if __name__ == "__main__":
    main()
