"""All-reduce: every worker has numbers, and in the end every worker has the sum of all of them.

- ring: N - 1 steps in which a worker sends a share of 1/N to its neighbour and adds what comes from
  the other (reduce-scatter), and N - 1 in which full sums go round (all-gather; Patarasuk and Yuan,
  J. Parallel Distrib. Comput. 69, 2009): 2 (N - 1) / N of the bytes over every link;
- tree: a worker adds what its children send and sends the sum to its parent; the total goes back
  the same way;
- star: all send to the server or to worker 0, which adds and sends the total back.

A worker takes part from the moment in which its own numbers are there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from tlm.federated.system import System
from tlm.federated.topology import children, parent
from tlm.kernel import Done

REDUCE, GATHER = "reduce", "gather"
_DOWN = -1  # the slot of what comes from a parent or from the hub
Steps = Generator[Any, Any, None]


class AllReduce:
    """The sum of some numbers over all workers; ``done`` holds a completion for each of them.

    ``adds`` counts the additions of each worker, the hub's of a star in the place of worker 0 or,
    of a server, in the last place. ``joined_ps`` is when the last worker had its numbers.
    """

    def __init__(self, system: System, round_number: int, nbytes: int, numbers: int) -> None:
        self.done = [Done(1, f"the sum for worker {i}") for i in range(len(system.members))]
        self.adds = [0] * (len(system.members) + 1)
        self.joined_ps = 0
        self._system = system
        self._round = round_number
        self._nbytes = nbytes
        self._numbers = numbers
        self._slots: dict[tuple[int, int], Done] = {}
        self._uploads = Done(len(system.members), "all numbers at the hub")
        topology = system.plan.network.topology
        steps = {"ring": self._ring, "tree": self._tree, "star": self._star}
        self._steps: Callable[[int], Steps] = steps[topology]
        if topology == "star":
            system.env.process(self._collect())

    def join(self, worker: int) -> None:
        """The numbers of ``worker`` are there, now."""
        self.joined_ps = self._system.env.now
        self._system.env.process(self._steps(worker))

    def _ring(self, worker: int) -> Steps:
        count = len(self._system.members)
        for step in range(2 * (count - 1)):
            reducing = step < count - 1
            following = (worker + 1) % count
            nbytes, _ = self._share((worker - step) % count)
            kind = REDUCE if reducing else GATHER
            self._send(kind, (worker, following), nbytes, (following, step), worker)
            yield self._slot(worker, step)
            if reducing:
                yield self._add(worker, self._share((worker - 1 - step) % count)[1])
        self.done[worker].arrive()

    def _tree(self, worker: int) -> Steps:
        below = children(worker, len(self._system.members))
        for child in below:
            yield self._slot(worker, child)
            yield self._add(worker, self._numbers)
        if worker:
            above = parent(worker)
            self._send(REDUCE, (worker, above), self._nbytes, (above, worker), worker)
            yield self._slot(worker, _DOWN)
        for child in below:
            self._send(GATHER, (worker, child), self._nbytes, (child, _DOWN), worker)
        self.done[worker].arrive()

    def _star(self, worker: int) -> Steps:
        hub = self._system.hub
        if worker != hub:
            self._send(REDUCE, (worker, hub), self._nbytes, (hub, worker), worker)
            yield self._slot(hub, worker)
        self._uploads.arrive()
        yield self._slot(worker, _DOWN)
        self.done[worker].arrive()

    def _collect(self) -> Steps:
        """The hub of a star."""
        system, hub = self._system, self._system.hub
        yield self._uploads
        adds = (len(system.members) - (hub == 0)) * self._numbers
        self.adds[hub] += adds
        yield system.env.timeout(system.hub_adding_ps(adds))
        for worker in range(len(system.members)):
            if worker == hub:
                self._slot(hub, _DOWN).arrive()
            else:
                self._send(GATHER, (hub, worker), self._nbytes, (worker, _DOWN), worker)

    def _send(
        self, kind: str, ends: tuple[int, int], nbytes: int, slot: tuple[int, int], charged: int
    ) -> None:
        """Send, for the account of a worker; fill the receiver's slot."""
        transfer = self._system.network.send(kind, self._round, ends, nbytes, charged)
        transfer.arrived.then(self._slot(*slot).arrive)

    def _slot(self, worker: int, key: int) -> Done:
        """What completes when a worker has received a certain message, sent already or not."""
        return self._slots.setdefault((worker, key), Done(1, f"message {key} to node {worker}"))

    def _add(self, worker: int, adds: int) -> Any:
        """The time in which a worker adds."""
        self.adds[worker] += adds
        return self._system.env.timeout(self._system.members[worker].adding_ps(adds))

    def _share(self, number: int) -> tuple[int, int]:
        """(bytes, numbers) of the share of that number: whole numbers, as even as can be."""
        count = len(self._system.members)
        first, last = (self._numbers * edge // count for edge in (number, number + 1))
        return (last - first) * (self._nbytes // self._numbers), last - first
