"""A recorded federated run, and a small chip, written once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.federated.recording import write_chip, write_recording


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording ``fed`` of three workers and a chip ``small.yaml``."""
    folder = tmp_path_factory.mktemp("federated")
    write_recording(folder / "fed")
    write_chip(folder / "small.yaml")
    return folder
