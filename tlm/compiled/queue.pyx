"""Simulated time: the queue of events, in the order of SimPy.

Events of one time come in order of their priority, then in the order in which they were scheduled.
An event is a transaction on its way to a server, a server's wake-up call to itself, or anything
that SimPy schedules: processes of SimPy run in this queue as in SimPy's own.
"""

from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, realloc

from tlm.compiled.server cimport Done, Server, Transaction

cdef enum:
    CHILDREN = 4  # of a node of the heap: half as deep as a binary one, for as many cache lines
    PRIORITY_SHIFT = 56
    NORMAL = 1  # the priority of SimPy of all events but the first of a process


cdef inline bint before(const Entry* entry, const Entry* other) noexcept:
    return entry.time < other.time or (entry.time == other.time and entry.order < other.order)


cdef class EventQueue:
    """A heap of events and the present time in ps.

    ``deliver``, ``call`` and ``schedule`` put an event in; ``advance`` takes them out in order.
    """

    def __cinit__(self):
        self._holders = []

    def __dealloc__(self):
        self._drop()
        free(self._heap)

    def __len__(self):
        return self._count

    # -- in ---------------------------------------------------------------------------------

    cdef int deliver(self, Server server, Transaction txn, int64_t time) except -1:
        """Hand a transaction to a server at ``time``."""
        return self._push(time, NORMAL, <PyObject*>server, <PyObject*>txn)

    cdef int call(self, Server server, int64_t time, int priority) except -1:
        """Wake a server at ``time``."""
        return self._push(time, priority, <PyObject*>server, NULL)

    def schedule(self, event not None, int priority=1, delay=0):
        """Put a SimPy event in, ``delay`` ps from now: what ``simpy.Environment.schedule`` does."""
        self._push(self.now + <int64_t>delay, priority, NULL, <PyObject*>event)

    cdef int _push(
        self, int64_t time, int priority, PyObject* server, PyObject* item
    ) except -1:
        cdef Entry entry
        cdef Py_ssize_t index, parent
        cdef Entry* heap
        if time < self.now:
            raise ValueError(f"an event at {time} ps, which is over at {self.now} ps")
        if self._count == self._room:
            self._grow()
        entry.time = time
        entry.order = (<uint64_t>priority << PRIORITY_SHIFT) | self._scheduled
        entry.server, entry.item = server, item
        Py_XINCREF(server)
        Py_XINCREF(item)
        self._scheduled += 1
        heap, index = self._heap, self._count
        self._count += 1
        while index:
            parent = (index - 1) // CHILDREN
            if not before(&entry, &heap[parent]):
                break
            heap[index] = heap[parent]
            index = parent
        heap[index] = entry
        return 0

    cdef int _grow(self) except -1:
        cdef Py_ssize_t room = 2 * self._room if self._room else 1024
        cdef Entry* heap = <Entry*>realloc(self._heap, room * sizeof(Entry))
        if heap is NULL:
            raise MemoryError
        self._heap, self._room = heap, room
        return 0

    # -- out --------------------------------------------------------------------------------

    cdef int64_t next_time(self) noexcept:
        """The time of the next event; the largest of all times if there is none."""
        return self._heap[0].time if self._count else INT64_MAX

    cdef int add_holder(self, holder) except -1:
        """Have ``holder.release()`` called when the queue is cleared."""
        self._holders.append(holder)
        return 0

    def clear(self):
        """Drop all events to come, and all transactions that somebody holds in a struct.

        Servers hold the queue and the queue those of its events, which Python's collector does not
        see: until then nothing of a chip whose run has ended is freed.
        """
        self._drop()
        for holder in self._holders:
            holder.release()

    cdef int _drop(self) except -1:
        cdef Entry entry
        while self._count:  # what goes with the last reference may come back here
            self._count -= 1
            entry = self._heap[self._count]
            Py_XDECREF(entry.server)
            Py_XDECREF(entry.item)
        return 0

    def peek(self):
        """The time of the next event in ps; infinity if there is none."""
        return self._heap[0].time if self._count else float("inf")

    def step(self):
        """Process the next event.

        Raises:
            IndexError: there is none.
        """
        if not self._count:
            raise IndexError("no event left")
        self._step()

    def advance(self, Py_ssize_t limit, done not None):
        """Process up to ``limit`` events, or until ``done`` is complete; returns how many.

        Fewer than ``limit`` without ``done`` being complete means that no event is left.
        """
        cdef Py_ssize_t events = 0
        cdef Done typed
        if isinstance(done, Done):
            typed = done
            while events < limit and self._count:
                self._step()
                events += 1
                if typed.remaining == 0:
                    break
            return events
        while events < limit and self._count:
            self._step()
            events += 1
            if done.remaining == 0:
                break
        return events

    def transactions(self):
        """The transactions that have an event of their own to come, in order of their times."""
        entries = [
            (self._heap[index].time, self._heap[index].order, <object>self._heap[index].item)
            for index in range(self._count)
            if self._heap[index].server is not NULL and self._heap[index].item is not NULL
        ]
        return [entry[2] for entry in sorted(entries, key=lambda entry: entry[:2])]

    cdef int _step(self) except -1:
        cdef Entry top = self._heap[0]
        self._count -= 1
        if self._count:
            self._sink(self._heap[self._count])
        self.now = top.time
        try:
            if top.server is NULL:
                _process(<object>top.item)
            elif top.item is NULL:
                (<Server>top.server).wake()
            else:
                (<Server>top.server).receive(<Transaction>top.item)
        finally:
            Py_XDECREF(top.server)
            Py_XDECREF(top.item)
        return 0

    cdef void _sink(self, Entry entry) noexcept:
        """Put the heap's last entry where the first was, and let it sink to its place."""
        cdef Entry* heap = self._heap
        cdef Py_ssize_t index = 0, child, least, other, end, count = self._count
        while True:
            child = CHILDREN * index + 1
            if child >= count:
                break
            least, end = child, min(child + CHILDREN, count)
            for other in range(child + 1, end):
                if before(&heap[other], &heap[least]):
                    least = other
            if not before(&heap[least], &entry):
                break
            heap[index] = heap[least]
            index = least
        heap[index] = entry


cdef int _process(object event) except -1:
    """Call a SimPy event's callbacks, as ``simpy.Environment.step`` does."""
    callbacks, event.callbacks = event.callbacks, None
    for callback in callbacks:
        callback(event)
    if not event._ok and not hasattr(event, "_defused"):
        raise event._value
    return 0
