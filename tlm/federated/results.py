"""``summary.json`` of a federated run: a dataclass for each part, fields in the order of the file.

Units are in the names: ``_ps``, ``_pj``, ``_nbytes``; shares are 0..1. Workers count from 0, rounds
from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SCHEMA: Literal["tlm-federated-summary"] = "tlm-federated-summary"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RecordingPart:
    """What was trained, and the bytes of a model up and down."""

    name: str
    sha256: str
    network: str
    dataset: str
    parameters: int
    split: str
    compression: str
    upload_nbytes: int
    download_nbytes: int


@dataclass(frozen=True)
class MemberPart:
    """A worker: its chip, whose recorded job it runs, and its samples, the weight in the mean.

    ``slowness`` is the factor by which its clocks are slower; ``leakage_w`` is the power of the
    chip while it does nothing; ``add_pj`` is the energy of an addition on it.
    """

    worker: int
    chip: str
    recorded_worker: int
    samples: int
    slowness: float
    leakage_w: float
    add_pj: float


@dataclass(frozen=True)
class IterationPart:
    """A recorded iteration on a chip that is not slowed: it stands for all of its round.

    ``run`` is the folder of its run below that of the federated run.
    """

    worker: int
    round: int
    iteration: int
    run: str
    makespan_ps: int
    dynamic_pj: float
    leakage_pj: float


@dataclass(frozen=True)
class WorkerRound:
    """A worker in a round. The four times add up to the round; so do the four energies to its own.

    It did the share ``trained`` of its local ``iterations``, and ``adds`` additions of what others
    sent. ``network_ps`` is the part of
    transfers that did not hide behind training. ``idle_pj`` is the leakage of the chip in all time
    but training, ``network_pj`` that of its transfers on all links. ``upload_nbytes`` go towards
    the mean or the sum, ``download_nbytes`` are the result; ``resent_nbytes`` are of packets that
    got lost. ``arrived_ps`` is when the last byte of its upload arrived, -1 if it never did.
    """

    worker: int
    round: int
    iterations: int
    trained: float
    adds: int
    dropped: bool
    late: bool
    iterating_ps: int
    adding_ps: int
    network_ps: int
    waiting_ps: int
    training_pj: float
    adding_pj: float
    idle_pj: float
    network_pj: float
    upload_nbytes: int
    download_nbytes: int
    resent_nbytes: int
    arrived_ps: int

    @property
    def computing_ps(self) -> int:
        """Training, and the averaging of others' uploads."""
        return self.iterating_ps + self.adding_ps

    @property
    def total_pj(self) -> float:
        """All that is charged to the worker in this round."""
        return self.training_pj + self.adding_pj + self.idle_pj + self.network_pj


@dataclass(frozen=True)
class RoundPart:
    """A round. ``answered`` are the workers in its mean, in order of their answers.

    ``closed_ps`` is when the last answer was there, or the deadline had come. ``weight`` is the
    share of all samples that the mean rests on, ``server_adds`` are additions of a server's.
    ``accuracy`` is that of the global model after the
    round, None if it was not recorded; ``total_pj`` is the energy of the run up to then.
    """

    number: int
    begin_ps: int
    closed_ps: int
    end_ps: int
    answered: tuple[int, ...]
    weight: float
    server_adds: int
    server_pj: float
    energy_pj: float
    total_pj: float
    accuracy: float | None


@dataclass(frozen=True)
class LinkPart:
    """One direction of a link: bytes carried, lost packets among them, and the time it was busy."""

    name: str
    wire_nbytes: int
    busy_ps: int


@dataclass(frozen=True)
class HoldUp:
    """Who answered last in a round, and in what it differs most from the median of the others.

    ``cause`` is ``training``, ``network``, or ``deadline`` if the round did not end by an answer
    (``worker`` is then -1); ``excess_ps`` is the difference.
    """

    round: int
    worker: int
    cause: str
    excess_ps: int


@dataclass(frozen=True, kw_only=True)
class FederatedSummary:
    """All figures of a federated run; ``broken`` are the laws that do not hold.

    ``plan`` holds every key of the plan, defaults and all. ``initial_accuracy`` is that of the
    model that the first round begins with; ``unrecorded`` says why accuracies are missing.
    """

    status: Literal["ok", "invalid"]
    checks: int
    broken: dict[str, str]
    schema: Literal["tlm-federated-summary"] = SCHEMA
    schema_version: int = SCHEMA_VERSION
    recording: RecordingPart
    plan: dict[str, Any]
    time_ps: int
    energy_pj: float
    initial_accuracy: float | None
    unrecorded: str
    members: tuple[MemberPart, ...]
    iterations: tuple[IterationPart, ...]
    rounds: tuple[RoundPart, ...]
    workers: tuple[WorkerRound, ...]
    links: tuple[LinkPart, ...]
    hold_ups: tuple[HoldUp, ...]

    @property
    def ok(self) -> bool:
        """Whether every law holds."""
        return self.status == "ok"
