"""Servers and completions: the private protocol of SimPy that the kernel leans on."""

from __future__ import annotations

import importlib.metadata

import pytest

from tlm.kernel import Environment, Inbox, Transaction, start_server


def transaction(ident, path=()):
    """A transaction at the start of its path."""
    transaction = Transaction(ident, 0, 0, 64, 0, None)
    if path:
        transaction.callbacks, transaction.path = path
    return transaction


def fifo(env, inbox, log, service_ps=0):
    """A server that logs (time, ident) and keeps a busy-until time."""
    free_at = 0
    while True:
        arrived = yield inbox
        free_at = max(free_at, env.now) + service_ps
        log.append((env.now, arrived.ident, free_at))


def test_simpy_version_is_the_one_the_protocol_was_read_from():
    """SimPy 4 from 4.1 on; another major version must be read before it is allowed."""
    major, minor = map(int, importlib.metadata.version("simpy").split(".")[:2])
    assert major == 4
    assert minor >= 1


def test_a_server_waits_before_time_0_and_costs_no_event():
    """After ``start_server`` the heap is empty and the process waits at its inbox."""
    env, inbox, log = Environment(), Inbox(), []
    (resume,) = start_server(inbox, fifo(env, inbox, log))
    assert env.peek() == float("inf")
    assert env.now == 0
    resume(transaction(7))
    assert log == [(0, 7, 0)]


def test_a_transaction_is_its_own_event_and_arrives_at_the_server():
    """Scheduling the object resumes the server at the due time with the object itself."""
    env, inbox, log = Environment(), Inbox(), []
    callbacks = start_server(inbox, fifo(env, inbox, log))
    for delay in (30, 10):
        env.schedule(transaction(delay, (callbacks, ())), delay=delay)
    env.run()
    assert log == [(10, 10, 10), (30, 30, 30)]


def test_the_same_transaction_is_rearmed_at_every_hop():
    """Two servers in a row hand on one object; each hop is one heap event."""
    env, log = Environment(), []

    def hop(inbox, name):
        while True:
            arrived = yield inbox
            log.append((env.now, name, arrived.ident))
            if arrived.path:
                arrived.callbacks, arrived.path = arrived.path
                env.schedule(arrived, delay=5)

    first, second = Inbox(), Inbox()
    last = start_server(second, hop(second, "second"))
    path = (start_server(first, hop(first, "first")), (last, ()))
    for ident in (0, 1):
        env.schedule(transaction(ident, path), delay=ident)
    steps = 0
    while env.peek() != float("inf"):
        env.step()
        steps += 1
    assert log == [(0, "first", 0), (1, "first", 1), (5, "second", 0), (6, "second", 1)]
    assert steps == 4


def test_transactions_at_one_time_are_served_in_order_of_scheduling():
    """The tie-break between events at one time is first scheduled, first served."""
    env, inbox, log = Environment(), Inbox(), []
    callbacks = start_server(inbox, fifo(env, inbox, log, service_ps=4))
    for ident in (3, 1, 2):
        env.schedule(transaction(ident, (callbacks, ())), delay=10)
    env.run()
    assert log == [(10, 3, 14), (10, 1, 18), (10, 2, 22)]


def test_a_generator_that_ends_is_no_server():
    """A server that returns instead of waiting is refused when it is started."""

    def short():
        return
        yield

    with pytest.raises(RuntimeError, match="short did not wait for its inbox"):
        start_server(Inbox(), short())


def test_a_generator_that_waits_for_something_else_first_is_no_server():
    """A server has to wait at its inbox first: nothing else can tell its resume method."""
    env = Environment()

    def late():
        yield env.timeout(1)

    with pytest.raises(RuntimeError, match="late did not wait for its inbox"):
        start_server(Inbox(), late())


def test_an_error_inside_a_server_ends_the_run():
    """A server that raises is not lost in the heap: the run raises it."""
    env, inbox = Environment(), Inbox()

    def failing(inbox):
        yield inbox
        raise ValueError("broken")

    callbacks = start_server(inbox, failing(inbox))
    env.schedule(transaction(0, (callbacks, ())), delay=1)
    with pytest.raises(ValueError, match="broken"):
        env.run()


def test_done_counts_its_arrivals(kernel):
    """It is complete after the last arrival announced."""
    done = kernel.done(3, "three")
    for _ in range(2):
        done.arrive()
        assert not done.complete
    done.arrive()
    assert done.complete


def test_done_of_nothing_is_complete_and_can_be_yielded(kernel):
    """A count of 0 needs no arrival; a process that yields it goes on at once."""
    env, log = kernel.environment(), []
    done = kernel.done(0, "nothing")

    def process():
        yield done
        log.append(env.now)

    env.process(process())
    env.run()
    assert done.complete
    assert log == [0]


def test_what_is_complete_can_be_yielded(kernel):
    """Who comes after the last arrival goes on at once, be it the one who is told of it."""
    env, log = kernel.environment(), []
    done = kernel.done(1, "one")

    def process(name):
        yield done
        yield done
        log.append(name)

    env.process(process("before"))
    env.step()
    done.arrive()
    assert log == ["before"]
    env.process(process("after"))
    env.run()
    assert log == ["before", "after"]
    assert done.callbacks is None


def test_one_arrival_too_many_raises_with_the_label(kernel):
    """More arrivals than announced are a fault of the model, never ignored."""
    done = kernel.done(1, "dS of conv1")
    done.arrive()
    with pytest.raises(RuntimeError, match="dS of conv1: more arrivals than announced"):
        done.arrive()


def test_an_arrival_nobody_announced_raises(kernel):
    """A completion of count 0 takes no arrival at all."""
    with pytest.raises(RuntimeError, match="more arrivals"):
        kernel.done(0, "nothing").arrive()


def test_the_last_arrival_resumes_the_waiting_process_in_place(kernel):
    """Who waits goes on inside ``arrive``, before its caller, and without a heap event."""
    env, log = kernel.environment(), []
    done = kernel.done(2, "two")

    def waiter():
        yield done
        log.append(("waiter", env.now))

    env.process(waiter())
    env.step()
    assert done.awaited
    done.arrive()
    assert log == []
    done.arrive()
    log.append(("caller", env.now))
    assert log == [("waiter", 0), ("caller", 0)]
    assert not done.awaited


def test_all_waiting_processes_are_resumed_in_order_of_waiting(kernel):
    """Several processes may wait for one completion."""
    env, log = kernel.environment(), []
    done = kernel.done(1, "one")

    def waiter(name):
        yield done
        log.append(name)

    for name in ("a", "b", "c"):
        env.process(waiter(name))
    for _ in range(3):
        env.step()
    done.arrive()
    assert log == ["a", "b", "c"]


def test_a_process_resumed_in_place_can_wait_again_and_resume_others(kernel):
    """A chain of in-place resumes ends where the first caller was, with every process alive."""
    env, log = kernel.environment(), []
    first, second, third = (kernel.done(1, label) for label in ("first", "second", "third"))

    def middle():
        yield first
        second.arrive()
        log.append("middle")
        yield third
        log.append("middle again")

    def end():
        yield second
        log.append("end")
        yield env.timeout(3)
        third.arrive()

    env.process(middle())
    env.process(end())
    env.timeout(5).callbacks.append(lambda _: first.arrive())
    env.run()
    assert log == ["end", "middle", "middle again"]
    assert env.now == 8
