"""What is written is read back; the same content gives the same bytes; a failure leaves none."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Recording, Workload, open_workload, write_workload
from tlm.workload.report.audit import audit

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "workload-format.md"


def same(left: Recording, right: Recording) -> bool:
    """Whether two recordings hold the same bits."""
    groups = zip(
        (left.inputs, *left.spikes, *left.masks, *left.dU, *left.dY),
        (right.inputs, *right.spikes, *right.masks, *right.dU, *right.dY),
        strict=True,
    )
    return left.iteration == right.iteration and all(np.array_equal(a, b) for a, b in groups)


def test_header_and_tensors_come_back(
    job: Workload, recordings: list[Recording], written: Path
) -> None:
    """Every field and every bit survives the file."""
    back = open_workload(str(written))
    assert dataclasses.replace(back, sha256="") == job
    assert all(
        same(back.load(position), recording) for position, recording in enumerate(recordings)
    )


def test_constants_by_channel_come_back_in_one_order(
    job: Workload, recordings: list[Recording]
) -> None:
    """As a JSON object, whatever the order of its keys; without any the key is left out."""
    neuron = job.layers[0].neuron
    assert neuron is not None
    channels = (("decay", (0.25, 0.5, 0.75)), ("current_decay", (0.0, 0.5, 1.0)))
    varied = dataclasses.replace(neuron, decay=0.5, current_decay=0.5, channels=channels)
    layers = (dataclasses.replace(job.layers[0], neuron=varied), job.layers[1])
    back = write_workload(dataclasses.replace(job, layers=layers), recordings)
    assert back.layers == layers
    assert back.layers[0].current_based
    with h5py.File(back.path) as file:
        text = file.attrs["layers"]
    assert text.count(b"channels") == 1
    assert b'"channels":{"current_decay":[0.0,0.5,1.0],"decay":[0.25,0.5,0.75]}' in text


def test_the_decay_of_a_current_comes_back_and_is_written_only_if_there_is_one(
    job: Workload, recordings: list[Recording], written: Path
) -> None:
    """A job without current-based neurons has the bytes that it always had."""
    with h5py.File(written) as file:
        assert b"current_decay" not in file.attrs["layers"]
    neuron = job.layers[0].neuron
    assert neuron is not None
    first = dataclasses.replace(
        job.layers[0], neuron=dataclasses.replace(neuron, current_decay=0.75)
    )
    filtered = dataclasses.replace(job, layers=(first, *job.layers[1:]))
    assert write_workload(filtered, recordings).layers == filtered.layers


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.integers(1, 5), batch=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_any_bits_come_back(job: Workload, steps: int, batch: int, seed: int) -> None:
    """Element counts that do not fill the last byte survive too."""
    rated = dataclasses.replace(job.layers[0], input_kind="binary")
    shaped = dataclasses.replace(
        job,
        steps=steps,
        batch=batch,
        encoding="rate",
        layers=(rated, *job.layers[1:]),
        levels=("bits",),
    )
    draw = np.random.default_rng(seed)
    bits = tuple(draw.random(shaped.neuron_shape(layer)) < 0.5 for layer in shaped.layers)
    recording = Recording(3, draw.random(shaped.input_shape) < 0.5, bits, bits, bits, bits)
    assert same(write_workload(shaped, [recording]).load(0), recording)


def test_same_content_same_bytes(job: Workload, recordings: list[Recording], written: Path) -> None:
    """Nothing in the file depends on when or where it was written."""
    second = write_workload(
        dataclasses.replace(job, path=written.with_name("second.h5")), recordings
    )
    assert second.path.read_bytes() == written.read_bytes()


def test_first_element_is_the_highest_bit(
    job: Workload, recordings: list[Recording], written: Path
) -> None:
    """The packing is the documented one, not merely one that our reader undoes."""
    with h5py.File(written, "r") as file:
        first = int(file["iteration0/layer1/spikes"][0])
    flat = recordings[0].spikes[1].reshape(-1)[:8]
    assert first == sum(int(bit) << (7 - place) for place, bit in enumerate(flat))


def test_failed_write_leaves_the_old_file(
    job: Workload, recordings: list[Recording], written: Path
) -> None:
    """A recording of the wrong shape is refused and nothing half-written stays behind."""
    before = written.read_bytes()
    wrong = dataclasses.replace(recordings[0], inputs=recordings[0].inputs[:1])
    with pytest.raises(WorkloadError, match="iteration0/inputs: expected shape"):
        write_workload(job, [wrong])
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_missing_folder_is_one_line(job: Workload, recordings: list[Recording]) -> None:
    """Writing into a folder that does not exist says so."""
    lost = dataclasses.replace(job, path=job.path.parent / "no" / "small.h5")
    with pytest.raises(WorkloadError, match="cannot be written"):
        write_workload(lost, recordings)


def test_a_stranger_can_write_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of the format page, h5py and NumPy alone, opens, passes the check and runs."""
    example = re.search(r"```python\n(.*?)```", FORMAT_PAGE.read_text(), re.DOTALL)
    assert example is not None
    assert "tlm." not in example[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(example[1], "workload-format.md", "exec"), {})
    back = open_workload("example.h5").load(0)
    assert (back.iteration, int(back.spikes[0].sum())) == (100, 1)
    assert np.argwhere(back.dU[0]).tolist() == [[1, 0, 1, 0, 0], [2, 0, 1, 0, 0]]
    assert back.inputs.reshape(2, 4).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0]]
    assert [iteration.level for iteration in audit(open_workload("example.h5"))] == ["bits"]
    assert run_job("example.h5", out=tmp_path / "run", trace="off").ok


