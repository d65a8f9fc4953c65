"""Rules that prune weights: which are left, how many, and what is refused."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.trace.summary_file import as_json
from tlm.workload import open_workload
from tlm.workload.drawn.weights import parse_weights, weight_masks
from tlm.workload.model import BoolArray

DIGITS = open_workload("digits")
LAST = len(DIGITS.iterations) - 1


def masks(rule: str) -> tuple[BoolArray, ...]:
    """The masks of the last iteration of ``digits`` under a rule."""
    drawn = weight_masks(DIGITS, LAST, parse_weights(rule))
    assert drawn is not None
    return drawn


def recorded() -> list[BoolArray]:
    """The magnitudes of its recorded weights."""
    return [np.abs(each.weights) for each in DIGITS.load_values(LAST).parameters]


@given(st.sampled_from(("density", "magnitude")), st.integers(1, 100))
@settings(max_examples=10)
def test_a_share_of_every_layers_weights_is_left(kind: str, percent: int) -> None:
    """So many as the share says, to the nearest weight, and never none."""
    for layer, mask in zip(DIGITS.layers, masks(f"{kind}={percent / 100}"), strict=True):
        assert mask.shape == layer.weight_shape
        assert mask.sum() == max(1, round(percent / 100 * mask.size))


def test_magnitude_leaves_the_largest() -> None:
    """No weight that goes is larger than one that stays."""
    for mask, size in zip(masks("magnitude=0.3"), recorded(), strict=True):
        assert size[mask].min() >= size[~mask].max()


@given(st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=10)
def test_of_every_group_of_inputs_the_largest_are_left(kept: int, more: int) -> None:
    """Exactly N of every whole group of M inputs, the largest; of a short one as many as it has."""
    group = kept + more
    for mask, size in zip(masks(f"{kept}:{group}"), recorded(), strict=True):
        for first in range(0, mask.shape[1], group):
            some, values = mask[:, first : first + group], size[:, first : first + group]
            assert (some.sum(axis=1) == min(kept, some.shape[1])).all()
            left = np.where(some, values, np.inf).min(axis=1)
            dropped = np.where(some, -1, values).max(axis=1)
            assert (left >= dropped).all()


def test_rows_and_tiles_go_whole() -> None:
    """Outputs keep all their weights or none, a read-out keeps all; tiles of 16 x 16 alike."""
    *hidden, last = masks("rows=0.5")
    assert last.all()
    for mask in hidden:
        outputs = mask.reshape(len(mask), -1)
        assert (outputs.all(axis=1) == outputs.any(axis=1)).all()
        assert outputs.any(axis=1).sum() == len(mask) // 2
    tiles = masks("tiles=0.5")[1].reshape(2, 16, 1, 16, 9)
    assert (tiles.all(axis=(1, 3)) == tiles.any(axis=(1, 3))).all()
    assert tiles.any(axis=(1, 3)).sum() == 9


def test_recorded_zeros_and_no_rule() -> None:
    """What was recorded as zero is zero; without a rule there is no mask at all."""
    for mask, size in zip(masks("recorded"), recorded(), strict=True):
        assert (mask == (size != 0)).all()
    assert weight_masks(DIGITS, LAST, parse_weights("dense")) is None


def test_the_same_rule_draws_the_same_weights() -> None:
    """Nothing but the seed decides."""
    for first, second in zip(masks("tiles=0.4"), masks("tiles=0.4"), strict=True):
        assert (first == second).all()


@pytest.mark.parametrize(
    "text",
    ["", "0.3", "density", "density=0", "density=1.01", "density=nan", "4:2", "0:4", "rows=-1",
     "tiles=1e-3", "magnitude=x"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    """One line that names the text and what was expected."""
    with pytest.raises(WorkloadError, match=r"expected dense, recorded, density=0\.3") as error:
        parse_weights(text)
    assert f'"{text}"' in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("rule", ["recorded", "magnitude=0.3"])
def test_a_job_without_values_has_no_weights_to_look_at(rule: str) -> None:
    """Said with the iteration and the way out; N:M draws instead."""
    job = open_workload("cifar-vgg8")
    with pytest.raises(WorkloadError, match=r"iteration 0 was recorded without values"):
        weight_masks(job, 0, parse_weights(rule))
    drawn = weight_masks(job, 0, parse_weights("2:4"))
    assert drawn is not None and drawn[1].mean() == 0.5


def test_a_run_says_which_weights_are_zero(tmp_path: Path) -> None:
    """Rule, seed and shares stand in the summary; a dense run has no such part."""
    run = run_job(
        DIGITS, chip="neuromc-1", out=tmp_path / "run", trace="off", weights="density=0.3"
    )
    part = as_json(run.summary)["weights"]
    assert part["rule"] == "density=0.3, seed 0"
    assert list(part["kept"]) == [layer.name for layer in DIGITS.layers]
    assert all(abs(share - 0.3) < 0.01 for share in part["kept"].values())
    bits = {layer.name: prod(layer.weight_shape) * 16 for layer in DIGITS.layers}
    assert part["bits"] == bits  # of a crossbar, zero or not
    dense = run_job(DIGITS, chip="neuromc-1", out=tmp_path / "dense", trace="off")
    assert "weights" not in as_json(dense.summary)
