"""Operands: what they read, their gradients, their form in files."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pools import pools_on
from tlm.errors import WorkloadError
from tlm.workload.builder import Builder
from tlm.workload.file.graph import layers_from_json, layers_to_json
from tlm.workload.golden.operand import source_gradients, summed
from tlm.workload.model import Layer
from tlm.workload.operand import Gate, Line, Operand, Part, Step, Term, Window, whole
from tlm.workload.report.reads import reads
from tlm.workload.surrogate import lif_neuron

T, B = 3, 2


@st.composite
def lines(draw: Any, size: int, out: int) -> Line:
    """A way to read some of ``size`` rows that leaves ``out`` of them."""
    repeat = draw(st.integers(1, 3))
    most = out // repeat
    step = draw(st.integers(1, 2))
    start = draw(st.integers(0, size - 1))
    taken = draw(st.integers(1, max(1, min(most, -(-(size - start) // step)))))
    repeat = repeat if taken * repeat <= out else 1
    taken = min(taken, out)
    placed = taken * repeat
    spread = draw(st.integers(1, max(1, min(3, (out - 1) // max(1, placed - 1)))))
    span = (placed - 1) * spread + 1
    before = draw(st.integers(0, out - span))
    stop = min(size, start + (taken - 1) * step + 1)
    return Line(start, stop, step, repeat, before, out - span - before, spread)


@st.composite
def ways(draw: Any, source: int, channels: int) -> tuple[Step, ...]:
    """From layer 0 of 4 x 5 x 5 or layer 1 of 3 x 5 x 5 to ``channels`` x 6 x 6."""
    first = draw(st.integers(0, (4, 3)[source] - channels))
    shape = ((4, 5, 5), (3, 5, 5))[source]
    way: list[Any] = []
    if draw(st.booleans()):
        way.append(draw(pools_on(shape)))
        shape = way[0].pooled(shape)
    rows, columns = draw(lines(shape[1], 6)), draw(lines(shape[2], 6))
    return (*way, Window(shape, first, first + channels, rows, columns))


@st.composite
def terms(draw: Any, channels: int) -> Term:
    """A source on its way, with up to two gates."""

    def factor() -> tuple[int, tuple[Step, ...], int]:
        source = draw(st.integers(0, 1))
        return source, draw(ways(source, channels)), draw(st.integers(0, 3))

    gates = [Gate(*factor(), draw(st.booleans())) for _ in range(draw(st.integers(0, 2)))]
    return Term(*factor(), tuple(gates))


@st.composite
def operands(draw: Any) -> Operand:
    """Parts of one to three channels and 6 x 6."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        channels = draw(st.integers(1, 3))
        parts.append(Part(channels, tuple(draw(st.lists(terms(channels), min_size=1, max_size=3)))))
    return Operand(tuple(parts))


def reader_of(operand: Operand) -> Layer:
    """A layer that reads ``operand``; its product does not matter."""
    net = Builder((2, 5, 5), lif_neuron())
    net.conv(4, kernel=3, padding=1)
    return replace(net.layers[0], operand=operand, sources=operand.sources)


@given(operands(), st.integers(0, 1 << 30))
def test_gradient_is_the_adjoint(operand: Operand, seed: int) -> None:
    """<J x', g> equals <x', J^T g> at any x, where pools are linear around it.

    J of products is taken in the middle between two points, where their curvature cancels.
    """
    random = np.random.default_rng(seed)
    layer = reader_of(operand)
    outputs = {at: random.random((T, B, channels, 5, 5)) for at, channels in ((0, 4), (1, 3))}
    nudge = {at: 1e-7 * random.random(values.shape) for at, values in outputs.items()}
    there, back_there = (
        {at: values + sign * nudge[at] / 2 for at, values in outputs.items()} for sign in (1, -1)
    )
    gradient = random.standard_normal(summed(layer, outputs).shape)
    forward = float(np.sum((summed(layer, there) - summed(layer, back_there)) * gradient))
    back = sum(
        float(np.sum(share * nudge[source]))
        for source, share in source_gradients(layer, outputs, gradient)
    )
    assert forward == pytest.approx(back, rel=1e-6, abs=1e-12)


@given(operands())
def test_steps_put_together(operand: Operand) -> None:
    """An operand made step by step is the operand made at once."""
    layer, random = reader_of(operand), np.random.default_rng(0)
    outputs = {at: random.random((T, B, channels, 5, 5)) for at, channels in ((0, 4), (1, 3))}
    by_step = [summed(layer, outputs, slice(step, step + 1)) for step in range(T)]
    np.testing.assert_array_equal(np.concatenate(by_step), summed(layer, outputs))


def skip() -> tuple[Layer, ...]:
    """Two convolutions, a third that reads both side by side, half of the first upsampled."""
    net = Builder((2, 8, 8), lif_neuron())
    net.conv(4, kernel=3, padding=1, stride=2)
    net.conv(6, kernel=3, padding=1, sources=[-1])
    net.conv(5, kernel=3, padding=1)
    up = Line(0, 4, repeat=2)
    operand = Operand(
        (Part(6, (Term(1),)), Part(2, (Term(0, (Window((4, 4, 4), 1, 3, up, up),)),)))
    )
    third = replace(net.layers[2], operand=operand, sources=operand.sources, in_shape=(8, 8, 8))
    return (*net.layers[:2], third)


