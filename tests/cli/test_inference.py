"""Inference on the command line: what the screen says, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.cli.test_mistakes import complaint
from tlm.cli import main

QUIET = ("--trace", "off")


def test_the_screen_speaks_of_inference_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Batches, not iterations; FP engines alone, no gradient, no warning of idle engines."""
    words = ["run", "mnist-fc", "--mode", "inference", "--batch", "2", "--out", str(tmp_path / "r")]
    assert main([*words, *QUIET]) == 0
    text = capsys.readouterr().out
    assert "mnist-fc inference, B=2 T=4" in text and " per batch, " in text
    assert "synaptic operations, " in text and " each in the cores" in text
    assert "iteration" not in text and "odd: engine" not in text
    assert "\nBP " not in text and "zero slices" not in text


def test_the_screen_says_when_samples_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fewest and the most steps of a sample, and the mean; the same in JSON."""
    words = ["run", "mnist-fc-t25", "--mode", "inference", "--stop", "first-spike", *QUIET]
    assert main([*words, "--out", str(tmp_path / "a")]) == 0
    assert "until its first output spike: 1 to 3 steps, 1.12 on average" in capsys.readouterr().out
    assert main([*words, "--json", "--out", str(tmp_path / "b")]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["workload"]["mode"] == "inference"
    assert sum(summary["workload"]["steps_run"]) == 18
    assert summary["synaptic"]["operations"] > 0


def test_training_says_what_a_synaptic_operation_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of FP, as papers compare it."""
    assert main(["run", "mnist-fc", "--out", str(tmp_path / "r"), *QUIET]) == 0
    assert "\nFP: 84,970 synaptic operations" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["explain", "report", "export"])
def test_a_run_of_inference_is_read_as_any_other(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its trace; explain runs it again as inference, too."""
    folder = str(tmp_path / "r")
    asked = ["--mode", "inference", "--stop", "first-spike", "--batch", "3"]
    assert main(["run", "digits", *asked, "--out", folder]) == 0
    capsys.readouterr()
    options = ["--csv", "--perfetto"] if verb == "export" else []
    assert main([verb, folder, *options]) == 0
    text = capsys.readouterr().out
    assert "BP FC" not in text.upper() and "BP engines" not in text
    assert main(["rerun", folder]) == 0


def test_compare_says_that_modes_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A difference to training is not one of chips."""
    folders = [str(tmp_path / mode) for mode in ("training", "inference")]
    for mode, folder in zip(("training", "inference"), folders, strict=True):
        assert main(["run", "mnist-fc", "--mode", mode, "--out", folder]) == 0
    capsys.readouterr()
    assert main(["compare", *folders]) == 0
    text = capsys.readouterr().out
    assert "not the same work: mode training -> inference" in text
    assert "mnist-fc, B=16" in text and "mnist-fc inference, B=16" in text


def test_a_gpu_infers_with_forward_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so; a run of training is not set beside it."""
    assert main(["gpu", "mnist-fc", "--mode", "inference"]) == 0
    text = capsys.readouterr().out
    assert "per batch of inference" in text and "lif grad" not in text


def test_a_gpu_infers_with_some_samples_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a run does, so that the two can stand side by side; training has no such choice."""
    run_dir = str(tmp_path / "r")
    asked = ["mnist-fc", "--mode", "inference", "--batch", "2"]
    assert main(["run", *asked, "--out", run_dir, *QUIET]) == 0
    capsys.readouterr()
    assert main(["gpu", *asked, "--run", run_dir]) == 0
    assert capsys.readouterr().out.startswith("mnist-fc, B=2 T=4")
    assert "; give --batch 2" in complaint(capsys, "gpu", *asked[:3], "--run", run_dir)
    assert "use it with mode inference" in complaint(capsys, "gpu", "mnist-fc", "--batch", "2")
    assert "has 16 recorded samples" in complaint(capsys, "gpu", *asked[:3], "--batch", "17")


def test_early_exit_is_named_beside_a_gpu_and_beside_all_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The GPU runs all steps, and says so; another rule of stopping is no other chip."""
    folders = [str(tmp_path / stop) for stop in ("all-steps", "first-spike")]
    for folder in folders:
        words = ["run", "digits", "--mode", "inference", "--stop", Path(folder).name]
        assert main([*words, "--out", folder]) == 0
        noted = "the GPU runs all" in " ".join(capsys.readouterr().out.split())
        assert noted == folder.endswith("first-spike")
        assert main(["report", folder]) == 0
        page = (Path(folder) / "report.html").read_text()
        assert ("the GPU runs all" in page) == noted
    capsys.readouterr()
    assert main(["compare", *folders]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "not the same work: stop all-steps -> first-spike" in text


def test_counterfactuals_of_inference_have_no_other_phase(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Recorded, dense, as an ANN and at one density."""
    words = ["counterfactual", "mnist-fc", "--mode", "inference", "--density", "0.1", "--json"]
    assert main(words) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {phase for run in runs.values() for phase in run["span_ps"]} == {"fp"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("mnist-fc", "--batch", "2"), "batch: a training iteration runs as it was recorded"),
        (("mnist-fc", "--stop", "first-spike"), "stop: a training iteration runs as it was"),
        (("mnist-fc", "--mode", "inference", "--batch", "17"), "has 16 recorded samples, not 17"),
        (
            ("digits", "--mode", "inference", "--stop", "first-spike", "--activity", "ann"),
            "is a layer of an ANN without neurons and never spikes; use all-steps",
        ),
        (
            ("cifar-vgg8", "--mode", "inference", "--stop", "first-spike"),
            "a read-out without neurons and never spikes; use all-steps",
        ),
    ],
)
def test_what_inference_does_not_have_is_refused(
    words: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and nothing is left behind."""
    assert text in complaint(capsys, "run", *words, "--out", str(tmp_path / "r"))
    assert not (tmp_path / "r").exists()
