"""Ctrl-C and SIGTERM during a run: the first asks it to stop and write, the second aborts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 + signal, as shells have it


class Abort(BaseException):
    """The second signal: end at once. No KeyboardInterrupt, whose exit code typer would choose."""

    def __init__(self, exit_code: int) -> None:
        super().__init__()
        self.exit_code = exit_code


class StopRequest:
    """``exit_code`` is 0 until a signal asks the run to stop, and then that signal's."""

    def __init__(self) -> None:
        self.exit_code = 0

    def note(self, number: int, _: FrameType | None) -> None:
        """The signals' handler."""
        code = EXIT_CODES[signal.Signals(number)]
        if self.exit_code:
            raise Abort(code)
        self.exit_code = code


class CtrlC:
    """While the context lasts, remembers a Ctrl-C that somebody turned into another error.

    Extension modules do that when it comes while they are being imported or called.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._before: Any = None

    def __enter__(self) -> CtrlC:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.default_int_handler(number, frame)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Catch SIGINT and SIGTERM as long as the context lasts; outside the main thread, neither."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.note) for number in EXIT_CODES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            if handler is not None:  # else it was not Python that set it
                signal.signal(number, handler)