def test_file_holds_operands() -> None:
    """What is written is read back; layers without operand say nothing of one."""
    layers = skip()
    text = layers_to_json(layers)
    assert layers_from_json(Path("job.h5"), text) == layers
    assert ["operand" in row for row in json.loads(text)] == [False, False, True]
    assert reads(layers[2]) == "1 | 0[1:3, 0:4 x2, 0:4 x2]"


@given(operands())
def test_operand_read_back(operand: Operand) -> None:
    """Any operand comes back from its JSON."""
    from tlm.workload.file.json_reader import JsonReader
    from tlm.workload.file.operand_json import operand_from_json, operand_to_json
    from tlm.workload.file.pool_json import pool_from_json

    reader, text = JsonReader(Path("x")), json.dumps(operand_to_json(operand))
    pool = partial(pool_from_json, reader)
    assert operand_from_json(reader, pool, "o", json.loads(text)) == operand


def gated() -> tuple[Layer, ...]:
    """The third convolution reads the second, gated by the first and by what did not fire."""
    layers = skip()
    up = Line(0, 4, repeat=2)
    wide = Window((4, 4, 4), 0, 1, up, up)
    first = Window((6, 8, 8), 0, 1, Line(0, 8), Line(0, 8))
    term = Term(1, (first,), gates=(Gate(1, (first,), inverted=True), Gate(0, (wide,))))
    operand = Operand((Part(1, (term,)),))
    third = replace(layers[2], operand=operand, sources=operand.sources, in_shape=(1, 8, 8))
    return (*layers[:2], third)


def test_file_holds_gates() -> None:
    """Gates are read back; a term without any says nothing of them."""
    text = layers_to_json(gated())
    assert layers_from_json(Path("job.h5"), text) == gated()
    assert reads(gated()[2]) == "1[0:1] and not 1[0:1] and 0[0:1, 0:4 x2, 0:4 x2]"
    assert "gates" not in layers_to_json(skip()) and text.count("inverted") == 1


WRONG_GATES: dict[str, tuple[Any, str]] = {
    "network's input": (
        lambda gate: gate["way"][0].update(shape=[2, 8, 8]) or gate.update(source=-1),
        "gates",
    ),
    "later layer": (lambda gate: gate.update(source=2), "expected a layer in"),
    "averaged": (
        lambda gate: gate["way"].insert(
            0, {"kind": "average", "size": 3, "stride": 1, "padding": 1}
        ),
        "spikes of a layer through windows and max pools",
    ),
    "other planes": (lambda gate: gate["way"][0]["rows"].update(repeat=1), r"gates\[1\]"),
    "not a flag": (lambda gate: gate.update(inverted=1), "inverted"),
    "gates of its own": (lambda gate: gate.update(gates=[]), "got gates"),
}


@pytest.mark.parametrize("case", WRONG_GATES)
def test_wrong_gates(case: str) -> None:
    """Each way for a gate to be wrong is one line that names the place."""
    damage, expected = WRONG_GATES[case]
    rows = json.loads(layers_to_json(gated()))
    damage(rows[2]["operand"][0]["terms"][0]["gates"][1])
    term = rows[2]["operand"][0]["terms"][0]
    rows[2]["sources"] = sorted([term["source"], *(gate["source"] for gate in term["gates"])])
    with pytest.raises(WorkloadError, match=expected) as caught:
        layers_from_json(Path("job.h5"), json.dumps(rows))
    assert "\n" not in str(caught.value)


WRONG: dict[str, tuple[Any, str]] = {
    "later layer now": (lambda o: o[0]["terms"][0].update(source=2), r"source: expected a layer"),
    "no such layer": (lambda o: o[0]["terms"][0].update(source=9, delay=1), "source"),
    "other planes": (lambda o: o[1]["terms"][0]["way"][0]["rows"].update(repeat=1), "terms"),
    "other channels": (lambda o: o[0].update(channels=5), "terms"),
    "beyond the source": (lambda o: o[1]["terms"][0]["way"][0].update(stop=9), "stop"),
    "other shape": (lambda o: o[1]["terms"][0]["way"][0].update(shape=[4, 4, 5]), "shape"),
    "unknown key": (lambda o: o[0]["terms"][0].update(weight=2), "got weight"),
    "not a list": (lambda o: o[0].update(terms=3), "a list"),
    "input without window": (lambda o: o[0]["terms"][0].update(source=-1), "a window first"),
}


@pytest.mark.parametrize("case", WRONG)
def test_refused(case: str) -> None:
    """Each way to be wrong is one line that names the place."""
    damage, expected = WRONG[case]
    rows = json.loads(layers_to_json(skip()))
    damage(rows[2]["operand"])
    rows[2]["sources"] = sorted(
        term["source"] for part in rows[2]["operand"] if part["terms"] != 3
        for term in part["terms"]
    )  # fmt: skip
    with pytest.raises(WorkloadError, match=expected) as caught:
        layers_from_json(Path("job.h5"), json.dumps(rows))
    assert "\n" not in str(caught.value)


def test_whole_window() -> None:
    """A window on everything is recognised, and any other is not."""
    window = whole((3, 4, 5))
    assert window.is_whole and window.shape_behind == (3, 4, 5)
    assert not replace(window, start=1).is_whole
    assert not replace(window, rows=Line(0, 4, before=1)).is_whole
