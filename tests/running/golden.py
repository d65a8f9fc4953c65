"""Records ``traces/golden``: ``python -m tests.running.golden`` from the root of a clone."""

import shutil
import tempfile
from pathlib import Path

from tlm.running.runner import run_job

GOLDEN = Path(__file__).resolve().parents[2] / "traces" / "golden"
JOBS = ("mnist-fc", "mnist-csnn")
OPTIONS = ("noc.payload=4 KiB", "dram.interleave=4 KiB")  # few, large transactions: small files


def record() -> None:
    """Replace the golden traces (short payloads) and summaries (default chip) of all jobs."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for job in JOBS:
        with tempfile.TemporaryDirectory() as folder:
            traced = run_job(job, overrides=OPTIONS, out=Path(folder) / "traced")
            shutil.copyfile(traced.folder / "trace.h5", GOLDEN / f"{job}.h5")
            plain = run_job(job, out=Path(folder) / "plain", trace="off")
            shutil.copyfile(plain.folder / "summary.json", GOLDEN / f"{job}.summary.json")


if __name__ == "__main__":
    record()
