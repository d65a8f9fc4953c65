"""Mistakes on the command line, in chip files and in networks: one true line each, exit code 2."""

from pathlib import Path

import pytest

from tlm.cli import main

NETWORK = """from tlm.workload.builder import Builder
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network
net = Builder((3, 8, 8), lif_neuron())
net.conv(16, {arguments})
net.linear(10, readout=True)
NETWORK = Network("x", tuple(net.layers), 1, 1, "direct", "a test")
"""


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a command is refused."""
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0].removeprefix("tlm: ")


@pytest.mark.parametrize(
    ("program", "line", "text"),
    [
        (
            NETWORK.format(arguments="3, bias=True"),
            5,
            "TypeError: Builder.conv() got an unexpected",
        ),
        (NETWORK.format(arguments="3"), 8, "NameError: name 'nets' is not defined; in: nets"),
        ("x = 1\nnet.conv(16, 3", 2, "'(' was never closed; in: net.conv(16, 3"),
        ("import no_such_module\n", 1, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("\nraise SystemExit\n", 2, "SystemExit; in: raise SystemExit"),
        ("def f():\n    f()\nf()\n", 2, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_mistake_in_a_network_of_ones_own_names_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, program: str, line: int, text: str
) -> None:
    """The user's own line is told, with what Python says of it; never a line of this program."""
    path = tmp_path / "net.py"
    path.write_text(program + ("nets\n" if line == 8 else ""))
    assert complaint(capsys, "run", f"{path}:dense").startswith(f"{path}:{line}: {text}")


def test_a_network_file_without_a_network(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A program that defines no NETWORK is told so."""
    path = tmp_path / "net.py"
    path.write_text("x = 1\n")
    line = complaint(capsys, "run", f"{path}:dense")
    assert line == f"{path}: expected NETWORK to be a Network, got nothing of that name"


def test_a_kernel_larger_than_its_input_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It is the kernel that does not fit, whatever is computed from it."""
    path = tmp_path / "net.py"
    path.write_text(NETWORK.format(arguments="11, 1, 1"))
    line = complaint(capsys, "run", f"{path}:dense")
    assert "layers[0].kernel: expected at most 10 x 10, in_shape with its padding" in line
    assert "got (11, 11)" in line


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "digits", "--report", "true"], 'unexpected argument "true": --report takes no'),
        (["run", "fed-mnist"], "fed-mnist is a federated run, of several workers: python -m tlm"),
        (["plot", "a", "b"], 'unexpected argument "b"; see python -m tlm plot --help'),
        (["gpu", "digits", "--gpu", "B200"], "Invalid value for '--gpu': 'B200' is not one of"),
        (["explain", "file.yaml"], "file.yaml: this is a file; give the folder of a finished run"),
        (["dram", "--pattern", "seq_rd", "--interval", "fast"], "DRAM load 'int:fast': expected"),
        (["dram", "--pattern", "seq_rd", "--interval", "1e300"], "DRAM load 'int:1e300': expected"),
        (
            ["dram", "--pattern", "seq_rd", "--interval", "999999999999"],
            "DRAM requests: request 5538 comes at",
        ),
        (
            ["dram", "--requests", "late.txt"],
            "DRAM requests: request 1 comes at 8330000",
        ),
        (["dram", "--preset", "DDR9"], "--preset: no device 'DDR9'; there are DDR3-1600"),
        (["config", "check", "tab.yaml"], "tab.yaml:2: "),
        (
            ["config", "check", "weights.yaml"],
            "weights.yaml:3: core.memory.weights: 4 Kib (512 B)",
        ),
        (
            ["config", "check", "arrays.yaml"],
            "arrays.yaml:2: core.engines: fp and wg must have",
        ),
        (["config", "check", "sums.yaml"], "sums.yaml:2: core.memory.partial_sums: 128 bit (16 B)"),
        (
            ["config", "check", "narrow.yaml", "--workload", "digits"],
            "narrow.yaml:2: core.memory.partial_sums: one row of ",
        ),
        (["run", "digits", "--chip", "weights.yaml"], "weights.yaml:3: core.memory.weights: 4 Kib"),
        (
            ["run", "digits", "--set", "core.memory.weights=512 B"],
            "--set: core.memory.weights: 4 Kib (512 B) are too small; two tiles of 16 x 16",
        ),
        (
            ["config", "check", "neuromc-20", "--set", "core.memory.weights=512 B"],
            "--set: core.memory.weights: 4 Kib (512 B) are too small",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    text: str,
) -> None:
    """Each line says what and where: the option, or the file, its line and the key."""
    monkeypatch.chdir(tmp_path)
    chip = "extends: neuromc-20\n"
    files = {
        "file.yaml": chip,
        "late.txt": "0x0 READ 100000000000000000\n" * 10,
        "tab.yaml": "mesh:\n\tcolumns: 3\n",
        "weights.yaml": f"{chip}core:\n  memory: {{weights: 512 B}}\n",
        "arrays.yaml": f"{chip}core: {{engines: {{fp: {{rows: 32}}}}}}\n",
        "sums.yaml": f"{chip}core: {{memory: {{partial_sums: 128 bit}}}}\n",
        "narrow.yaml": f"{chip}core: {{memory: {{partial_sums: 512 bit}}}}\n",
    }
    for name, content in files.items():
        Path(name).write_text(content)
    assert complaint(capsys, *words).startswith(text)


def test_what_is_right_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """A preset can be checked as a file can, a job with it; a device is named in any case."""
    assert main(["config", "check", "neuromc-20", "h2learn", "--workload", "digits"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "neuromc-20: ok: neuromc-20, 20 cores; digits fits"
    assert main(["gpu", "digits", "--gpu", "a100", "--json"]) == 0


@pytest.mark.parametrize("interval", ["1000000", "123456.7", "2.5"])
def test_an_interval_is_taken_as_it_is_written(
    capsys: pytest.CaptureFixture[str], interval: str
) -> None:
    """Neither rounded nor turned into another notation: request 11 comes at 10 intervals."""
    words = ["dram", "--pattern", "seq_rd", "--count", "11", "--interval", interval]
    assert main(words) == 0
    header, row = (line.split(",") for line in capsys.readouterr().out.splitlines())
    cells = dict(zip(header, row, strict=True))
    assert cells["load"] == f"int:{interval}"
    last_ns = int(10 * float(interval)) * 0.833
    assert last_ns < float(cells["time_ns"]) <= last_ns * 1.00001 + 100
