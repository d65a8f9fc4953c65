"""Corrupted inputs: ``python -m tests.reliability.corrupt --n 10000`` reads that many.

Every input is read in a child process with limits to time and memory, and must be refused with an
error of this project, or hold what was written: no traceback, no hang, no crash, and of the formats
that carry check sums no silent acceptance of changed content.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
from tlm_analysis.reading.energy import read_energy
from tlm_analysis.reading.run_dir import open_run_dir

import tlm
import tlm.config
import tlm.trace
from tests.reliability.damage import damaged_bytes, damaged_text
from tests.reliability.hostile import INFERENCE_DAMAGES, TRACE_DAMAGES, WORKLOAD_DAMAGES
from tests.reliability.probe import grouped
from tests.reliability.samples import small_run, small_trace, small_workload
from tests.workload.inference_job import small_inference
from tlm.config.chip import ChipConfig
from tlm.config.layers import load_chip
from tlm.config.resolved import resolved_yaml
from tlm.config.tables.area import load_area
from tlm.config.tables.dram_timing import load_dram_timing, read_dram_timing
from tlm.errors import TlmError
from tlm.hardware.dram.patterns import read_requests, within
from tlm.placement.choices import read_choices
from tlm.running.repeat import check_files, check_record
from tlm.trace.summary_file import read_summary
from tlm.validation.reference import REFERENCE, read_table
from tlm.workload import open_workload
from tlm.workload.job_file import drawn_job_text

SECONDS = 20  # for one input
MEMORY_BYTES = 1 << 30  # more than the process has when it starts to read
BATCH = 100  # inputs of one child process

REFUSED, SAME, ACCEPTED, CHANGED = "refused", "same", "accepted", "changed"
FAULTS = (CHANGED, "traceback", "hang", "crash", "memory")


@dataclass(frozen=True)
class Kind:
    """A kind of input: intact files, how to damage one, how to read it.

    ``read`` gives a digest of all that was read; ``sealed`` says that it must not change unseen.
    """

    name: str
    intact: tuple[Path, ...]
    damage: Callable[[Path, Path, random.Random], None]
    read: Callable[[Path], str]
    sealed: bool


def kinds(folder: Path) -> list[Kind]:
    """All kinds of input; their intact files are made in ``folder``."""
    config = Path(tlm.config.__file__).resolve().parent
    chip = folder / "chip.yaml"
    chip.write_text(resolved_yaml(load_chip("neuromc-20")))
    own = folder / "own.yaml"
    own.write_text("extends: neuromc-20\nname: own\nmesh: {columns: 5, rows: 4}\ncores: 20\n")
    run = small_run(folder / "run")
    job = folder / "job.json"
    job.write_text(drawn_job_text(grouped()) or "")
    requests = folder / "requests.txt"
    requests.write_text("".join(f"0x{64 * i:x} READ {9 * i}\n" for i in range(40)))
    answered = small_inference(folder, "answered")
    traces = (small_trace(folder / "whole"), small_trace(folder / "killed", killed=True))
    return [
        Kind("chip", (chip, own), _text, _read_chip, False),
        Kind("energy", (config / "energy" / "neuromc.yaml",), _text, _read_energy, False),
        Kind("dram", tuple(sorted((config / "dram").glob("*.yaml"))), _text, _read_dram, False),
        Kind("mapping", (run / "mapping.yaml",), _text, _read_mapping, False),
        Kind("manifest", (run / "manifest.json",), _text, _read_manifest, False),
        Kind("workload", (small_workload(folder),), _hdf5(WORKLOAD_DAMAGES), _read_workload, True),
        Kind("inference", (answered,), _hdf5(INFERENCE_DAMAGES), _read_workload, True),
        Kind("area", (config / "area" / "logic28.yaml",), _text, _read_area, False),
        Kind("job", (job,), _text, _read_job, False),
        Kind("summary", (run / "summary.json",), _text, _read_summary, False),
        Kind("energy.csv", (run / "energy.csv",), _text, _read_energy_csv, False),
        Kind("requests", (requests,), _text, _read_requests, False),
        Kind("reference", (REFERENCE / "dram" / "bands.csv",), _text, _read_reference, False),
        Kind("folder", (run,), _folder, _read_folder, False),
        Kind("trace", traces, _hdf5(TRACE_DAMAGES), _read_trace, True),
    ]


def _text(source: Path, target: Path, draw: random.Random) -> None:
    target.write_bytes(damaged_text(source.read_text(encoding="utf-8"), draw))


def spoil_bytes(source: Path, target: Path, draw: random.Random) -> None:
    """Damage a file without knowing what it holds."""
    target.write_bytes(damaged_bytes(source.read_bytes(), draw))


def _folder(source: Path, target: Path, draw: random.Random) -> None:
    """A copy with one file damaged, missing, or a link or pipe in its place."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    path = draw.choice(sorted(path for path in target.iterdir() if path.is_file()))
    data = path.read_bytes()
    way = draw.random()
    if way < 0.8:
        edit = damaged_text(data.decode(), draw) if way < 0.6 else damaged_bytes(data, draw)
        path.write_bytes(edit)
        return
    path.unlink()
    if way < 0.9:
        path.symlink_to(draw.choice(("/dev/zero", "/etc/passwd", ".", "nowhere")))
    elif way < 0.95:
        os.mkfifo(path)


