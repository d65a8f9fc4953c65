from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.gpu.measure import add_counters, main, measure_windows, read_counters, summarise
from tlm.errors import TraceError

LOG = """==PROF== Connected to process 1
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"1","7","lif","dram__bytes_read.sum","Mbyte","1.5"
"1","7","lif","dram__bytes_write.sum","Kbyte","1,024"
"0","7","conv","dram__bytes_read.sum","byte","64"
"0","7","conv","dram__bytes_write.sum","byte","0"
"""


def test_counters_of_a_profiler_log_by_kernel() -> None:
    """Units are read, thousands separators too, and kernels come in the order of launch."""
    assert read_counters(LOG.splitlines()) == [
        {"name": "conv", "dram_read_nbytes": 64, "dram_write_nbytes": 0},
        {"name": "lif", "dram_read_nbytes": 1_500_000, "dram_write_nbytes": 1_024_000},
    ]


@pytest.mark.parametrize(
    ("log", "text"),
    [("nothing\n", "no DRAM counters"), (LOG.replace('"byte"', '"sector"'), "unit")],
)
def test_a_log_without_counters_is_refused(tmp_path: Path, log: str, text: str) -> None:
    """One line says what was expected of which file."""
    (tmp_path / "m.json").write_text("{}")
    (tmp_path / "log.csv").write_text(log)
    with pytest.raises(TraceError, match=text):
        add_counters(tmp_path / "m.json", tmp_path / "log.csv")


def test_counters_join_a_measurement(tmp_path: Path) -> None:
    """The sums of both directions stand beside the kernels."""
    (tmp_path / "m.json").write_text('{"time_s": {"median": 1.0}}')
    (tmp_path / "log.csv").write_text(LOG)
    found = json.loads(add_counters(tmp_path / "m.json", tmp_path / "log.csv").read_text())
    assert found["dram_read_nbytes"] == 1_500_064
    assert found["time_s"] == {"median": 1.0}


def test_windows_divide_time_and_energy_by_steps() -> None:
    """A step of 0.1 s and 2 J, counted over windows of at least a second."""
    steps = [0]

    def run() -> None:
        steps[0] += 1

    windows = measure_windows(run, lambda: steps[0] / 10, lambda: 2.0 * steps[0], 1.0, 3)
    assert steps[0] == 30
    assert windows == [pytest.approx((0.1, 2.0))] * 3
    assert summarise(windows)["board_energy_j"]["median"] == pytest.approx(2.0)


def test_energy_is_null_without_a_counter() -> None:
    """No number is made up where the board cannot be read."""
    assert summarise([(1.0, None), (3.0, None)]) == {
        "windows": 2,
        "time_s": {"median": 2.0, "q1": 1.5, "q3": 2.5},
        "board_energy_j": None,
    }


def test_a_dry_run_on_the_cpu(tmp_path: Path) -> None:
    """The step trains on the CPU, and the file names versions and conditions."""
    torch = pytest.importorskip("torch")
    out = tmp_path / "cpu.json"
    words = ["mnist-fc", "--device", "cpu", "--precision", "fp32", "--neuron", "unfused"]
    assert main([*words, "--window", "0.01", "--windows", "1", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["time_s"]["median"] > 0
    assert found["conditions"]["torch"] == torch.__version__


def test_the_cpu_refuses_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    """AMP and fused neurons need a GPU; the line says what to give instead."""
    assert main(["mnist-fc", "--device", "cpu"]) == 2
    assert "--precision fp32 --neuron unfused" in capsys.readouterr().err
