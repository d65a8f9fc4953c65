"""Damaged, foreign and hostile files: one line naming the file and the key, never a traceback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.workload import open_workload

SPIKES = "iteration0/layer0/spikes"
Damage = Callable[[h5py.File], object]


def put(holder: h5py.File | h5py.Dataset, name: str, text: str) -> None:
    """Set a text attribute of fixed length."""
    holder.attrs[name] = np.bytes_(text.encode())


def layer_edit(edit: Callable[[list[dict[str, Any]]], object]) -> Damage:
    """Change the layer graph's JSON."""

    def damage(file: h5py.File) -> None:
        rows = json.loads(file.attrs["layers"])
        edit(rows)
        put(file, "layers", json.dumps(rows))

    return damage


def channels(constants: Any, **changes: Any) -> Damage:
    """Give the first layer's neurons constants by channel."""
    return layer_edit(lambda rows: rows[0]["neuron"].update(channels=constants, **changes))


def replaced(**storage: Any) -> Damage:
    """Write the first layer's spikes anew, stored in another way."""

    def damage(file: h5py.File) -> None:
        old = file[SPIKES]
        data, attributes = old[...], dict(old.attrs)
        del file[SPIKES]
        new = file.create_dataset(SPIKES, **{"data": data, **storage})
        new.attrs.update(attributes)

    return damage


def virtual(file: h5py.File) -> None:
    """Turn the first layer's spikes into a view of another file."""
    layout = h5py.VirtualLayout(file[SPIKES].shape, np.uint8)
    layout[:] = h5py.VirtualSource("other.h5", "data", file[SPIKES].shape)
    del file[SPIKES]
    file.create_virtual_dataset(SPIKES, layout)


def linked(link: object) -> Damage:
    """Put a link where the first layer's spikes were."""

    def damage(file: h5py.File) -> None:
        del file[SPIKES]
        file[SPIKES] = link

    return damage


def unread(rows: list[dict[str, Any]]) -> None:
    """Two layers that both read the network's input."""
    rows[1] = {**rows[0], "index": 1, "name": "other"}


NORM = {"kind": "batch", "epsilon": 1e-5, "per_step": False}

HEADER: dict[str, tuple[Damage, str]] = {
    "other schema": (lambda f: put(f, "schema", "nir"), "schema: expected tlm-workload"),
    "newer version": (lambda f: f.attrs.modify("schema_version", 3), "install a newer snn-tlm"),
    "no schema": (lambda f: f.attrs.__delitem__("schema"), "attribute schema"),
    "no batch": (lambda f: f.attrs.__delitem__("batch"), "attribute batch: expected to exist"),
    "old version": (lambda f: f.attrs.modify("schema_version", 1), "record the job again"),
    "other level": (lambda f: put(f, "levels", '["bits", "all"]'), "bits or value or exact"),
    "a level too few": (lambda f: put(f, "levels", '["bits"]'), "a JSON list of 2"),
    "extra attribute": (lambda f: f.attrs.create("colour", 1), "got colour"),
    "text for number": (lambda f: f.attrs.create("steps", "4"), "attribute steps"),
    "pickled layers": (lambda f: f.attrs.create("layers", np.void(b"\x80\x04")), "layers"),
    "variable-length text": (lambda f: f.attrs.create("name", "job"), "text of fixed length"),
    "two texts": (lambda f: f.attrs.create("name", np.array([b"a", b"b"])), "attribute name"),
    "no UTF-8": (lambda f: f.attrs.create("name", np.bytes_(b"\xff")), "UTF-8"),
    "huge batch": (lambda f: f.attrs.modify("batch", 5000), r"batch: expected 1\.\.4096"),
    "accuracy in percent": (lambda f: f.attrs.modify("accuracy", 92.0), r"accuracy: expected 0"),
    "falling iterations": (lambda f: f.attrs.create("iterations", [7, 0]), "iterations: expected"),
    "terminal escape": (lambda f: put(f, "licence", "\x1b[2J"), "printable"),
    "unknown coding": (lambda f: put(f, "encoding", "phase"), "direct or rate or events"),
    "coding of another input": (lambda f: put(f, "encoding", "rate"), "input_kind"),
    "provenance of numbers": (lambda f: put(f, "provenance", "[1]"), "provenance"),
}

