"""A mesh of routers with one terminal per node, and helpers to watch it."""

from collections import Counter, deque

from tests.hardware.noc.kernels import SIMPY
from tlm.hardware.noc.router.fabric import CREDIT_DELAY, RING, RouterFabric
from tlm.hardware.noc.router.shape import RouterShape


class Bench:
    """Sends packets, steps to the end, and keeps (ident, terminal, cycle) of every delivery."""

    def __init__(self, columns, rows, shape=None, kernel=SIMPY):
        self.kernel = kernel
        self.mesh = kernel.mesh(columns, rows, shape or RouterShape())
        for node in range(columns * rows):
            self.mesh.attach(node, f"t{node:02d}")
        self.delivered = []
        self.fabric = kernel.fabric(self.mesh, self._deliver)
        self.sent = 0

    def _deliver(self, packet, terminal, cycle):
        self.delivered.append((packet.payload, terminal, cycle))

    def send(self, source, target, flits, cycle=0):
        """Send a packet at a cycle, not before those sent so far."""
        self.fabric.skip_to(cycle)
        self.fabric.send(self.kernel.packet(target, flits, cycle, self.sent), source)
        self.sent += 1

    def run(self):
        """Step until everything has arrived; a deadlock is an error."""
        fabric = self.fabric
        while fabric.in_flight:
            assert not fabric.stuck, f"{fabric.in_flight} packets wait for each other"
            fabric.step()
        return self.delivered

    def settle(self):
        """Let the last credits come home."""
        self.run()
        self.fabric.skip_to(self.fabric.cycle + RING)


class WatchedFabric(RouterFabric):
    """Integrates the occupancy of every lane and, apart from it, the time each flit spends there.

    Arrivals and departures are read off the rings, occupancy off the lanes' own counts.
    """

    def __init__(self, mesh, deliver):
        super().__init__(mesh, deliver)
        self.occupancy = Counter()
        self.residence = Counter()
        self.flits = Counter()
        self._entered = {}

    def step(self):
        """One cycle, watched."""
        cycle, slot = self.cycle, self.cycle % RING
        due = self._arrivals[slot] + [lane for lane, _ in self._heads[slot]]
        for lane in due:
            if lane.port.index >= 0:
                self._entered.setdefault(lane, deque()).append(cycle)
        leaving = self._credits[(cycle + CREDIT_DELAY) % RING]
        before = len(leaving)
        super().step()
        for lane in leaving[before:]:
            self.residence[lane] += cycle - self._entered[lane].popleft()
            self.flits[lane] += 1
        for lane in self._entered:
            self.occupancy[lane] += lane.buffered


class WatchedBench(Bench):
    """A bench whose fabric is watched."""

    def __init__(self, columns, rows, shape):
        super().__init__(columns, rows, shape, SIMPY._replace(fabric=WatchedFabric))
