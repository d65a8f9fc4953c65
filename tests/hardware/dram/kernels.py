"""DRAM channels on both kernels: SimPy's, and the compiled one where it has been built."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.hardware.kernels import both, if_built
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.ideal import IdealDram
from tlm.hardware.dram.replay import replay
from tlm.kernel import Environment, Transaction


def schedule(env, transaction, channel, delay):
    """Let a transaction arrive at a channel after a delay in ps."""
    transaction.callbacks = channel.callbacks
    env.schedule(transaction, delay=delay)


def schedule_compiled(env, transaction, channel, delay):
    """The same: one event of the same order."""
    env.timeout(delay).callbacks.append(lambda _: channel(transaction))


class Kernel(NamedTuple):
    """What a channel is built and tried with."""

    environment: Callable[[], Any]
    transaction: Callable[..., Any]
    channel: Callable[..., Any]
    ideal: Callable[..., Any]
    replay: Callable[..., Any]
    schedule: Callable[..., None]


SIMPY = Kernel(Environment, Transaction, DramChannel, IdealDram, replay, schedule)


def _compiled():
    from tlm.compiled import dram, environment, server
    from tlm.compiled.driver import dram_replay

    return Kernel(
        environment.CompiledEnvironment, server.Transaction, dram.DramChannel, dram.IdealDram,
        dram_replay(), schedule_compiled,
    )  # fmt: skip


COMPILED = if_built(_compiled)
KERNELS = both(SIMPY, COMPILED)
