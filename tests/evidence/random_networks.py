"""Random networks, recorded, verified and run: `python -m tests.evidence.random_networks`.

Needs the extra ``capture`` and the compiled kernel. Seeds measure these networks alone.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.evidence.networks import PAGE, job_macs, torch_macs
from tests.evidence.page import DOCS, read_csv, replace_section, update_csv
from tests.reliability.kernels import differences_of
from tests.workload.nets.drawn import Drawn, capture_of, loss
from tests.workload.nets.parts import recorded
from tlm.errors import CaptureWarning, WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Workload

RESULTS = DOCS / "studies" / "random_networks.csv"
SEEDS = range(200)
OK = "ok"


def measured(seed: int) -> dict[str, str]:
    """A row: the structures of network ``seed``, and what recording and running it said.

    Raises AssertionError if what was recorded is not what the golden model or torch makes of it.
    """
    torch.manual_seed(seed)
    net = Drawn(seed)
    row = {
        "seed": f"{seed:03}",
        "structures": "; ".join(sorted(net.context.notes)),
        "torch_macs": str(torch_macs(net, net.frames)),
        "record": OK,
        **dict.fromkeys(("layers", "macs", "run"), ""),
    }
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", CaptureWarning)  # of layers that never fire
        try:
            job = recorded(net, net.frames, Path(folder), loss, capture_of(net))
        except WorkloadError as error:
            return row | {"record": re.sub(r"^\S+\.py:\d+: ", "", str(error))}
        row |= {"layers": str(len(job.layers)), "macs": str(job_macs(job))}
        return row | {"run": run(job, Path(folder))}


def run(job: Workload, folder: Path) -> str:
    """What runs on the default chip say: ok if all laws hold and both kernels leave the same bytes.

    Else the laws that are broken, what differs, or the refusal.
    """
    try:
        results = [
            run_job(str(job.path), out=folder / kernel, kernel=kernel)
            for kernel in ("simpy", "compiled")
        ]
    except WorkloadError as error:
        return str(error)
    broken = dict.fromkeys(law for result in results for law in result.summary.broken)
    if broken:
        return f"broken: {', '.join(broken)}"
    different = differences_of(*results)
    return f"kernels differ: {', '.join(different)}" if different else OK


def section(rows: Iterable[Mapping[str, str]]) -> str:
    """The counts and tables of the page."""
    return "\n".join(_lines(list(rows)))


def _lines(rows: list[Mapping[str, str]]) -> Iterator[str]:
    kept = [row for row in rows if row["record"] == OK]
    alike = sum(row["macs"] == row["torch_macs"] for row in kept)
    ran = sum(row["run"] == OK for row in kept)
    yield (
        f"Of {len(rows)} networks {len(kept)} are recorded and verified, {alike} of them with the "
        f"MACs that torch counts; {ran} run, with all laws holding and the same bytes on both "
        "kernels.\n"
    )
    yield "| refused by | because | networks |"
    yield "|---|---|---|"
    for refuser, lines in (
        ("the recorder", [row["record"] for row in rows]),
        ("the chip model", [row["run"] for row in kept]),
    ):
        causes = Counter(cause_of(line) for line in lines if line != OK)
        for cause, count in causes.most_common():
            yield f"| {refuser} | {cause} | {count} |"
    yield "\n| structure | drawn | recorded | run |"
    yield "|---|---|---|---|"
    for structure in sorted({name for row in rows for name in structures_of(row)}):
        having = [row for row in rows if structure in structures_of(row)]
        counts = (sum(row[said] == OK for row in having) for said in ("record", "run"))
        yield f"| {structure} | {len(having)} | {' | '.join(map(str, counts))} |"


def structures_of(row: Mapping[str, str]) -> list[str]:
    """What a network has."""
    return row["structures"].split("; ")


def cause_of(line: str) -> str:
    """A refusal without the names of files and layers, and without the remedy."""
    cause = line.partition(": ")[2].partition(";")[0].partition(", which the chip model")[0]
    return re.sub(r"^layer \S+ has |,? of layer \S+", "", cause)


def rows() -> list[dict[str, str]]:
    """The rows that are kept."""
    return read_csv(RESULTS)


def write_page() -> None:
    """Put the rows that are kept on the page."""
    replace_section(PAGE, "random_networks", section(rows()))


def main() -> None:
    """Measure the seeds named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, metavar="SEED")
    torch.set_num_threads(1)
    for seed in parser.parse_args().seeds or SEEDS:
        row = measured(seed)
        print(seed, row["record"], row["run"], flush=True)
        update_csv(RESULTS, ["seed"], [row])
    write_page()


if __name__ == "__main__":
    main()
