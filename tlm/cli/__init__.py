"""The command line ``python -m tlm``: one module per verb, and one place where errors end.

typer needs the verbs' signatures only. So a verb's module imports typer, options and errors at its
top; all that costs time (rich, pydantic, numpy, h5py, simpy, and every room that uses them) is
imported inside the functions that need it.

A verb may have more than six parameters: typer makes one option of each.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tlm.cli.area import area
from tlm.cli.compare import compare
from tlm.cli.config import config_app
from tlm.cli.counterfactual import counterfactual
from tlm.cli.doctor import doctor
from tlm.cli.dram import dram
from tlm.cli.explain import explain
from tlm.cli.export import export
from tlm.cli.federated import federated
from tlm.cli.gpu import gpu
from tlm.cli.map import map_
from tlm.cli.noc import noc
from tlm.cli.plot import plot
from tlm.cli.presets import presets
from tlm.cli.report import report
from tlm.cli.rerun import rerun
from tlm.cli.run import run
from tlm.cli.sweep import sweep
from tlm.cli.synapses import synapses
from tlm.cli.validate import validate
from tlm.cli.workload import record, workload_app
from tlm.errors import DISK_FULL, DiskFullError, InterruptedRunError, OutOfMemoryError, TlmError
from tlm.files import printable
from tlm.running.interrupts import Abort, SignalHeard
from tlm.version import __version__

_HELP = """Simulate a recorded SNN training job on a multi-core neuromorphic chip.

Exit codes: 0 ok; 2 bad input; 3 invalid result; 4 deadlock; 130 interrupted; 143 terminated;
5 out of memory; 6 disk full; 141 nobody reads the output; 1 a fault of this program.
"""

SCRIPT = "tlm"
INTERRUPTED = 130
CLOSED_PIPE = 141  # 128 + SIGPIPE, as shells have it
INTERNAL_FAULT = 1

# click's usage error, in whichever package this version of typer keeps click.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    help=_HELP, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False
)
app.command()(run)
app.command()(counterfactual)
app.command()(federated)
app.command()(rerun)
app.command("map")(map_)
app.command()(sweep)
app.command()(presets)
app.command()(area)
app.add_typer(config_app, name="config")
app.add_typer(workload_app, name="workload")
app.command()(record)
app.command()(compare)
app.command()(explain)
app.command()(report)
app.command()(plot)
app.command()(export)
app.command()(noc)
app.command()(dram)
app.command()(synapses)
app.command()(validate)
app.command()(gpu)
app.command()(doctor)


def _print_version(is_asked_for: bool) -> None:
    if is_asked_for:
        typer.echo(f"tlm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; put before the verb.")
    ] = False,
) -> None:
    """Options that stand before the verb; ``main`` looks for --debug itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors go to stderr, one line each.

    Args:
        arguments: the words after ``python -m tlm``; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a name may hold what the terminal cannot write
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with SignalHeard() as heard:
        code = _run(words, heard)
    if code == DiskFullError.exit_code or code == CLOSED_PIPE:
        _forget(sys.stdout)
    return code


def _run(words: list[str], heard: SignalHeard) -> int:
    try:
        code = app(words, prog_name=_program(words), standalone_mode=False)
        if code == INTERRUPTED:  # typer's, of a KeyboardInterrupt
            raise Abort(code)
        if sys.stdout is not None:
            sys.stdout.flush()
    except InterruptedRunError as error:
        return _report(error, words)
    except (Exception, KeyboardInterrupt, Abort, SystemExit) as error:
        if isinstance(error, KeyboardInterrupt | Abort | typer.Abort) or heard.exit_code:
            _complain("interrupted")
            return error.exit_code if isinstance(error, Abort) else heard.exit_code or INTERRUPTED
        if words[:1] == ["--debug"]:
            traceback.print_exc()
        return _report(error, words)
    return code if isinstance(code, int) else 0


def _forget(stream: TextIO | None) -> None:
    """Let nothing more be written to a stream that takes nothing: Python would try at its exit."""
    if stream is None:
        return
    with contextlib.suppress(OSError):  # no file of the system, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _program(words: Sequence[str]) -> str:
    """The name that help and completion go by: shells complete the script ``tlm`` only."""
    script = Path(sys.argv[0]).name == SCRIPT or f"_{SCRIPT.upper()}_COMPLETE" in os.environ
    return SCRIPT if script or any("-completion" in word for word in words) else "python -m tlm"


def _report(error: BaseException, words: Sequence[str]) -> int:
    """Print what went wrong and return the exit code it stands for."""
    if isinstance(error, TlmError):
        _complain(str(error))
        return error.exit_code
    if isinstance(error, _UsageError):
        _complain(_usage(" ".join(error.format_message().split()), words))  # type: ignore[attr-defined]
        return TlmError.exit_code
    if isinstance(error, MemoryError):
        _complain("memory ran out; free some, or choose a smaller job")
        return OutOfMemoryError.exit_code
    if isinstance(error, SystemExit):  # how typer and rich end where nobody reads any more
        is_closed_pipe = isinstance(error.__context__, BrokenPipeError)
        return CLOSED_PIPE if is_closed_pipe else int(error.code or 0)
    if isinstance(error, BrokenPipeError):
        return CLOSED_PIPE
    if isinstance(error, OSError) and (error.filename is not None or error.errno in DISK_FULL):
        lost = "standard output: what is printed is lost, files are whole"
        _complain(f"{error.filename or lost}: {error.strerror}")
        return (DiskFullError if error.errno in DISK_FULL else TlmError).exit_code
    _complain(
        f"internal error: {type(error).__name__}: {error}; "
        "python -m tlm --debug ... shows where, please report it"
    )
    return INTERNAL_FAULT


def _usage(text: str, words: Sequence[str]) -> str:
    """click's words for a wrong command line, made plain where they are not."""
    extra = re.fullmatch(r"Got unexpected extra arguments? \((.+)\)", text.replace("(s)", ""))
    if extra is None:
        return text.replace("Value error, ", "") or "no command given; see python -m tlm --help"
    first = extra[1].split()[0]
    before = words[words.index(first) - 1] if first in words[1:] else ""
    if before.startswith("--") and "=" not in before:
        return f'unexpected argument "{first}": {before} takes no value; leave it out'
    verb = " ".join(words[: 2 if words[0] in ("config", "workload") else 1])
    return f'unexpected argument "{first}"; see python -m tlm {verb} --help'


def _complain(text: str) -> None:
    try:
        for line in text.split("\n"):
            print(f"tlm: {printable(line)}", file=sys.stderr)
    except OSError:
        _forget(sys.stderr)
