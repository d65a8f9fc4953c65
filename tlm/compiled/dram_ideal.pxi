# A DRAM channel without banks; as ``tlm.hardware.dram.ideal``.


@cython.final
cdef class IdealDram(Server):
    """Serves in order of arrival at peak bandwidth, each answer ``latency_ps`` after its data."""

    cdef readonly str name
    cdef public int64_t bytes_read, bytes_written, busy_ps
    cdef EventQueue _queue
    cdef int64_t _latency_ps, _free_at
    cdef object _bytes_per_ns
    cdef Server _respond

    def __init__(self, env, int64_t latency_ps, bytes_per_ns, respond, name="dram"):
        self.name = name
        self._queue = env.events
        self._latency_ps, self._bytes_per_ns = latency_ps, bytes_per_ns
        self._respond = server_of(respond)

    @property
    def callbacks(self):
        """Where a transaction arrives."""
        return self

    cdef int receive(self, Transaction txn) except -1:
        """A FIFO server: busy-until, applied on arrival."""
        cdef int64_t now = self._queue.now
        # In Python's numbers: its ``//`` of floats is not C's quotient rounded down (1.0 // 0.1 is 9).
        cdef object picobytes = -txn.nbytes * 1000
        cdef int64_t occupied = int(-(picobytes // self._bytes_per_ns))
        self._free_at = max(now, self._free_at) + occupied
        self.busy_ps += occupied
        if txn.command:
            self.bytes_written += txn.nbytes
        else:
            self.bytes_read += txn.nbytes
        txn.end_req = now
        txn.begin_resp = self._free_at + self._latency_ps
        return self._queue.deliver(self._respond, txn, txn.begin_resp)
