"""A folder -> FederatedRun: its ``federated.json`` checked field by field, its jobs against it."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any

from tlm.errors import WorkloadError
from tlm.files import parse_json, read_regular
from tlm.workload.bundled import FEDERATED
from tlm.workload.federated.compression import Compression, download_nbytes, upload_nbytes
from tlm.workload.federated.model import (
    NON_IID,
    FederatedRun,
    FederatedSplit,
    FederatedVariant,
    WorkerData,
)
from tlm.workload.file.fault import DAMAGED, REMEDY, fault
from tlm.workload.file.graph import Reader
from tlm.workload.file.layout import parameter_shapes
from tlm.workload.file.reader import read_workload
from tlm.workload.model import Workload

FILE_NAME = FEDERATED
SCHEMA, SCHEMA_VERSION = "tlm-federated", 1
KEYS = ("schema", "schema_version", "name", "dataset", "licence", "network", "parameters",
        "workers", "rounds", "splits", "variants", "provenance")  # fmt: skip
_SPLIT_KEYS = ("name", "alpha", "recorded", "workers")
_WORKER_KEYS = tuple(WorkerData.__dataclass_fields__)
_VARIANT_KEYS = tuple(FederatedVariant.__dataclass_fields__)
_MAX_BYTES = 4 << 20
_MAX_WORKERS, _MAX_ROUNDS, _MAX_COUNT = 1024, 4096, 1 << 32


def job_path(folder: Path, split: str, worker: int) -> Path:
    """Where a worker's recorded job lies."""
    return folder / split / f"worker{worker}.h5"


def round_job_path(folder: Path) -> Path:
    """Where the iterations of the first round of worker 0 lie, with the first split's data."""
    return folder / "worker0-round1.h5"


def read_federated(folder: Path) -> FederatedRun:
    """The run in ``folder``; jobs are checked whole, their tensors stay on disk.

    Raises WorkloadError on one line naming file, key, what was expected and what to do.
    """
    path = folder / FILE_NAME
    try:
        raw = read_regular(path, _MAX_BYTES)
        content = parse_json(raw)
    except ValueError as error:
        raise fault(path, "the file", "the JSON of a federated run", str(error), REMEDY) from None
    reader = _RunReader(path)
    row = reader.header(content)
    splits = reader.splits(row["splits"])
    network = reader.text("network", row["network"])
    run = FederatedRun(
        folder=folder,
        name=reader.text("name", row["name"]),
        dataset=reader.text("dataset", row["dataset"]),
        licence=reader.line("licence", row["licence"]),
        network=network,
        parameters=reader.parameters,
        workers=reader.workers,
        rounds=reader.rounds,
        splits=splits,
        variants=reader.variants(row["variants"], splits),
        provenance=reader.provenance(row["provenance"]),
        sha256=hashlib.sha256(raw).hexdigest(),
        jobs={
            split.name: tuple(
                read_workload(job_path(folder, split.name, worker))
                for worker in range(reader.workers)
            )
            for split in splits
        },
        round_job=read_workload(round_job_path(folder)),
    )
    _check_jobs(run)
    return run


