"""A throw-away virtual environment for a peer: never a dependency of ours.

It lies in ``build/benchmarks`` and is made once; remove the folder to make it anew.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import ROOT

FOLDER = ROOT / "build" / "benchmarks"
_DONE = "requirements.txt"  # written last


class Unavailable(RuntimeError):
    """A peer cannot be installed or run here; the text says why."""


def python_with(name: str, *requirements: str) -> str:
    """The interpreter of an environment that holds ``requirements`` and what they need.

    Raises:
        Unavailable: pip cannot install them; its last line tells why.
    """
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / _DONE
    wanted = "\n".join(requirements)
    if not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *requirements]
        pip = subprocess.run(install, capture_output=True, text=True)
        if pip.returncode:
            last = (pip.stderr.strip().splitlines() or [f"exit {pip.returncode}"])[-1]
            raise Unavailable(f"pip install {' '.join(requirements)}: {last}")
        done.write_text(wanted, encoding="utf-8")
    return str(python)


def compiled(source: Path, *libraries: str) -> Path:
    """A C++ program, compiled with optimisation.

    Raises:
        Unavailable: there is no compiler, or it fails; its first line tells why.
    """
    program = FOLDER / source.stem
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["g++", "-O2", "-std=c++17", "-o", program, source, *libraries]
    try:
        compiler = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Unavailable(f"{source.name}: {error}") from error
    if compiler.returncode:
        raise Unavailable(f"{source.name}: {compiler.stderr.strip().splitlines()[0]}")
    return program
