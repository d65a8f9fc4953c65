"""Which weights of a job are not zero: all, those recorded, or what is left when a rule prunes.

=================== ============================================================================
``dense``           every weight
``recorded``        the zeros of the recorded weights
``density=0.3``     that share of every layer's weights, drawn
``magnitude=0.3``   that share of every layer's recorded weights, the largest
``2:4``             of every 4 input channels under a tap the 2 largest weights; drawn if no values
                    are recorded (N:M fine-grained sparsity, Mishra et al., arXiv 2104.08378)
``rows=0.5``        that share of every layer's outputs, drawn, whole; all of the read-out's
``tiles=0.5``       that share of every layer's tiles of 16 outputs x 16 inputs under a tap, drawn
                    (row and tile patterns of Song et al., "Approximate random dropout", DATE 2019)
=================== ============================================================================

Masks of activity stay as they were recorded, with all weights there: a pruned job is a what-if.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.largest import largest, largest_of_groups
from tlm.workload.model import BoolArray, Layer, Level, Workload
from tlm.workload.values import Numbers

SEED = 0
TILE = 16  # outputs and inputs of a tile that is dropped whole: an array's weights

_WORDS = "dense, recorded, density=0.3, magnitude=0.3, 2:4, rows=0.5 or tiles=0.5"
_SHARES = ("density", "magnitude", "rows", "tiles")


@dataclass(frozen=True, slots=True)
class WeightRule:
    """A rule by its ``kind``; ``kept`` is a share of weights, or N of every ``group`` inputs."""

    text: str
    kind: str
    kept: float = 1.0
    group: int = 0

    def words(self, level: Level) -> str:
        """The rule as a run names it, with the seed of what is drawn; weights are of ``level``."""
        by_value = self.kind == "n:m" and level != "bits"
        if self.kind in ("dense", "recorded", "magnitude") or by_value:
            return f"{self.text} of the recorded" if by_value else self.text
        return f"{self.text}, seed {SEED}"


def parse_weights(text: str) -> WeightRule:
    """The rule that a text spells.

    Raises:
        WorkloadError: it spells none.
    """
    if text in ("dense", "recorded"):
        return WeightRule(text, text)
    structured = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text)
    if structured and 0 < int(structured[1]) <= int(structured[2]):
        return WeightRule(text, "n:m", int(structured[1]), int(structured[2]))
    kind, _, number = text.partition("=")
    if kind in _SHARES and re.fullmatch(r"\d*\.?\d+", number) and 0 < float(number) <= 1:
        return WeightRule(text, kind, float(number))
    raise WorkloadError(
        f'weights "{text}": expected {_WORDS}, with a share above 0 and up to 1, or N:M with N '
        "from 1 to M"
    )


def weight_masks(
    workload: Workload, position: int, rule: WeightRule
) -> tuple[BoolArray, ...] | None:
    """Which weights [K, C / groups, R, S] of every layer are not zero; None if all.

    Raises:
        WorkloadError: the rule needs recorded weights, which the iteration lacks.
    """
    if rule.kind == "dense":
        return None
    values = _recorded(workload, position, rule)
    if rule.kind == "recorded":
        assert values is not None
        return tuple(weights != 0 for weights in values)
    generator = np.random.default_rng(SEED)
    masks = []
    for layer in workload.layers:
        scores = generator.random(layer.weight_shape)
        if values is not None and rule.kind in ("magnitude", "n:m"):
            scores = np.abs(values[layer.index])
        last = layer.index == len(workload.layers) - 1
        masks.append(_kept(layer, scores, rule, last) if layer.weighted else scores > 0)
    return tuple(masks)


def _recorded(workload: Workload, position: int, rule: WeightRule) -> Sequence[Numbers] | None:
    """The recorded weights of every layer; None if there are none and the rule does without."""
    if workload.levels[position] == "bits":
        if rule.kind in ("recorded", "magnitude"):
            raise WorkloadError(
                f"{workload.path.name}: weights {rule.text}: iteration "
                f"{workload.iterations[position]} was recorded without values; choose one of level "
                "value or exact, or draw weights, such as density=0.3"
            )
        return None
    if rule.kind not in ("recorded", "magnitude", "n:m"):
        return None
    return [each.weights for each in workload.load_values(position).parameters]


def _kept(layer: Layer, scores: Numbers, rule: WeightRule, last: bool) -> BoolArray:
    """The weights of a layer that a rule leaves, by their ``scores``."""
    if rule.kind == "n:m":
        return largest_of_groups(scores, int(rule.kept), rule.group)
    if rule.kind == "rows":
        share = 1.0 if last else rule.kept
        outputs = _largest(scores.reshape(len(scores), -1)[:, 0], share)
        return np.broadcast_to(outputs[:, None, None, None], scores.shape)
    if rule.kind == "tiles":
        return _tiles(layer, scores, rule.kept)
    return _largest(scores, rule.kept)


def _largest(scores: Numbers, share: float) -> BoolArray:
    """The largest ``share`` of the scores, one at least."""
    return largest(scores, max(1, round(share * scores.size)))


def _tiles(layer: Layer, scores: Numbers, share: float) -> BoolArray:
    """Whole tiles of outputs x inputs under a tap, by the score of their first weight.

    Tiles of a grouped convolution end with its groups.
    """
    width = layer.out_shape[0] // layer.groups
    rows = np.arange(layer.out_shape[0])
    rows = rows - rows % width % TILE
    columns = np.arange(scores.shape[1]) // TILE * TILE
    firsts, row_of = np.unique(rows, return_inverse=True)
    chosen = _largest(scores[np.ix_(firsts, np.unique(columns))], share)
    return np.asarray(chosen[np.ix_(row_of, columns // TILE)])
