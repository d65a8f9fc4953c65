"""Ctrl-C and SIGTERM: a simulation is asked to stop and write, all other work ends where it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tlm.errors import InterruptedRunError

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 + signal, as shells have it

Handler = Callable[[int, FrameType | None], None]


class Abort(BaseException):
    """The second signal: end at once. No KeyboardInterrupt, whose exit code typer would choose."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


class StopRequest:
    """``exit_code`` is 0 until a signal asks the run to stop, and then that signal's."""

    def __init__(self) -> None:
        self.exit_code = 0
        self._is_urgent = False

    def note(self, number: int, _: FrameType | None) -> None:
        """The signals' handler: the first waits until somebody looks, unless that is urgent."""
        is_second, self.exit_code = bool(self.exit_code), EXIT_CODES[signal.Signals(number)]
        if is_second or self._is_urgent:
            raise Abort(self.exit_code)

    @contextmanager
    def urgent(self, work: str) -> Iterator[None]:
        """A long piece of ``work`` that looks at no signals: the first one ends it.

        Raises:
            InterruptedRunError: a signal came, before the work or in the middle of it.
        """
        if self.exit_code:
            raise InterruptedRunError(f"interrupted before {work}", self.exit_code)
        self._is_urgent = True
        try:
            yield
        except Abort as abort:
            raise InterruptedRunError(f"interrupted in {work}", abort.exit_code) from None
        finally:
            self._is_urgent = False


class SignalHeard:
    """While the context lasts, the first SIGINT or SIGTERM raises Abort wherever the program is.

    ``exit_code`` is that signal's, also where an extension module turned the Abort into another
    error, as some do when they are being imported. The second signal kills the process.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalHeard:
        self._before = _handle(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        _put_back(self._before)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.exit_code = EXIT_CODES[signal.Signals(number)]
        for each in EXIT_CODES:
            signal.signal(each, signal.SIG_DFL)
        raise Abort(self.exit_code)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM as long as the context lasts; outside the main thread, neither.

    A signal that nobody looked at any more is sent again at the end, to whoever listens then.
    """
    request = StopRequest()
    before = _handle(request.note)
    try:
        yield request
    finally:
        _put_back(before)
    for number, code in EXIT_CODES.items():
        if before and code == request.exit_code:
            signal.raise_signal(number)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back while the context lasts: processes begun in it never hear a Ctrl-C.

    They are for whoever began them to end. A SIGINT that came arrives when the context ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handle(handler: Handler) -> dict[signal.Signals, Any]:
    """Install a handler of both signals; returns those before, none outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in EXIT_CODES}


def _put_back(before: dict[signal.Signals, Any]) -> None:
    for number, handler in before.items():
        if handler is not None:  # else it was not Python that set it
            signal.signal(number, handler)