LAYERS: dict[str, tuple[Damage, str]] = {
    "no JSON": (lambda f: put(f, "layers", "conv"), "layers: expected JSON"),
    "deep JSON": (lambda f: put(f, "layers", "[" * 50_000), "layers: expected JSON"),
    "no layers": (lambda f: put(f, "layers", "[]"), "a list of 1..1024 layers"),
    "two layers of one name": (
        layer_edit(lambda r: r[1].update(name=r[0]["name"])),
        r"layers\[1\].name: expected a name of its own",
    ),
    "a key twice": (lambda f: put(f, "layers", '[{"index": 0, "index": 1}]'), "stands twice"),
    "norm as a word": (layer_edit(lambda r: r[0].update(norm="batch")), r"norm: .*JSON object"),
    "other norm": (
        layer_edit(lambda r: r[0].update(norm=NORM | {"kind": "layer"})),
        "not modelled",
    ),
    "source is itself": (layer_edit(lambda r: r[1].update(sources=[0, 1])), r"layers in 0\.\.0"),
    "input in a sum": (layer_edit(lambda r: r[1].update(sources=[-1, 0])), r"layers in 0\.\.0"),
    "sum called binary": (layer_edit(lambda r: r[1].update(sources=[0, 0])), '"integer" with'),
    "another head": (layer_edit(unread), "iteration0/layer1"),
    "hidden read-out": (layer_edit(lambda r: r[0].update(neuron=None)), 'expected "analog" with'),
    "shortcut from itself": (
        layer_edit(lambda r: r[1].update(shortcuts=[{"layer": 1, "of": "current"}])),
        r"shortcuts\[0\].layer: expected 0",
    ),
    "shortcut of another shape": (
        layer_edit(lambda r: r[1].update(shortcuts=[{"layer": 0, "of": "current"}])),
        r"shortcuts\[0\]: expected a layer that leaves \(4, 1, 1\)",
    ),
    "shortcut of something else": (
        layer_edit(lambda r: r[1].update(shortcuts=[{"layer": 0, "of": "voltage"}])),
        r'shortcuts\[0\].of: expected "spikes" or "current"',
    ),
    "identity with weights": (
        layer_edit(lambda r: r[0].update(kind="identity")),
        r"layers\[0\]: expected kernel, stride, dilation \(1, 1\)",
    ),
    "dropout of everything": (
        layer_edit(lambda r: r[1].update(dropout=1)),
        r"layers\[1\].dropout: expected a number from 0 to less than 1",
    ),
    "dropout of the network's input": (
        layer_edit(lambda r: r[0].update(dropout=0.5)),
        r"layers\[0\].dropout: expected 0 of a layer that reads the network's input",
    ),
    "dropout without what it kept": (
        layer_edit(lambda r: r[1].update(dropout=0.5)),
        "layer1/kept: expected to exist",
    ),
    "scale by word": (
        layer_edit(lambda r: r[0].update(norm=NORM | {"scaled": "no"})),
        "norm.scaled: expected true",
    ),
    "other pool": (layer_edit(lambda r: r[0]["pool"].update(kind="avg")), "not modelled yet"),
    "pooled input": (layer_edit(lambda r: r[0].update(input_pool=r[0]["pool"])), "input_pool"),
    "recurrent": (layer_edit(lambda r: r[0].update(kind="rnn")), "not modelled yet"),
    "unknown key": (layer_edit(lambda r: r[0].update(spin=2)), "got spin"),
    "missing key": (layer_edit(lambda r: r[0].pop("bias")), 'a key "bias"'),
    "wrong in_shape": (layer_edit(lambda r: r[1].update(in_shape=[9, 1, 1])), "layer 0 leaves"),
    "wrong out_shape": (layer_edit(lambda r: r[0].update(out_shape=[3, 9, 9])), "out_shape"),
    "huge dimension": (layer_edit(lambda r: r[0].update(stride=[1, 1 << 40])), "stride"),
    "zero stride": (layer_edit(lambda r: r[0].update(stride=[0, 1])), "stride"),
    "three sides": (layer_edit(lambda r: r[0]["pool"].update(size=[2, 2, 2])), "pool.size"),
    "far overhang": (layer_edit(lambda r: r[0]["pool"].update(overhang=[0, 2])), "pool.overhang"),
    "wide window": (layer_edit(lambda r: r[0]["pool"].update(size=9)), "pool.size"),
    "infinite decay": (layer_edit(lambda r: r[0]["neuron"].update(decay=1e999)), "finite"),
    "current that grows": (
        layer_edit(lambda r: r[0]["neuron"].update(current_decay=-0.5)),
        r"layers\[0\].neuron.current_decay: expected a finite number >= 0",
    ),
    "constants, no object": (channels(3), "channels: expected an object of lists"),
    "constants, no list": (channels({"decay": 0.5}), "channels.decay: expected a list"),
    "constants, no name": (channels({"tau": [0.5] * 3}), '"current_decay", got tau'),
    "constants, two of three": (channels({"decay": [0.5] * 2}), "decay: expected 3 numbers, one a"),
    "constants, negative": (channels({"gain": [0.5, 0.5, -1]}), r"gain\[2\]: expected a finite"),
    "constants, no mean": (channels({"gain": [0.1] * 3}), "gain: expected 0.1, the mean of its"),
    "constants, learnt": (
        channels({"decay": [0.5] * 3}, learnt=["decay"]),
        "follows from what is learnt",
    ),
    "wrong compact": (layer_edit(lambda r: r[0]["neuron"].update(compact=False)), "compact"),
    "true as a number": (layer_edit(lambda r: r[0].update(index=False)), "index"),
}

