# Requests of arrays, put through a fresh channel; as ``tlm.hardware.dram.replay``.

cdef enum:
    URGENT = 0  # arrivals known before the run come before all else at their time


def replay(timing, policy, offered):
    """Run requests through a compiled channel until the last is answered."""
    env = CompiledEnvironment()
    done = Done(len(offered.requests), "DRAM driver")
    cdef ReplayChannel channel = ReplayChannel(env, timing, policy, offered, done)
    channel.start()
    events = run_until(env, done)
    channel.settle()
    return Served(
        accepted=np.asarray(channel.accepted),
        answered=np.asarray(channel.answered),
        time_ps=env.now,
        events=events,
        counters=channel.counters,
    )


@cython.final
cdef class ReplayChannel(Controller):
    """A channel whose requests are rows of arrays, so that none of them needs an object.

    ``order`` and ``arrivals`` [ps] are of those that arrive by themselves, in order of time.
    """

    cdef const int64_t[:, ::1] _requests
    cdef const int64_t[::1] _nbytes
    cdef const int64_t[::1] _order
    cdef const int64_t[::1] _arrivals
    cdef int64_t[::1] accepted  # by request, in ps
    cdef int64_t[::1] answered
    cdef Done _done
    cdef Py_ssize_t _arrived  # of those that arrive by themselves
    cdef Py_ssize_t _called, _followed  # requests up to the last that follows an answer
    cdef Arrivals _by_themselves
    cdef Followers _followers
    cdef Answered _answered

    def __init__(self, env, timing, policy, offered, Done done):
        super().__init__(env, timing, policy)
        order = np.argsort(offered.arrivals, kind="stable")
        self._requests, self._nbytes = np.ascontiguousarray(offered.requests), offered.nbytes
        self._order, self._arrivals = order, offered.arrivals[order]
        self.accepted = np.zeros(len(offered.nbytes), np.int64)
        self.answered = np.zeros(len(offered.nbytes), np.int64)
        self._called = self._followed = len(order)
        self._done = done
        self._by_themselves = Arrivals(self)
        self._followers = Followers(self)
        self._answered = Answered(self)

    cdef int start(self) except -1:
        """Let the first request arrive at its time, and the next ones after it."""
        return self._await_arrival()

    cdef int _await_arrival(self) except -1:
        if self._arrived < self._arrivals.shape[0]:
            self._queue.call(self._by_themselves, self._arrivals[self._arrived], URGENT)
        return 0

    cdef int arrive(self) except -1:
        """The next of those that arrive by themselves is there."""
        cdef Py_ssize_t index = self._order[self._arrived]
        self._arrived += 1
        self._await_arrival()
        return self._offer(index)

    cdef int follow(self) except -1:
        """The next of those that follow an answer is there."""
        self._followed += 1
        return self._offer(self._followed - 1)

    cdef int _offer(self, Py_ssize_t index) except -1:
        return self.take(
            <void*>index, <int>self._requests[index, 0], self._requests[index, 1],
            self._nbytes[index],
        )

    cdef int answer(self, const Request* request, int64_t time, int64_t now) except -1:
        cdef Py_ssize_t index = <Py_ssize_t>request.owner
        self.accepted[index], self.answered[index] = request.accepted, time
        if time <= now:
            return self.count()
        return self._queue.call(self._answered, time, NORMAL)

    cdef int count(self) except -1:
        """An answer is there; another request may follow it by a clock."""
        if self._called < self._nbytes.shape[0]:
            self._called += 1
            self._queue.call(self._followers, self._queue.now + self._clock_ps, NORMAL)
        return self._done.arrive()


cdef class Arrivals(Server):
    """The event that is the arrival of a channel's next request."""

    cdef ReplayChannel _channel

    def __init__(self, ReplayChannel channel):
        self._channel = channel

    cdef int wake(self) except -1:
        return self._channel.arrive()


@cython.final
cdef class Followers(Arrivals):
    """The event that is the arrival of a request after an answer."""

    cdef int wake(self) except -1:
        return self._channel.follow()


@cython.final
cdef class Answered(Arrivals):
    """The event that is an answer."""

    cdef int wake(self) except -1:
        return self._channel.count()