def _hdf5(damages: tuple[Callable[[h5py.File], object], ...]) -> Callable[..., None]:
    """Bytes at random, or one of the structural ``damages``, or one after the other."""

    def damage(source: Path, target: Path, draw: random.Random) -> None:
        data = source.read_bytes()
        target.write_bytes(data)
        way = draw.random()
        if way < 0.3:
            try:
                with h5py.File(target, "r+") as file:
                    draw.choice(damages)(file)
            except (OSError, ValueError, KeyError):  # such as that of a killed writer
                way = 1.0
        if way > 0.2:
            target.write_bytes(damaged_bytes(target.read_bytes(), draw))

    return damage


def _read_chip(path: Path) -> str:
    return _digest(resolved_yaml(load_chip(path), origins=False).encode())


@cache
def _chip() -> ChipConfig:
    return load_chip("neuromc-20").config


def _read_energy(path: Path) -> str:
    return _digest(repr(tlm.config.load_energy(path, _chip()).actions).encode())


def _read_dram(path: Path) -> str:
    return _digest(repr(read_dram_timing(path)).encode())


def _read_mapping(path: Path) -> str:
    return _digest(repr(read_choices(path)).encode())


def _read_manifest(path: Path) -> str:
    return _digest(repr(check_record(path.parent)).encode())


def _read_area(path: Path) -> str:
    return _digest(repr(load_area(path)).encode())


def _read_job(path: Path) -> str:
    return _digest(repr(open_workload(str(path))).encode())


def _read_summary(path: Path) -> str:
    return _digest(repr(read_summary(path.parent)).encode())


def _read_energy_csv(path: Path) -> str:
    return _digest(repr(read_energy(path.parent)).encode())


def _read_requests(path: Path) -> str:
    timing = load_dram_timing("DDR4-2400")
    requests = within(read_requests(path, timing.burst_bytes), timing, path)
    return _digest(repr(requests).encode())


def _read_reference(path: Path) -> str:
    return _digest(repr(read_table(path)).encode())


def _read_folder(path: Path) -> str:
    """All that ``compare``, ``report``, ``rerun`` and a notebook read before they do any work."""
    run = open_run_dir(path)
    parts = [run.summary, run.config, run.manifest, run.energy, tlm.open_run(path)]
    check_files(path, check_record(path))
    return _digest(repr(parts[:4]).encode())


def _read_workload(path: Path) -> str:
    workload = open_workload(str(path))
    found = [replace(workload, path=Path(), sha256="")]
    for which in range(len(workload.iterations)):
        found += [workload.load(which), workload.load_values(which)]
    return _digest(pickle.dumps(found))


def _read_trace(path: Path) -> str:
    with tlm.trace.open(path) as trace:
        parts = [repr((trace.attrs, trace.units, trace.complete, trace.config_text)).encode()]
        parts += [np.ascontiguousarray(trace.transactions).tobytes(), trace.activity.tobytes()]
    return _digest(b"".join(parts))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _intact(read: Callable[[Path], str], source: Path) -> str:
    return read(source)


def outcome(kind: Kind, index: int, folder: Path) -> str:
    """Damage one input, read it, and say what came of it; a fault with its text after a colon."""
    draw = random.Random(f"{kind.name} {index}")
    source = draw.choice(kind.intact)
    target = folder / source.name
    kind.damage(source, target, draw)
    intact = _intact(kind.read, source) if kind.sealed else ""
    try:
        found = kind.read(target)
    except TlmError as error:
        return REFUSED if str(error) else "traceback: an error without words"
    except MemoryError:
        return "memory"
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    if not kind.sealed:
        return ACCEPTED
    return SAME if found == intact else CHANGED


def outcomes(kind: Kind, indices: range, folder: Path) -> Iterator[tuple[int, str]]:
    """(index, outcome) of every input; a child that dies is replaced by another."""
    todo = list(indices)
    while todo:
        batch, todo = todo[:BATCH], todo[BATCH:]
        found = list(_in_child(kind, batch, folder))
        yield from found
        todo = batch[len(found) :] + todo


def _in_child(kind: Kind, batch: list[int], folder: Path) -> Iterator[tuple[int, str]]:
    """Outcomes from a child process up to its end; its death is the outcome of its last input."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _read_batch(kind, batch, folder, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        done = [line.rstrip("\n") for line in lines]
    _, status = os.waitpid(child, 0)
    yield from zip(batch, done, strict=False)
    if len(done) < len(batch):
        by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        dead = "hang" if by == signal.SIGALRM else f"crash: signal {by}, status {status}"
        yield batch[len(done)], dead


def _read_batch(kind: Kind, batch: list[int], folder: Path, writing: int) -> None:
    """The child: reads its inputs one by one and leaves without cleaning up."""
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, hard))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the library of HDF5 is talkative
        place = folder / f"{kind.name}{os.getpid()}"
        place.mkdir()
        os.chdir(place)  # where the external files of hostile inputs would be made
        for index in batch:
            signal.alarm(SECONDS)
            text = outcome(kind, index, place)
            signal.alarm(0)
            os.write(writing, f"{text}\n".encode("utf-8", "replace"))
    finally:
        os._exit(0)


def run(count: int, show: Callable[[str], object] = print) -> Counter[str]:
    """Read ``count`` corrupted inputs, shared among the kinds; returns what came of how many."""
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        every = kinds(folder)
        for kind in every:
            found: Counter[str] = Counter()
            for index, text in outcomes(kind, range(-(-count // len(every))), folder):
                word = text.split(":")[0]
                found[word] += 1
                if word in FAULTS:
                    show(f"{kind.name} {index}: {text}")
            show(f"{kind.name:9} " + ", ".join(f"{n} {word}" for word, n in found.items()))
            total += found
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="how many inputs")
    result = run(parser.parse_args().n)
    print(f"{result.total()} inputs: " + ", ".join(f"{n} {word}" for word, n in result.items()))
    sys.exit(any(result[word] for word in FAULTS))