STORAGE: dict[str, tuple[Damage, str]] = {
    "unknown group": (lambda f: f.create_group("notes"), "got notes"),
    "missing tensor": (lambda f: f.__delitem__(SPIKES), "spikes: expected to exist"),
    "missing iteration": (lambda f: f.__delitem__("iteration1"), "iteration1"),
    "group for tensor": (lambda f: (f.pop(SPIKES), f.create_group(SPIKES)), "a dataset"),
    "wrong type": (replaced(dtype="f4"), "expected uint8"),
    "wrong size": (replaced(data=np.zeros(3, np.uint8)), "expected uint8 of 68"),
    "resizable": (replaced(maxshape=(None,), chunks=(68,)), "not resizable"),
    "other filter": (replaced(compression="lzf"), "filters gzip and shuffle only"),
    "external storage": (replaced(external=[("other.bin", 0, 68)]), "external storage"),
    "virtual storage": (virtual, "virtual storage"),
    "soft link": (linked(h5py.SoftLink("/iteration1/layer0/spikes")), "SoftLink"),
    "external link": (linked(h5py.ExternalLink("/etc/passwd", "/")), "ExternalLink"),
    "other shape": (lambda f: f[SPIKES].attrs.create("shape", [1, 2]), "shape: expected"),
    "short digest": (lambda f: put(f[SPIKES], "sha256", "ab"), "64 hexadecimal"),
}

CASES = {**HEADER, **LAYERS, **STORAGE}


@pytest.mark.parametrize("case", CASES)
def test_refused_on_one_line(case: str, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to be wrong is refused when the file is opened, naming file and place."""
    damage, expected = CASES[case]
    monkeypatch.chdir(written.parent)
    with h5py.File(written, "r+") as file:
        damage(file)
    with pytest.raises(WorkloadError, match=expected) as caught:
        open_workload(str(written))
    assert str(written) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_hdf5(tmp_path: Path) -> None:
    """A text file is no workload."""
    path = tmp_path / "notes.h5"
    path.write_text("hello")
    with pytest.raises(WorkloadError, match="expected an HDF5 file, got other content"):
        open_workload(str(path))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(written: Path, share: float) -> None:
    """A file cut short is called damaged."""
    whole = written.read_bytes()
    written.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WorkloadError, match="copy or record it again"):
        open_workload(str(written))


def test_wrong_bit_fails_the_checksum(written: Path) -> None:
    """One flipped bit of a tensor is noticed when it is read."""
    with h5py.File(written, "r+") as file:
        file[SPIKES][0] ^= 1
    with pytest.raises(WorkloadError, match=f"/{SPIKES}: expected sha256"):
        open_workload(str(written)).load(0)


def test_gradient_from_nowhere(written: Path) -> None:
    """Gradients without a single mask cannot have come from this network."""
    with h5py.File(written, "r+") as file:
        masks = file["iteration0/layer0/masks"]
        masks[...] = 0
        put(masks, "sha256", hashlib.sha256(bytes(masks.size)).hexdigest())
    with pytest.raises(WorkloadError, match="gradients: expected zero where neither"):
        open_workload(str(written)).load(0)


def test_gradient_past_a_spike(written: Path) -> None:
    """A hard reset lets none past a spike, unless it flows through a synaptic current."""
    last = np.packbits(np.arange(540) >= 360)  # 3 x 2 x 3 x 6 x 5 elements, the last step's set
    every = np.packbits(np.ones(540, np.bool_))
    with h5py.File(written, "r+") as file:
        for name, bits in (("spikes", every), ("masks", last), ("gradients", every)):
            dataset = file[f"iteration0/layer0/{name}"]
            dataset[...] = bits
            put(dataset, "sha256", hashlib.sha256(bits.tobytes()).hexdigest())
    with pytest.raises(WorkloadError, match="got 360 others"):
        open_workload(str(written)).load(0)
    with h5py.File(written, "r+") as file:
        layer_edit(lambda rows: rows[0]["neuron"].update(current_decay=0.5))(file)
    assert open_workload(str(written)).load(0).dU[0].all()


def test_changed_since_opened(written: Path) -> None:
    """A header is not paired with the tensors of another file."""
    opened = open_workload(str(written))
    with h5py.File(written, "r+") as file:
        file.attrs["accuracy"] = 0.75
    with pytest.raises(WorkloadError, match="changed since it was opened"):
        opened.load(0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_workload_error(written: Path, data: st.DataObject) -> None:
    """Random bytes overwritten anywhere: the file loads unchanged tensors or is refused."""
    whole = written.read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = written.with_name("damaged.h5")
    path.write_bytes(damaged)
    try:
        workload = open_workload(str(path))
        for position in range(len(workload.iterations)):
            workload.load(position)
    except WorkloadError as error:
        assert "\n" not in str(error)
