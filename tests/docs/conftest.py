from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

MODULES = ("sphinx", "myst_nb", "furo", "pandas")


@dataclass(frozen=True)
class Build:
    """Sphinx at work: where the site will be, and where it complains."""

    process: subprocess.Popen[bytes]
    site: Path
    complaints: Path


@pytest.fixture(scope="package", autouse=True)
def build(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Build | None]:
    """The site, built by another process while the pages' commands run; None if nobody asks for it.

    It is a quarter of the time of these tests.
    """
    asked = any(item.path.stem == "test_site" for item in request.session.items)
    if not asked or not all(find_spec(module) for module in MODULES):
        yield None
        return
    folder = tmp_path_factory.mktemp("docs")
    words = ["-W", "--keep-going", "-q", "-d", str(folder / "cache")]
    with (folder / "complaints").open("wb") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "sphinx", *words, str(ROOT / "docs"), str(folder / "site")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
    yield Build(process, folder / "site", folder / "complaints")
    process.kill()
    process.wait()
