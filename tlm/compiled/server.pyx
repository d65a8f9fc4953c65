"""What moves and what it moves between: servers, transactions with their paths, completions.

The same concepts as in ``tlm.kernel``. There, a server is a generator that a transaction resumes,
and a path is made of callbacks; here, a server is an object with three methods, and a path is
made of servers.
"""

cimport cython

from tlm.space.tile import Producer
from tlm.space.phase import Phase


cdef class Server:
    """What an event is for: it is handed a transaction, woken by itself, or resumed when something
    it waits for is complete.
    """

    def __call__(self, Transaction txn not None):
        """Hand over a transaction, from Python."""
        self.receive(txn)

    cdef int receive(self, Transaction txn) except -1:
        """A transaction has arrived."""
        raise RuntimeError(f"{type(self).__name__} takes no transactions")

    cdef int wake(self) except -1:
        """The time has come for which the server put itself into the queue."""
        raise RuntimeError(f"{type(self).__name__} does not wake itself")

    cdef int resume(self, Done done) except -1:
        """The last arrival of a completion, for which the server waited, has been counted."""
        raise RuntimeError(f"{type(self).__name__} does not wait")


cdef class Path:
    """The servers still to be visited: the next of them, and the rest of the path."""

    def __init__(self, Server server not None, Path rest=None):
        self.server = server
        self.rest = rest


@cython.freelist(1024)  # as many as are in flight: each is used again
cdef class Transaction:
    """One payload from ``begin_req`` to ``end_resp``, as ``tlm.kernel.Transaction``; times in ps.

    ``path`` is what is left of its way, ``home`` the way of its response. ``job`` is whatever its
    initiator wants back. The kernel makes them by ``new_transaction``.
    """

    def __init__(
        self, int64_t ident, int command, int64_t address, int64_t nbytes, int initiator,
        object job,
    ):
        fill(self, ident, command, address, nbytes, initiator, job)

    cdef Transaction branch(self, Path path):
        """A copy that goes on by itself along ``path``, with all that has happened so far."""
        cdef Transaction copy = new_transaction(
            self.ident, self.command, self.address, self.nbytes, self.initiator, self.job
        )
        copy.target, copy.flits, copy.path = self.target, self.flits, path
        copy.begin_req, copy.end_req = self.begin_req, self.end_req
        copy.begin_resp = self.begin_resp
        return copy


cdef class Done:
    """A completion that resumes who waits for it in place, as ``tlm.kernel.Done``.

    Who waits is a server, a function, or a SimPy process that yields it.
    """

    def __cinit__(self, int64_t count, str label not None):
        self._ok = True
        self.remaining = count
        self.label = label
        self.phase = -1
        self._fired = not count

    @property
    def callbacks(self):
        """What SimPy appends a process to; None once complete."""
        if self._fired:
            return None
        if self._waiters is None:
            self._waiters = []
        return self._waiters

    @property
    def complete(self):
        """True once every arrival has been counted; such a completion can be yielded freely."""
        return self.remaining == 0

    @property
    def awaited(self):
        """True while somebody waits for it."""
        return bool(self._waiters)

    @property
    def producer(self):
        """Who posted last; None if nobody did."""
        if self.phase < 0:
            return None
        return Producer(Phase(self.phase), self.layer, self.unit)

    def then(self, call not None):
        """Call when the last arrival, which is still to come, has been counted."""
        assert not self._fired
        self.callbacks.append(lambda _: call())

    cdef int wait(self, Server server) except -1:
        """Resume ``server`` when the last arrival, which is still to come, has been counted."""
        assert not self._fired
        if self._waiters is None:
            self._waiters = [server]
        else:
            self._waiters.append(server)
        return 0

    cdef int post_by(self, int64_t now, int phase, int layer, int unit) except -1:
        """An engine sends on its way what will arrive."""
        self.posted = now
        self.phase, self.layer, self.unit = phase, layer, unit
        return 0

    cpdef int arrive(self) except -1:
        """Count one arrival; the last one resumes whoever waits.

        Raises:
            RuntimeError: if more arrivals come than were announced.
        """
        cdef list waiters
        self.remaining -= 1
        if self.remaining:
            if self.remaining < 0:
                raise RuntimeError(f"{self.label}: more arrivals than announced")
            return 0
        waiters, self._waiters, self._fired = self._waiters, None, True
        if waiters is not None:
            for waiter in waiters:
                if isinstance(waiter, Server):
                    (<Server>waiter).resume(self)
                else:
                    waiter(self)
        return 0


cdef class Call(Server):
    """A server that hands each transaction to a Python function."""

    def __init__(self, function not None):
        self.function = function

    cdef int receive(self, Transaction txn) except -1:
        self.function(txn)
        return 0


cpdef Server server_of(receiver):
    """Who takes transactions: a server as it is, a function, or callbacks as the reference has."""
    if isinstance(receiver, tuple):
        receiver = receiver[0]
    return receiver if isinstance(receiver, Server) else Call(receiver)
