"""What a federated run is asked to do: the keys of a PLAN.yaml, each with its default.

Nobody has published the protocol, the network or the server of a system of such chips: every
default here but the model's bytes is **assumed**.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from tlm.config import units
from tlm.config.quantities import (
    Bandwidth,
    Bytes,
    Count,
    Duration,
    Fraction,
    Picojoules,
    PositiveNumber,
    Section,
    Watts,
)

UNLIMITED = "unlimited"
MOST_WORKERS = 1024
MOST_LOSS = 0.5  # of packets: more of them lost than carried is no network

Topology: TypeAlias = Literal["star", "ring", "tree"]
Protocol: TypeAlias = Literal["fedavg", "data-parallel"]


def _bandwidth(value: object) -> int | float | None:
    return None if value == UNLIMITED else units.parse(units.RATE, value)


def _adds_per_s(value: object) -> object:
    return None if value == UNLIMITED else value


def _shown_bandwidth(bits_per_s: int | None) -> str:
    return UNLIMITED if bits_per_s is None else units.show(units.RATE, bits_per_s)


def _chips(value: object) -> object:
    """One chip for all workers, or a list of them by worker."""
    return tuple(value) if isinstance(value, list) else (value,)


AnyBandwidth = Annotated[int | None, BeforeValidator(_bandwidth), PlainSerializer(_shown_bandwidth)]
AddsPerSecond = Annotated[
    PositiveNumber | None,
    BeforeValidator(_adds_per_s),
    PlainSerializer(lambda rate: UNLIMITED if rate is None else rate),
]
ServerPower = Annotated[Watts, PlainSerializer(partial(units.show, units.POWER))]
Loss = Annotated[float, Field(ge=0, le=MOST_LOSS)]
Chips = Annotated[tuple[str, ...], BeforeValidator(_chips)]
Slowness = Annotated[float, Field(ge=1, le=1000)]


class VariantPlan(Section):
    """Which recorded training run: its split of the data and its compression of uploads."""

    split: str = "dirichlet"
    compression: str = "none"


class LinkPlan(Section):
    """What differs from ``network`` in all links of one worker, in both directions."""

    bandwidth: Bandwidth | None = None
    latency: Duration | None = None


class NetworkPlan(Section):
    """The network between chips; every value is assumed.

    ``bandwidth`` and ``latency`` are of each link and direction. ``loss`` is the share of packets
    that a link loses; the sender hears of it a round trip later and sends again. ``packet`` is the
    largest, without headers. ``bit_energy`` is that of a bit on a link, both ends together: 1 nJ is
    in the middle of a range from 0.1 nJ (short optical links) to 10 nJ (a port that idles most of
    the time).
    """

    topology: Topology = "star"
    bandwidth: AnyBandwidth = 10**9
    latency: Duration = 10**8
    loss: Loss = 0.0
    packet: Bytes = 1500
    bit_energy: Picojoules = 1000.0


class ServerPlan(Section):
    """A server that averages: ``adds_per_s`` (None: unlimited), and what it is charged for.

    It costs nothing unless the plan says so: ``add_energy`` is that of an addition, ``power`` that
    of a server that is switched on.
    """

    adds_per_s: AddsPerSecond = 1e10
    add_energy: Picojoules = 0.0
    power: ServerPower = 0.0


class DropPlan(Section):
    """A worker goes away in ``round`` after the share ``at`` of its training, for that round."""

    round: Count
    at: Fraction


class FederatedPlan(Section):
    """A federated run; workers are named ``worker0``, ``worker1``, ...

    ``recording`` names a recorded federated run, ``workers`` is as recorded if None. ``local``
    iterations are those recorded if None. ``aggregator`` is ``server`` in a star and ``worker0``
    elsewhere if None. ``slow`` are factors by which all clocks of a worker's chip are slower.
    ``deadline`` ends a round that long after it began, without the workers that have not answered.
    """

    recording: str
    variant: VariantPlan = VariantPlan()
    workers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] | None = None
    chip: Chips = ("neuromc-20",)
    rounds: Count = 3
    protocol: Protocol = "fedavg"
    local: Count | None = None
    network: NetworkPlan = NetworkPlan()
    aggregator: Literal["server", "worker0"] | None = None
    server: ServerPlan = ServerPlan()
    overlap: bool = False
    slow: dict[str, Slowness] = Field(default_factory=dict)
    links: dict[str, LinkPlan] = Field(default_factory=dict)
    drop: dict[str, DropPlan] = Field(default_factory=dict)
    deadline: Duration | None = None
    seed: Annotated[int, Field(ge=0, le=1 << 32)] = 0

    @property
    def has_server(self) -> bool:
        """Whether a server aggregates; else ``worker0`` or all workers do."""
        return self.network.topology == "star" and self.aggregator != "worker0"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [*_name_problems(self), *_protocol_problems(self)]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def worker_number(name: str) -> int | None:
    """The number of a worker called ``name``; None if it is no such name."""
    match = re.fullmatch(r"worker(0|[1-9]\d{0,3})", name)
    return int(match[1]) if match else None


def _name_problems(plan: FederatedPlan) -> Iterator[str]:
    """Keys that name no worker."""
    for key in ("slow", "links", "drop"):
        for name in getattr(plan, key):
            if worker_number(name) is None:
                yield f"{key}.{name}: expected the name of a worker, such as worker0"


def _protocol_problems(plan: FederatedPlan) -> Iterator[str]:
    """Settings that contradict each other, or that the protocol has no use for."""
    topology = plan.network.topology
    if plan.aggregator == "server" and topology != "star":
        yield f"aggregator: a {topology} has no server; use worker0, or network.topology star"
    if plan.protocol == "data-parallel":
        if plan.aggregator is not None and topology != "star":
            yield f"aggregator: in a {topology} all workers add up gradients; leave it out"
        for key in ("drop", "deadline"):
            if getattr(plan, key):
                yield (
                    f"{key}: data-parallel training waits for every worker in every iteration; "
                    "leave it out, or use protocol fedavg"
                )
        return
    if plan.drop and not plan.deadline:
        yield "drop: who aggregates would wait for ever for a worker that is gone; add deadline"
    if plan.deadline == 0:
        yield "deadline: expected more than zero"
    if "worker0" in plan.drop and not plan.has_server:
        yield "drop.worker0: worker0 aggregates and cannot go away; drop another"