def test_position_out_of_range_lists_what_there_is(written: Path) -> None:
    """Asking for a fourth recording names the ones recorded."""
    with pytest.raises(WorkloadError, match=r"no recording 2; there are 0 \(iteration 0\), 1"):
        open_workload(str(written)).load(2)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_job_without_room_leaves_nothing(tmp_path: Path, share: float) -> None:
    """HDF5 fails at once or when it closes the file: one line, exit code 6, the process lives."""
    whole = open_workload("digits").path.stat().st_size
    script = (
        "import resource, signal, sys; from dataclasses import replace; from pathlib import Path\n"
        "from tlm.errors import TlmError\n"
        "from tlm.workload import open_workload, write_workload\n"
        "job = open_workload('digits'); numbers = range(len(job.iterations))\n"
        "masks, values = map(job.load, numbers), map(job.load_values, numbers)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (int({share} * {whole}), -1))\n"
        "try: write_workload(replace(job, path=Path(sys.argv[1])), list(masks), list(values))\n"
        "except TlmError as error: print(error); sys.exit(error.exit_code)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "job.h5")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (6, "")
    assert ended.stdout == f"{tmp_path / 'job.h5'}: cannot be written (File too large)\n"
    assert not list(tmp_path.iterdir())


def test_a_job_has_the_rights_of_the_umask(
    tmp_path: Path, job: Workload, recordings: list[Recording]
) -> None:
    """As any other file that a user makes."""
    before = os.umask(0o027)
    try:
        path = write_workload(dataclasses.replace(job, path=tmp_path / "job.h5"), recordings).path
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def deep(job: Workload, count: int) -> tuple[Workload, Recording]:
    """A job of ``count`` layers that all read the network's input, and a recording of nothing."""
    layers = tuple(
        dataclasses.replace(job.layers[0], index=index, name=f"a layer of some name {index}")
        for index in range(count)
    )
    shaped = dataclasses.replace(job, layers=layers, levels=("bits",), iterations=(0,))
    bits = tuple(np.zeros(shaped.neuron_shape(layer), bool) for layer in layers)
    products = tuple(np.zeros(shaped.product_shape(layer), bool) for layer in layers)
    nothing = Recording(0, np.zeros(shaped.input_shape, bool), bits, bits, bits, products)
    return shaped, nothing


def test_the_layers_of_a_deep_network_lie_in_a_dataset(job: Workload, written: Path) -> None:
    """An attribute holds 60,000 bytes: 200 layers need more, and come back whole."""
    shaped, recording = deep(job, 200)
    assert write_workload(shaped, [recording]).layers == shaped.layers
    with h5py.File(written) as file:
        assert "layers" not in file.attrs
        assert file["layers"].size > 60_000


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.__delitem__("layers"), "/layers: expected to exist"),
        (lambda file: file["layers"].__setitem__(0, 0), "/layers: expected sha256"),
        (lambda file: file.attrs.create("layers", np.bytes_(b"[]")), "1..1024 layers"),
        (lambda file: file.move("layers", "other"), "/layers: expected to exist"),
        (lambda file: (file.move("layers", "a"), file.create_group("layers")), "a dataset"),
    ],
)
def test_a_damaged_dataset_of_layers_is_refused(
    job: Workload, written: Path, damage: Callable[[h5py.File], object], message: str
) -> None:
    """One line says which part of it is not as expected."""
    shaped, recording = deep(job, 200)
    write_workload(shaped, [recording])
    with h5py.File(written, "a") as file:
        damage(file)
    with pytest.raises(WorkloadError, match=message):
        open_workload(str(written))
