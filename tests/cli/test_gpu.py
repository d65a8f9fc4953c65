from __future__ import annotations

from dataclasses import replace

import pytest
from tlm_analysis.gpu.screen import screen
from tlm_analysis.gpu.step.recorded import network_of

from tests.program.graphs import builder, workload
from tlm.cli import main


def test_gpu_prints_a_step_and_its_conditions(capsys: pytest.CaptureFixture[str]) -> None:
    """A bundled job on the default device: fused and AMP, with every assumption below."""
    assert main(["gpu", "mnist-fc", "--top", "2"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("mnist-fc, B=")
    assert "amp, fused; modelled, not measured" in text
    assert "the DRAM comparison is not applicable" in text


def test_gpu_options_choose_device_numbers_and_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    """Each option shows in the first line."""
    words = ["gpu", "mnist-fc", "--gpu", "H200", "--precision", "fp32", "--neuron", "unfused"]
    assert main(words) == 0
    assert "on H200-SXM5-141GB: fp32, unfused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["gpu"], "no workload: expected a recorded job's name or file, or --validate"),
        (["gpu", "mnist-fcc"], 'did you mean "mnist-fc"?'),
        (["gpu", "mnist-fc", "--gpu", "B200"], "'B200' is not one of"),
    ],
)
def test_gpu_refuses_wrong_words(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what was expected."""
    assert main(words) == 2
    assert text in capsys.readouterr().err


def test_long_names_of_kernels_keep_their_end_and_their_column() -> None:
    """What a kernel does comes last in its name; a line has 80 columns at most."""
    net = builder((2, 4, 4))
    net.conv(4, kernel=1)
    net.conv(4, kernel=1)
    first, second = net.layers
    long = replace(second, name="blocks.11.attention.projection.modules_of_step.0")
    network = network_of(workload([first, long]))
    lines = screen(network, "A100", "amp", "fused", (), 50).split("longest kernels")[1].splitlines()
    rows = [line for line in lines[1:] if "attention" in line or "modules" in line]
    assert rows and all(row.startswith("..") and len(row) <= 80 for row in rows)
    assert any("modules_of_step.0 gradient cast" in row for row in rows)
