"""Ctrl-C: processes that are not to hear it are born deaf to it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tlm.running.interrupts import interrupts_held

BORN = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"


def is_deaf() -> bool:
    """Whether a process that is begun now will not hear SIGINT."""
    child = subprocess.run([sys.executable, "-c", BORN], capture_output=True, text=True, check=True)
    return child.stdout == "True\n"


def test_a_process_begun_while_interrupts_are_held_never_hears_one() -> None:
    """And one that is begun after that does."""
    with interrupts_held():
        assert is_deaf()
    assert not is_deaf()


def test_an_interrupt_that_was_held_arrives_afterwards() -> None:
    """It is not lost: whoever listens gets it at the end of the context, and not before."""
    reached = False
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert reached
