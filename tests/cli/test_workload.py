"""``workload info``, ``check`` and ``plot`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tlm.cli import main
from tlm.workload.bundled import bundled_folder


def test_check_rebuilds_an_exact_job(capsys: pytest.CaptureFixture[str]) -> None:
    """Every layer of every exact iteration is rebuilt and listed."""
    assert main(["workload", "check", "digits"]) == 0
    text = capsys.readouterr().out
    assert text.count("level exact, rebuilt") == 3
    assert "digits.h5: ok, 3 iterations read (exact, exact, exact)" in " ".join(text.split())


def test_check_names_a_weight_that_was_not_the_trained_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file can be whole and still not be what was computed."""
    import hashlib

    path = tmp_path / "digits.h5"
    path.write_bytes((bundled_folder() / "digits.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        weights = file["iteration0/layer1/weights"]
        weights[:40] *= 1.5
        digest = hashlib.sha256(weights[...].tobytes()).hexdigest()
        weights.attrs["sha256"] = np.bytes_(digest)
    assert main(["workload", "check", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "layer conv1" in line
    assert "beyond rounding" in line


def test_plot_writes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three figures, each a PNG and an SVG, named after the job."""
    assert main(["workload", "plot", "mnist-fc", "--out", str(tmp_path)]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert len(paths) == 6
    assert all(path.stat().st_size > 5_000 for path in paths)


def test_info_says_that_masks_were_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody should take drawn masks for recorded ones."""
    assert main(["workload", "info", "s-resnet18[B=1,T=1]:bernoulli(0.1)"]) == 0
    text = capsys.readouterr().out
    assert "synthetic activity: bernoulli(0.1)" in text
    assert "test accuracy: not stated" in text
    assert "read-out" in text


def test_info_of_a_federated_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who had what, accuracy by round, bytes; within 80 columns, or the file as JSON."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["workload", "info", "fed-mnist"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for shown in ("406,528 parameters", "dirichlet, alpha 0.3", "top-0.01", "24396", "0.927"):
        assert shown in text
    assert main(["workload", "info", "fed-mnist", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "tlm-federated"


def test_plot_into_a_missing_folder(tmp_path: Path) -> None:
    """The folder is made."""
    assert main(["workload", "plot", "mnist-fc", "--out", str(tmp_path / "new")]) == 0
    assert list((tmp_path / "new").glob("plots/*.png"))


def test_info_shows_answers_of_a_job_for_inference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels, decisions and first spikes, sample by sample, in 80 columns; the same as JSON."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["workload", "info", "spinaps-motions"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    words = " ".join(text.split())
    for shown in ("recorded for: inference", "neurons: GLM, 8 raised cosines", "60x1x1"):
        assert shown in words
    assert main(["workload", "info", "spinaps-motions", "--json"]) == 0
    (answers,) = json.loads(capsys.readouterr().out)["answers"].values()
    labels, decisions = answers["labels"], answers["decisions"]
    right = sum(label == decided for label, decided in zip(labels, decisions, strict=True))
    assert f"labels: {' '.join(map(str, labels))}" in words
    assert f"decisions: {' '.join(map(str, decisions))}" in words
    assert f"right: {right} of 40" in words


def test_plot_of_a_job_for_inference(tmp_path: Path) -> None:
    """Its spikes alone."""
    assert main(["workload", "plot", "spinaps-motions", "--out", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("plots/*.png"))) == 3


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["run", "spinaps-mnist", "--mode", "training"], "leave --mode out"),
        (["run", "s-resnet18[B=1,T=1]:like(spinaps-mnist)"], "of a job recorded for training"),
        (["map", "spinaps-mnist"], "name a job recorded for it"),
        (["counterfactual", "spinaps-mnist"], "name a job recorded for training"),
    ],
)
def test_what_takes_training_refuses_a_job_for_inference(
    words: list[str],
    remedy: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, exit code 2, and nothing written."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "spinaps-mnist was recorded for inference" in line and remedy in line
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_has_no_kernels_of_glm_neurons(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2."""
    assert main(["gpu", "spinaps-mnist"]) == 2
    assert "spinaps-mnist: no kernels of GLM neurons are modelled" in capsys.readouterr().err
