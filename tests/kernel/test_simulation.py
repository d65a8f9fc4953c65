"""The run loop: an explicit end, deadlock, livelock, integer time."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hardware.kernels import needs_compiled
from tlm.kernel import Environment, StuckError, run_until
from tlm.kernel.simulation import EVENTS_PER_LOOK, LIVELOCK_LOOKS


def ticking(env, done, period_ps, ticks):
    """A process that arrives at ``done`` once a period."""
    for _ in range(ticks):
        yield env.timeout(period_ps)
        done.arrive()


def endless(env, period_ps):
    """A process that never ends."""
    while True:
        yield env.timeout(period_ps)


def test_a_run_ends_when_its_completion_does(kernel):
    """Time stops at the last arrival although events are left; the events are counted."""
    env, done = kernel.environment(), kernel.done(4, "the end")
    env.process(ticking(env, done, 2000, 4))
    env.process(endless(env, 700))
    events = run_until(env, done)
    assert env.now == 8000
    assert events == 2 + 4 + 8000 // 700  # two starts, four ticks, the other process's


def test_a_run_that_is_done_processes_no_event(kernel):
    """Nothing to wait for, nothing to do."""
    env = kernel.environment()
    env.timeout(10)
    assert run_until(env, kernel.done(0, "nothing")) == 0
    assert env.now == 0


def test_a_deadlock_is_no_end(kernel):
    """An empty heap with work left raises, with the time at which it ran dry."""
    env, done = kernel.environment(), kernel.done(3, "the end")
    env.process(ticking(env, done, 500, 2))
    with pytest.raises(StuckError, match="no event left at 1000 ps"):
        run_until(env, done)


def test_simpy_alone_would_return_from_the_same_deadlock(kernel):
    """Why ``run_until`` exists: ``env.run()`` ends normally and reports a shorter time."""
    env, done = kernel.environment(), kernel.done(3, "the end")
    env.process(ticking(env, done, 500, 2))
    env.run()
    assert env.now == 1000
    assert not done.complete


def test_time_that_stands_still_is_a_livelock(kernel):
    """Events without progress of time end in an error, not in an endless run."""
    env = kernel.environment()
    env.process(ticking(env, kernel.done(1, "first"), 30, 1))
    env.process(endless(env, 0))
    with pytest.raises(StuckError, match="time stands still at 0 ps"):
        run_until(env, kernel.done(1, "never"))


def test_many_events_at_one_time_are_no_livelock(kernel):
    """A burst below the limit at one instant is legal."""
    env, done = kernel.environment(), kernel.done(1, "the end")
    for _ in range(EVENTS_PER_LOOK * (LIVELOCK_LOOKS // 25)):
        env.timeout(5)
    env.process(ticking(env, done, 9, 1))
    run_until(env, done)
    assert env.now == 9


def test_events_of_one_time_come_by_their_priority(kernel):
    """The beginning of a process comes before what was scheduled sooner."""
    env, log = kernel.environment(), []

    def process():
        log.append("process")
        yield env.timeout(5)

    for number in range(3):
        env.timeout(0).callbacks.append(lambda _, number=number: log.append(number))
    env.process(process())
    env.run()
    assert log == ["process", 0, 1, 2]


def test_an_error_in_a_process_ends_the_run(kernel):
    """It is raised where the run was begun."""
    env = kernel.environment()

    def process():
        yield env.timeout(5)
        raise ValueError("broken")

    env.process(process())
    with pytest.raises(ValueError, match="broken"):
        env.run()
    assert env.now == 5


@needs_compiled
def test_no_event_lies_in_the_past():
    """The compiled queue, which anything can schedule in, refuses it."""
    from tlm.compiled.queue import EventQueue

    queue, event = EventQueue(), Environment().event()
    queue.schedule(event, delay=0)
    with pytest.raises(ValueError, match="an event at -1 ps, which is over at 0 ps"):
        queue.schedule(event, delay=-1)
    assert len(queue) == 1


def test_time_is_an_integer(kernel):
    """Integer delays give an integer clock, however often they are added up."""
    env, done = kernel.environment(), kernel.done(1000, "the end")
    env.process(ticking(env, done, 333, 1000))
    run_until(env, done)
    assert env.now == 333_000
    assert type(env.now) is int


def test_a_look_sees_time_and_events_and_may_stop_the_run(kernel):
    """``on_look`` is called between events; what it raises ends the run."""
    env, looks = kernel.environment(), []
    env.process(endless(env, 10))

    def look(now, events):
        looks.append((now, events))
        if len(looks) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_until(env, kernel.done(1, "never"), look)
    assert [events for _, events in looks] == [EVENTS_PER_LOOK, 2 * EVENTS_PER_LOOK]
    assert looks[0][0] == (EVENTS_PER_LOOK - 1) * 10


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(kernel, enabled):
    """Also after a deadlock."""
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(StuckError):
            run_until(kernel.environment(), kernel.done(1, "never"))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def test_time_that_passes_without_work_is_a_livelock(kernel):
    """A process that polls for ever moves the clock, but nothing gets done."""
    env = kernel.environment()
    env.process(endless(env, 10))
    with pytest.raises(StuckError, match="no work done in the last 1000000 events"):
        run_until(env, kernel.done(1, "never"), progress=lambda: 0)


def test_slow_work_is_no_livelock(kernel):
    """One piece of work in every half million events is enough."""
    env, done = kernel.environment(), kernel.done(2, "the end")
    limit = EVENTS_PER_LOOK * LIVELOCK_LOOKS // 2
    env.process(endless(env, 1))
    env.process(ticking(env, done, limit, 2))
    run_until(env, done, progress=lambda: -done.remaining)
    assert env.now == 2 * limit


HORIZON_PS = 1 << 20  # of the wheel of the compiled queue; what is later lies in its heap


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([0, 1, 700, 1023, 1024, HORIZON_PS - 1, HORIZON_PS, HORIZON_PS + 1])
            | st.integers(0, 3 * HORIZON_PS),
        ),
        min_size=1,
        max_size=200,
    )
)
def test_events_come_in_order_however_far_ahead_they_are(kernel, asked):
    """By time, priority and order of scheduling; each schedules the next two of a list."""
    env, seen, left = kernel.environment(), [], list(enumerate(asked))

    def schedule():
        if left:
            number, (priority, delay) = left.pop(0)
            event = env.event()
            event._ok, event._value = True, None
            expected = (env.now + delay, priority, number)
            coming.append(expected)
            event.callbacks.append(lambda _: happen(expected))
            env.schedule(event, priority, delay)

    def happen(expected):
        seen.append(env.now)
        assert expected == min(coming)
        coming.remove(expected)
        assert env.now == expected[0]
        schedule()
        schedule()

    coming: list[tuple[int, int, int]] = []
    schedule()
    while coming:
        assert env.peek() == min(coming)[0]
        env.step()
    assert len(seen) == len(asked) and env.peek() == float("inf")
