"""A trace survives the death of its writer and a disk that is full."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tlm
import tlm.trace
from tlm.errors import TraceError
from tlm.trace import Trace, TraceWriter, disk_space, schema

SCRIPT = Path(__file__).with_name("endless_writer.py")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs SIGKILL, RLIMIT_FSIZE and posix_fallocate"
)


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(tlm.__file__).parents[1])}
    command = [sys.executable, str(SCRIPT), str(path), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def check_rows(trace: Trace) -> int:
    """Every committed row is the one written; returns how many transactions there are."""
    rows, activity = trace.transactions, trace.activity
    assert np.array_equal(rows["begin_req"], np.arange(len(rows)))
    assert np.array_equal(rows["address"], mixed(len(rows)))
    assert np.array_equal(activity["begin"], np.arange(len(activity)))
    assert np.array_equal(activity["task"], mixed(len(activity)) & 0x7FFF_FFFF)
    assert len(rows) % schema.CHUNK_ROWS == 0
    return len(rows)


def mixed(count: int) -> NDArray[np.int64]:
    """The pseudo-random numbers of endless_writer.py."""
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (x >> np.uint64(16)).astype(np.int64)


def kill_while_writing(path: Path, seed: int) -> int:
    """SIGKILL a writer at a random moment of its first quarter second; return the rows kept."""
    with start(path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 0.25))
        process.kill()
    with tlm.trace.open(path) as trace:
        assert not trace.complete
        return check_rows(trace)


def test_committed_rows_survive_sigkill(tmp_path: Path) -> None:
    """Four writers killed at random moments leave files whose committed rows are all right."""
    kept = [kill_while_writing(tmp_path / f"{seed}.h5", seed) for seed in range(4)]
    while max(kept) == 0 and len(kept) < 40:  # a busy machine wrote nothing in that time
        kept.append(kill_while_writing(tmp_path / f"{len(kept)}.h5", len(kept)))
    assert max(kept) > 0


@pytest.mark.slow
def test_committed_rows_survive_sigkill_often(tmp_path: Path) -> None:
    """The full form: sixty kills."""
    kept = [kill_while_writing(tmp_path / f"{seed}.h5", seed) for seed in range(60)]
    assert max(kept) > 0


@pytest.mark.parametrize("arguments", [(), ("unchecked",)], ids=["foreseen", "inside HDF5"])
def test_a_file_that_may_not_grow_ends_the_trace_not_the_run(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """At a file size limit the writer says disk-full, exits cleanly and keeps what it committed."""
    path = tmp_path / "t.h5"
    with start(path, str(6_000_000), *arguments) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.split() == ["ready", "disk-full"]
    with tlm.trace.open(path) as trace:
        assert not trace.complete
        assert check_rows(trace) > 0


def test_a_nearly_full_disk_ends_the_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is left for the summary: tracing stops before the disk is full, rows are dropped."""
    attrs = dict.fromkeys(schema.RUN_ATTRIBUTES, "x")
    writer = TraceWriter(tmp_path / "t.h5", "phase", attrs, "", [("chip.x", "fp")])
    total = disk_space.shutil.disk_usage(tmp_path)._replace(free=disk_space.RESERVE_BYTES)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: total)
    writer.activity.extend([(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)] * schema.CHUNK_ROWS)
    writer.flush_if_due()
    assert writer.truncated == "disk-full"
    assert not writer.activity
    writer.close(True)
    with tlm.trace.open(tmp_path / "t.h5") as trace:
        assert not trace.complete
        assert len(trace.activity) == 0


def test_a_killed_run_cut_short_by_a_copy_is_refused(tmp_path: Path) -> None:
    """HDF5 would wait for ever for the missing part; the reader refuses it at once."""
    path = tmp_path / "t.h5"
    kill_while_writing(path, seed=0)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(TraceError, match="cut short, 4000 bytes of"):
        tlm.trace.open(path)
