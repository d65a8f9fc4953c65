"""Both kernels leave the same bytes; which of them a run takes."""

import json

import pytest

from tests.hardware.kernels import needs_compiled
from tests.reliability.kernels import (
    FEDERATED,
    IDENTICAL,
    REFUSED,
    differences,
    different_files,
    outcomes,
    requests,
)
from tlm.errors import ConfigError
from tlm.running.kernels import kernel_of
from tlm.running.runner import run_job
from tlm.space.trace_rows import EngineState
from tlm.workload.bundled import bundled_names

DIGITS = dict(requests("digits"))


@needs_compiled
@pytest.mark.parametrize("name", DIGITS)
def test_kernels_leave_the_same_bytes(name):
    """On networks, DRAM policies, clock domains and schedules of every kind; of inference, too."""
    assert differences(DIGITS[name]) == []


@needs_compiled
@pytest.mark.parametrize("job", FEDERATED)
def test_an_iteration_of_a_federated_run_leaves_the_same_bytes(job):
    """The first that is simulated."""
    name, asked = next(requests(job))
    assert differences(asked) == [], name


@pytest.mark.slow
@needs_compiled
@pytest.mark.parametrize("job", [*bundled_names(), *FEDERATED])
def test_every_job_leaves_the_same_bytes(job):
    """The full form of the tests above."""
    ends = dict(outcomes(job))
    assert IDENTICAL in ends.values()
    assert set(ends.values()) <= {IDENTICAL, REFUSED}, ends


@needs_compiled
def test_another_seed_of_work_is_noticed(tmp_path):
    """The comparison sees what differs, and what one of two runs lacks."""
    for name, chip in (("a", ()), ("b", ("core.outstanding=5",))):
        run_job("digits", overrides=chip, out=tmp_path / name)
    (tmp_path / "a" / "stats.csv").unlink()
    assert {"stats.csv", "trace.h5"} <= set(different_files(tmp_path / "a", tmp_path / "b"))


@pytest.mark.parametrize("kernel", ["simpy", pytest.param("compiled", marks=needs_compiled)])
def test_the_manifest_names_the_kernel(tmp_path, kernel):
    """What was asked for, and what it ran on."""
    run_job("digits", out=tmp_path / "run", kernel=kernel, trace="off")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["request"]["kernel"], manifest["cost"]["kernel"]) == (kernel, kernel)


def test_a_kernel_that_is_not_there_is_refused(tmp_path, monkeypatch):
    """Before anything is loaded or written, with what to do."""
    monkeypatch.setattr("tlm.running.kernels.why_missing", lambda: "not built")
    with pytest.raises(ConfigError, match="kernel: the compiled one is not built"):
        run_job("digits", out=tmp_path / "run", kernel="compiled")
    with pytest.raises(ConfigError, match="there is no 'systemc'"):
        run_job("digits", out=tmp_path / "run", kernel="systemc")
    assert not (tmp_path / "run").exists()
    assert kernel_of().name == "simpy"


def test_states_have_the_numbers_that_the_compiled_engine_uses():
    """COMPUTE to NOT_BEGUN are 0 to 6 in tlm/compiled/engine.pyx."""
    assert [state.name for state in EngineState] == [
        "COMPUTE", "STALL_DEPENDENCY", "STALL_DRAM", "STALL_NOC", "STALL_WRITEBACK", "IDLE",
        "NOT_BEGUN",
    ]  # fmt: skip
