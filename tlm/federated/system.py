"""The system that trains: workers with their chips and their local iterations, on one network."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tlm.federated.local import LocalIteration
from tlm.federated.network import SystemNetwork
from tlm.federated.plan import FederatedPlan
from tlm.kernel import Environment

PS_PER_S = 10**12


@dataclass(frozen=True)
class Member:
    """A worker: its chip's iteration and its number of local iterations, by round.

    All clocks of its chip are ``slowness`` times slower, DRAM's as well: it takes so many times
    longer, its actions cost what they cost, and it leaks for that much longer.
    """

    number: int
    slowness: float
    iterations: tuple[LocalIteration, ...]
    counts: tuple[int, ...]

    def iteration(self, round_number: int) -> LocalIteration:
        """The iteration that stands for a round (from 1)."""
        return self.iterations[round_number - 1]

    def count(self, round_number: int) -> int:
        """Local iterations of a round."""
        return self.counts[round_number - 1]

    def slowed_ps(self, span_ps: int) -> int:
        """What a time of the chip takes on this one, in whole ps."""
        return round(span_ps * Fraction(self.slowness))

    def iteration_ps(self, round_number: int) -> int:
        """Time of one local iteration."""
        return self.slowed_ps(self.iteration(round_number).makespan_ps)

    def iteration_pj(self, round_number: int) -> float:
        """Energy of one local iteration."""
        iteration = self.iteration(round_number)
        return iteration.dynamic_pj + iteration.leakage_pj * self.slowness

    @property
    def leakage_w(self) -> float:
        """Power of the chip while it does nothing."""
        return self.iterations[0].leakage_pj / self.iterations[0].makespan_ps

    def adding_ps(self, adds: int) -> int:
        """Time of additions on this chip, spread over the units of all its cores."""
        return self.slowed_ps(adding_ps(adds, self.iterations[0].adds_per_s))


def adding_ps(adds: int, adds_per_s: float | None) -> int:
    """Time of additions at a rate, rounded up; none at an infinite one."""
    return 0 if adds_per_s is None else int(-(-adds * PS_PER_S // adds_per_s))


@dataclass(frozen=True)
class ModelBytes:
    """What is sent of a model: bytes up and down, and the numbers in an upload."""

    upload: int
    download: int
    numbers: int


@dataclass(frozen=True)
class System:
    """All that a protocol runs on; ``samples`` weigh the workers in the mean."""

    env: Environment
    plan: FederatedPlan
    members: tuple[Member, ...]
    model: ModelBytes
    network: SystemNetwork

    @classmethod
    def built(cls, plan: FederatedPlan, members: tuple[Member, ...], model: ModelBytes) -> System:
        """A system before time 0, with links of its own."""
        env = Environment()
        return cls(env, plan, members, model, SystemNetwork(env, plan, len(members)))

    @property
    def hub(self) -> int:
        """The node of who aggregates: the server, which is the star's centre, or worker 0."""
        return self.network.graph.centre if self.plan.has_server else 0

    def hub_adding_ps(self, adds: int) -> int:
        """Time of additions where the uploads are averaged."""
        if self.plan.has_server:
            return adding_ps(adds, self.plan.server.adds_per_s)
        return self.members[0].adding_ps(adds)

    def layer_nbytes(self, layer: int) -> int:
        """Bytes of a layer's part of an upload in which every number has the same size."""
        layers = self.members[0].iterations[0].layers
        return layers[layer].parameters * (self.model.upload // self.model.numbers)
