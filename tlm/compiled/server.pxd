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

    cdef Server next_server(self)
    cdef Transaction branch(self, Path path)


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
