"""Simulated time: the queue of events, in the order of SimPy.

Events of one time come in order of their priority, then in the order in which they were scheduled.
An event is a transaction on its way to a server, a server's wake-up call to itself, or anything
that SimPy schedules: processes of SimPy run in this queue as in SimPy's own.

What comes soon is in a wheel of short slots, what comes later in a heap; the next event is the
first of the two.
"""

from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc

from tlm.compiled.server cimport Done, Server, Transaction

cdef enum:
    CHILDREN = 4  # of a node of the heap: half as deep as a binary one, for as many cache lines
    PRIORITY_SHIFT = 56
    NORMAL = 1  # the priority of SimPy of all events but the first of a process

include "queue_wheel.pxi"


cdef class EventQueue:
    """The events to come and the present time in ps.

    ``deliver``, ``call`` and ``schedule`` put an event in; ``advance`` takes them out in order.
    """

    def __cinit__(self):
        self._holders = []
        self._wheel = <Wheel*>calloc(1, sizeof(Wheel))
        if self._wheel is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._wheel is not NULL:
            self._drop()
            free_wheel(self._wheel)
        free(self._heap)

    def __len__(self):
        return self._wheel.count + self._count

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
        if time < self.now:
            raise ValueError(f"an event at {time} ps, which is over at {self.now} ps")
        entry.time = time
        entry.order = (<uint64_t>priority << PRIORITY_SHIFT) | self._scheduled
        entry.server, entry.item = server, item
        if slot_of(time) - slot_of(self.now) < SLOTS:
            put(self._wheel, &entry)
        else:
            self._put_aside(&entry)
        Py_XINCREF(server)
        Py_XINCREF(item)
        self._scheduled += 1
        return 0

    cdef int _put_aside(self, const Entry* entry) except -1:
        """File an entry that is far ahead: in the heap."""
        cdef Entry* heap = self._heap
        cdef Py_ssize_t index = self._count, parent, room
        if index == self._room:
            room = 2 * self._room if self._room else 1024
            heap = <Entry*>realloc(heap, room * sizeof(Entry))
            if heap is NULL:
                raise MemoryError
            self._heap, self._room = heap, room
        self._count += 1
        while index:
            parent = (index - 1) // CHILDREN
            if not before(entry, &heap[parent]):
                break
            heap[index] = heap[parent]
            index = parent
        heap[index] = entry[0]
        return 0

    # -- out --------------------------------------------------------------------------------

    cdef int64_t next_time(self) noexcept:
        """The time of the next event; the largest of all times if there is none."""
        cdef int64_t time = self._heap[0].time if self._count else INT64_MAX
        if self._wheel.count:
            time = min(time, first_slot(self._wheel, self.now).first.entry.time)
        return time

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
        while self._pop(&entry):  # what goes with the last reference may come back here
            Py_XDECREF(entry.server)
            Py_XDECREF(entry.item)
        return 0

    def peek(self):
        """The time of the next event in ps; infinity if there is none."""
        return self.next_time() if len(self) else float("inf")

    def step(self):
        """Process the next event.

        Raises:
            IndexError: there is none.
        """
        if not len(self):
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
            while events < limit and (self._wheel.count or self._count):
                self._step()
                events += 1
                if typed.remaining == 0:
                    break
            return events
        while events < limit and (self._wheel.count or self._count):
            self._step()
            events += 1
            if done.remaining == 0:
                break
        return events

    def transactions(self):
        """The transactions that have an event of their own to come, in order of their times."""
        cdef list entries = []
        cdef const Node* node
        cdef Py_ssize_t index
        for index in range(self._count):
            _note(entries, &self._heap[index])
        for index in range(SLOTS):
            node = self._wheel.slots[index].first
            while node is not NULL:
                _note(entries, &node.entry)
                node = node.next
        return [entry[2] for entry in sorted(entries, key=lambda entry: entry[:2])]

    cdef bint _pop(self, Entry* top) noexcept:
        """Take the next event out; False if there is none."""
        cdef Slot* slot = NULL
        if self._wheel.count:
            slot = first_slot(self._wheel, self.now)
        if self._count and (slot is NULL or before(&self._heap[0], &slot.first.entry)):
            top[0] = self._heap[0]
            self._count -= 1
            if self._count:
                self._sink(self._heap[self._count])
            return True
        if slot is NULL:
            return False
        top[0] = slot.first.entry
        take(self._wheel, slot)
        return True

    cdef int _step(self) except -1:
        cdef Entry top
        self._pop(&top)
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


cdef int _note(list entries, const Entry* entry) except -1:
    """Add time, order and transaction of an entry, if it has one."""
    if entry.server is not NULL and entry.item is not NULL:
        entries.append((entry.time, entry.order, <object>entry.item))
    return 0


cdef int _process(object event) except -1:
    """Call a SimPy event's callbacks, as ``simpy.Environment.step`` does."""
    callbacks, event.callbacks = event.callbacks, None
    for callback in callbacks:
        callback(event)
    if not event._ok and not hasattr(event, "_defused"):
        raise event._value
    return 0