class _RunReader(Reader):
    """Fields of ``federated.json``; every method refuses what is not expected."""

    parameters = workers = rounds = 0

    def header(self, content: object) -> dict[str, Any]:
        """The whole object; counts that later fields are held against are kept."""
        if isinstance(content, dict):  # a newer file may differ in everything that follows
            self.choice("schema", content.get("schema"), (SCHEMA,), REMEDY)
            version = content.get("schema_version")
            if version != SCHEMA_VERSION:
                remedy = "install a snn-tlm that reads it, or record the run again"
                raise fault(self.path, "schema_version", f"{SCHEMA_VERSION}", version, remedy)
        row = self.record("the file", content, KEYS)
        self.parameters = self.integer("parameters", row["parameters"], 1, _MAX_COUNT)
        self.workers = self.integer("workers", row["workers"], 1, _MAX_WORKERS)
        self.rounds = self.integer("rounds", row["rounds"], 1, _MAX_ROUNDS)
        return row

    def splits(self, value: Any) -> tuple[FederatedSplit, ...]:
        """Splits by distinct names."""
        splits = tuple(
            self._split(f"splits[{position}]", row)
            for position, row in enumerate(self._list("splits", value, None))
        )
        self._check_distinct("splits", [split.name for split in splits])
        return splits

    def variants(
        self, value: Any, splits: tuple[FederatedSplit, ...]
    ) -> tuple[FederatedVariant, ...]:
        """Variants of distinct split and compression; none of a split that is not there."""
        names = tuple(split.name for split in splits)
        variants = tuple(
            self._variant(f"variants[{position}]", row, names)
            for position, row in enumerate(self._list("variants", value, None))
        )
        pairs = [f"{variant.split} {variant.compression.name}" for variant in variants]
        self._check_distinct("variants", pairs)
        return variants

    def provenance(self, value: Any) -> dict[str, str]:
        """Printable texts by printable names."""
        if not isinstance(value, dict):
            raise fault(self.path, "provenance", "a JSON object of texts", value, REMEDY)
        return {
            self.text("provenance", name): self.line(f"provenance.{name}", text)
            for name, text in value.items()
        }

    def line(self, key: str, value: Any) -> str:
        """A printable text of any length."""
        if not isinstance(value, str) or not value.isprintable():
            raise fault(self.path, key, "printable characters", value, REMEDY)
        return value

    def _split(self, key: str, value: Any) -> FederatedSplit:
        row = self.record(key, value, _SPLIT_KEYS)
        name = self.choice(f"{key}.name", row["name"], (NON_IID, "iid"), REMEDY)
        alpha = row["alpha"]
        if (alpha is None) != (name == "iid"):
            raise fault(self.path, f"{key}.alpha", f"{name}'s alpha", alpha, REMEDY)
        recorded = self._integers(f"{key}.recorded", row["recorded"], None, 1, self.rounds)
        if recorded[0] != 1 or list(recorded) != sorted(set(recorded)):
            raise fault(self.path, f"{key}.recorded", "rising rounds from 1", recorded, REMEDY)
        workers = tuple(
            self._worker(f"{key}.workers[{position}]", worker)
            for position, worker in enumerate(
                self._list(f"{key}.workers", row["workers"], self.workers)
            )
        )
        if len({len(worker.classes) for worker in workers}) > 1:
            lengths = [len(worker.classes) for worker in workers]
            raise fault(self.path, f"{key}.workers", "equally many classes", lengths, REMEDY)
        share = None if alpha is None else self.number(f"{key}.alpha", alpha, 0)
        return FederatedSplit(name, share, workers, recorded)

    def _worker(self, key: str, value: Any) -> WorkerData:
        row = self.record(key, value, _WORKER_KEYS)
        classes = self._integers(f"{key}.classes", row["classes"], None, 0, _MAX_COUNT)
        samples = self.integer(f"{key}.samples", row["samples"], 1, _MAX_COUNT)
        if samples != sum(classes):
            expected = f"{sum(classes)}, the sum of its classes"
            raise fault(self.path, f"{key}.samples", expected, samples, REMEDY)
        counts = self._integers(f"{key}.iterations", row["iterations"], self.rounds, 1, _MAX_COUNT)
        return WorkerData(samples, classes, counts)

    def _variant(self, key: str, value: Any, splits: tuple[str, ...]) -> FederatedVariant:
        row = self.record(key, value, _VARIANT_KEYS)
        compression = self._compression(f"{key}.compression", row["compression"])
        for name, count in (("upload_nbytes", upload_nbytes), ("download_nbytes", download_nbytes)):
            nbytes = count(self.parameters, compression)
            self.integer(f"{key}.{name}", row[name], nbytes, nbytes)
        return FederatedVariant(
            split=self.choice(f"{key}.split", row["split"], splits, REMEDY),
            compression=compression,
            accuracy=tuple(
                self._share(f"{key}.accuracy", share)
                for share in self._list(f"{key}.accuracy", row["accuracy"], self.rounds + 1)
            ),
            upload_nbytes=row["upload_nbytes"],
            download_nbytes=row["download_nbytes"],
        )

    def _compression(self, key: str, value: Any) -> Compression:
        try:
            return Compression.of(self.text(key, value))
        except WorkloadError:
            raise fault(self.path, key, "none, fp16 or top-S", value, REMEDY) from None

    def _share(self, key: str, value: Any) -> float:
        share = self.number(key, value, 0)
        if share > 1:
            raise fault(self.path, key, "shares in 0..1", value, REMEDY)
        return share

    def _integers(
        self, key: str, value: Any, count: int | None, low: int, high: int
    ) -> tuple[int, ...]:
        return tuple(self.integer(key, item, low, high) for item in self._list(key, value, count))

    def _list(self, key: str, value: Any, count: int | None) -> list[Any]:
        """A list of ``count`` elements; None: of one or more."""
        if not isinstance(value, list) or not value or count not in (None, len(value)):
            length = "a list of one or more" if count is None else f"a list of {count}"
            got = f"{len(value)} elements" if isinstance(value, list) else value
            raise fault(self.path, key, length, got, REMEDY)
        return value

    def _check_distinct(self, key: str, names: list[str]) -> None:
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise fault(self.path, key, "each of them once", f"{twice[0]} twice", REMEDY)


def _check_jobs(run: FederatedRun) -> None:
    """Hold every job against the run: its network, and which iterations are recorded."""
    first = run.jobs[run.splits[0].name][0]
    count = sum(
        prod(shape)
        for layer in first.layers
        for shape in parameter_shapes(layer, first.steps).values()
    )
    if count != run.parameters:
        raise fault(run.folder / FILE_NAME, "parameters", f"{count} as in its jobs",
                    run.parameters, REMEDY)  # fmt: skip
    for job in (*(job for jobs in run.jobs.values() for job in jobs), run.round_job):
        for key in ("layers", "steps", "batch", "encoding", "optimizer"):
            if getattr(job, key) != getattr(first, key):
                remedy = "a run's workers train one network: record the run again"
                raise fault(job.path, key, f"that of {first.path}", "another", remedy)
    for split in run.splits:
        for worker, job in enumerate(run.jobs[split.name]):
            expected = tuple(split.middle_iteration(worker, number) for number in split.recorded)
            _check_iterations(job, expected)
    _check_round(run)


def _check_iterations(job: Workload, expected: tuple[int, ...]) -> None:
    if job.iterations != expected:
        raise fault(job.path, "iterations", f"{list(expected)}", list(job.iterations), DAMAGED)


def _check_round(run: FederatedRun) -> None:
    count = run.splits[0].workers[0].iterations[0]
    if run.round_job.iterations[-1] >= count:
        expected = f"iterations below {count}, of the first round"
        last = run.round_job.iterations[-1]
        raise fault(run.round_job.path, "iterations", expected, last, DAMAGED)
