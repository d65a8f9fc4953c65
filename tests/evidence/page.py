"""What the studies share: running a job quietly, their result files, and sections of a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tlm.running.folder import write_atomic
from tlm.running.runner import run_job
from tlm.trace.summary import Summary
from tlm.workload.model import Workload

DOCS = Path(__file__).resolve().parents[2] / "docs"
STUDIES = DOCS / "studies.md"
HEAD = (
    "# Studies\n\nWritten by the modules of `tests/evidence`; figures as CSV in `docs/studies/`.\n"
)


def simulate(
    workload: str | Workload,
    chip: str = "neuromc-20",
    overrides: Sequence[str] = (),
    weights: str = "dense",
) -> tuple[Summary, list[dict[str, str]]]:
    """Summary and energy rows of a run that must be ok; nothing is left behind."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = run_job(
            workload, chip=chip, overrides=overrides, out=out, trace="off", weights=weights
        )
        assert result.ok, (workload, chip, overrides, result.summary.broken)
        with (out / "energy.csv").open(newline="", encoding="utf-8") as stream:
            return result.summary, list(csv.DictReader(stream))


def update_csv(path: Path, keys: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Replace the rows of ``path`` whose ``keys`` are measured again; keep all others."""
    new = [{name: str(value) for name, value in row.items()} for row in rows]
    measured = {tuple(row[key] for key in keys) for row in new}
    old = read_csv(path) if path.exists() else []
    kept = [row for row in old if tuple(row[key] for key in keys) not in measured]
    merged = sorted(kept + new, key=lambda row: tuple(row[key] for key in keys))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(new[0]), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(merged)
    write_atomic(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """All rows of a result file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def replace_section(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the marks of section ``name``; a new section goes to the end."""
    begin, end = f"<!-- study: {name} -->", f"<!-- end: {name} -->"
    page = path.read_text(encoding="utf-8") if path.exists() else HEAD
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    after = rest.split(end, 1)[1]
    write_atomic(path, f"{before}{begin}\n{text.strip()}\n\n{end}{after}")
