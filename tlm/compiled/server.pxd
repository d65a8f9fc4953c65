from libc.stdint cimport int64_t


cdef class Server:
    cdef int receive(self, Transaction txn) except -1
    cdef int wake(self) except -1
    cdef int resume(self, Done done) except -1


cdef class Path:
    cdef Server server
    cdef Path rest


cdef class Transaction:
    cdef public int64_t ident, address, nbytes, begin_req, end_req, begin_resp, end_resp, flits
    cdef public int command, initiator, target
    cdef public object job
    cdef public Path path, home

    cdef Transaction branch(self, Path path)


cdef inline int fill(
    Transaction txn, int64_t ident, int command, int64_t address, int64_t nbytes, int initiator,
    object job,
) except -1:
    """Say of a new transaction what it carries, for whom."""
    txn.ident, txn.command, txn.address, txn.nbytes = ident, command, address, nbytes
    txn.initiator, txn.target, txn.job = initiator, -1, job
    return 0


cdef inline Transaction new_transaction(
    int64_t ident, int command, int64_t address, int64_t nbytes, int initiator, object job
):
    """A transaction, without the integers and the tuple that a call of its class takes."""
    cdef Transaction txn = Transaction.__new__(Transaction)
    fill(txn, ident, command, address, nbytes, initiator, job)
    return txn


cdef inline Server next_server(Transaction txn):
    """Take the first server off a transaction's path."""
    cdef Path path = txn.path
    txn.path = path.rest
    return path.server


cdef class Done:
    cdef readonly int64_t remaining, posted
    cdef readonly str label
    cdef readonly bint _ok
    cdef readonly object _value
    cdef int phase, layer, unit  # of who posted last
    cdef list _waiters
    cdef bint _fired

    cdef int wait(self, Server server) except -1
    cdef int post_by(self, int64_t now, int phase, int layer, int unit) except -1
    cpdef int arrive(self) except -1


cdef class Call(Server):
    cdef object function


cpdef Server server_of(receiver)
