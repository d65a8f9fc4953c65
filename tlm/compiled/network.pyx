"""What cores and DRAM channels need of a network on chip, whichever model it is."""

from libc.stdint cimport int64_t

from tlm.compiled.server cimport Path, Server, Transaction


cdef class Network:
    """The network as its terminals see it; see ``tlm.hardware.noc.network.ChipNetwork``."""

    cpdef int send(self, Transaction txn, int source) except -1:
        """Inject a packet now; its path and its flits are set."""
        raise NotImplementedError

    cpdef Path path(self, int source, int target, deliver):
        """What a transaction carries as its path to reach ``target`` and end at ``deliver``."""
        raise NotImplementedError


cdef class Crossing:
    """The way into another clock domain, as ``tlm.hardware.noc.crossing.Crossing``."""

    def __init__(self, int64_t period_ps, int64_t cycles=0):
        self.period_ps, self.cycles = period_ps, cycles

    cdef int64_t seen_ps(self, int64_t given_ps) noexcept:
        """When something given at ``given_ps`` is seen; never earlier for what is given later."""
        if not self.cycles:
            return given_ps
        return (given_ps // self.period_ps + self.cycles) * self.period_ps
