"""Training of a detector: scenes, what cells should say of them, and what they say."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")

from tlm.workload.surrogate import lif_neuron  # noqa: E402
from tlm.workload.training.datasets import DataSplit  # noqa: E402
from tlm.workload.training.detection.loss import box_loss, detections  # noqa: E402
from tlm.workload.training.detection.network import ANSWERS, Detector  # noqa: E402
from tlm.workload.training.detection.scenes import Scenes, scenes  # noqa: E402

SIDE, SAMPLES, CLASSES = 64, 12, 10


def recordings() -> DataSplit:
    """Rectangles of 8 rows and 12 columns that fire all the time."""
    frames = np.zeros((SAMPLES, 3, 2, 34, 34), np.uint8)
    frames[..., 10:18, 4:16] = 1
    return DataSplit(frames, np.arange(SAMPLES) % CLASSES)


def seen(seed: int = 0) -> Scenes:
    """A scene of each recording."""
    return scenes(recordings(), slice(SAMPLES), SIDE, (seed,))


def answers(wanted: Scenes, wrong: int = 0) -> list[torch.Tensor]:
    """What cells would say who know; of the first ``wrong`` scenes they name another class."""
    both = []
    for side, large in ((8, False), (4, True)):
        cells = torch.full((SAMPLES, ANSWERS + CLASSES, side, side), -20.0)
        for sample, box in enumerate(wanted.boxes):
            if bool(box[2:].max() >= 0.35) != large:
                continue
            column, row = (int(place * side) for place in box[:2])
            inside = torch.stack((box[0] * side - column, box[1] * side - row, *box[2:]))
            cells[sample, 0, row, column] = 20
            cells[sample, 1:ANSWERS, row, column] = torch.logit(inside, 1e-6)
            label = (int(wanted.labels[sample]) + (sample < wrong)) % CLASSES
            cells[sample, ANSWERS + label, row, column] = 20
        both.append(cells)
    return both


def test_a_box_holds_the_events_of_its_scene() -> None:
    """Its sides are those of the rectangle, or of the rectangle at half its size."""
    wanted = seen()
    sizes = set()
    for sample, box in enumerate(wanted.boxes.double() * SIDE):
        rows, columns = torch.nonzero(wanted.events[:, sample].sum((0, 1)), as_tuple=True)
        centre = [(float(each.min()) + float(each.max()) + 1) / 2 for each in (columns, rows)]
        assert box[:2].tolist() == pytest.approx(centre)
        assert box[2:].tolist() == [len(set(columns.tolist())), len(set(rows.tolist()))]
        sizes.add(tuple(box[2:].tolist()))
    assert sizes == {(12.0, 8.0), (6.0, 4.0)}


def test_scenes_are_those_of_their_seed() -> None:
    """The same again; at other places with another seed."""
    assert seen().events.equal(seen().events)
    assert not seen().boxes.equal(seen(1).boxes)


def test_who_knows_is_right_and_pays_nothing() -> None:
    """No loss and all right; each wrong class is one answer less, and costs."""
    wanted = seen()
    known, mistaken = answers(wanted), answers(wanted, wrong=3)
    assert float(box_loss(known, wanted)) < 1e-3
    assert bool(detections(known).right(wanted).all())
    assert int(detections(mistaken).right(wanted).sum()) == SAMPLES - 3
    assert float(box_loss(mistaken, wanted)) > 1


def test_a_box_elsewhere_is_wrong() -> None:
    """The right class half a frame away is no detection."""
    wanted = seen()
    moved = Scenes(wanted.events, (wanted.boxes + 0.5) % 1, wanted.labels)
    assert not bool(detections(answers(wanted)).right(moved).any())


def test_both_sizes_of_cells_learn() -> None:
    """A gradient reaches every weight of the detector."""
    torch.manual_seed(0)
    network = Detector(2, 2, CLASSES, lif_neuron(surrogate="triangular", width=2.0), steps=3)
    wanted = seen()
    large = wanted.boxes.clone()
    large[::2, 2:] = 0.5
    box_loss(network(wanted.events), Scenes(wanted.events, large, wanted.labels)).backward()
    assert all(bool(weights.grad.any()) for weights in network.parameters())
