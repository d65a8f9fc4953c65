"""What recording costs beside a plain training iteration: `python -m tests.evidence.recording`.

Needs the extra ``capture`` and snnTorch. Each figure comes of a process of its own on one thread:
CPU seconds are the least of three, peak memory is what Linux says of the process. A plain iteration
is forward, backward and a step of SGD; recording it is `Capture(...)`, `at`, the same, and `save`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tests.evidence.networks import record
from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.workload.nets.catalogue import PUBLISHED, Published
from tests.workload.nets.samples import samples

RESULTS = DOCS / "studies" / "recording.csv"
PAGE = DOCS / "performance.md"
MEASURED = (
    ("CSNN", 2), ("CSNN", 16), ("TEBN VGG-9", 2), ("TEBN VGG-9", 16), ("TET VGG", 8),
    ("SEW-ResNet-18 ADD", 2), ("SEW-ResNet-18 ADD", 16), ("tdBN ResNet-19", 8),
    ("Spiking U-Net", 2), ("Spiking U-Net", 16), ("SpikeFPN detector", 8), ("Recurrent SNN", 4),
    ("Recurrent SNN", 64), ("snnTorch tutorial 5", 2), ("snnTorch tutorial 5", 64),
)  # fmt: skip
"""Networks and mini-batches B."""

_REPEATS = 3
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def measured(name: str, batch: int) -> dict[str, object]:
    """A row: CPU seconds and peak memory of both, each in a process of its own."""
    row: dict[str, object] = {"network": name, "T": PUBLISHED[name].steps, "B": batch}
    for how in ("plain", "recorded"):
        command = [sys.executable, "-m", "tests.evidence.recording", "--child", how, name]
        environment = {**os.environ, **_ONE_THREAD}
        child = subprocess.run(
            [*command, str(batch)], capture_output=True, text=True, check=True, env=environment
        )
        seconds, mebibytes = json.loads(child.stdout)
        row |= {f"{how}_s": f"{seconds:.3g}", f"{how}_mib": mebibytes}
    return row


def child(how: str, name: str, batch: int) -> tuple[float, int]:
    """CPU seconds of an iteration, plain or recorded, and peak memory in MiB of this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    published = replace(PUBLISHED[name], batch=batch)
    net, seen = published.build(False), samples(published, None, small=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
    with TemporaryDirectory() as folder:
        step = (
            _recorded(published, Path(folder) / "job.h5")
            if how == "recorded"
            else _plain(published)
        )
        seconds = []
        for _ in range(_REPEATS):
            optimizer.zero_grad()
            started = time.process_time()
            step(net, seen)
            optimizer.step()
            seconds.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return min(seconds), round(peak / 1024)


def _plain(published: Published) -> Callable[[Any, Any], None]:
    return lambda net, seen: published.loss(net(seen.inputs), seen.target).backward()


def _recorded(published: Published, path: Path) -> Callable[[Any, Any], object]:
    return lambda net, seen: record(published, net, seen, path)


def section(rows: Iterable[Mapping[str, str]]) -> str:
    """The table of the page."""
    lines = [
        "| network | T, B | plain, CPU-s | recorded | ratio | plain, MiB | recorded | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        seconds, memory = ((row[f"plain_{of}"], row[f"recorded_{of}"]) for of in ("s", "mib"))
        figures = [*seconds, _ratio(*seconds), *memory, _ratio(*memory)]
        lines.append(f"| {row['network']} | {row['T']}, {row['B']} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _ratio(plain: str, recorded: str) -> str:
    return f"{float(recorded) / float(plain):.1f}"


def rows() -> list[dict[str, str]]:
    """The rows that are kept, in the order of ``MEASURED``."""
    by_name = {(row["network"], int(row["B"])): row for row in read_csv(RESULTS)}
    return [by_name[each] for each in MEASURED]


def main() -> None:
    """Measure the networks named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *PUBLISHED], metavar="NETWORK")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        how, name, batch = arguments.child
        print(json.dumps(child(how, name, int(batch))))
        return
    for name, batch in MEASURED:
        if name in (arguments.names or PUBLISHED):
            row = measured(name, batch)
            print(row, flush=True)
            update_csv(RESULTS, ["network", "T", "B"], [row])
    replace_section(PAGE, "recording", section(rows()))


if __name__ == "__main__":
    main()
