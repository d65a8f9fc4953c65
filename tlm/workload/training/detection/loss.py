"""What the cells of a detector should say of a scene, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from tlm.workload.training.detection.network import ANSWERS
from tlm.workload.training.detection.scenes import Scenes

_LARGE: Final = 0.35
"""Share of the frame from which on a box is that of a large cell."""
_BOX_WEIGHT: Final = 5.0
"""Weight of the box in the loss, as in Redmon et al., arXiv 1506.02640."""


def box_loss(answers: Sequence[Tensor], scenes: Scenes) -> Tensor:
    """Loss of the answers [B, 5 + classes, h, w] of the small and the large cells.

    Objectness of all cells; box and class of the cell that holds a box's centre, of the size that
    is answerable for the box. A cell says its box as logits: of the place inside of the cell and
    of the share of the frame.
    """
    large = scenes.boxes[:, 2:].amax(1) >= _LARGE
    total = scenes.boxes.new_zeros(())
    for cells, answerable in zip(answers, (~large, large), strict=True):
        objects = torch.zeros_like(cells[:, 0])
        mine = answerable.nonzero()[:, 0]
        place = scenes.boxes[mine, :2] * cells.shape[-1]
        column, row = place.long().clamp(max=cells.shape[-1] - 1).unbind(1)
        objects[mine, row, column] = 1
        total = total + binary_cross_entropy_with_logits(cells[:, 0], objects)
        at_box = cells[mine, :, row, column]
        wanted = torch.cat((place - place.floor(), scenes.boxes[mine, 2:]), 1)
        if len(mine):
            total = total + _BOX_WEIGHT * mse_loss(at_box[:, 1:ANSWERS].sigmoid(), wanted)
            total = total + cross_entropy(at_box[:, ANSWERS:], scenes.labels[mine])
    return total


@dataclass(frozen=True, eq=False)
class Detections:
    """Of each scene the box [B, 4] of the cell that is surest, as in a scene, and its class [B]."""

    boxes: Tensor
    labels: Tensor

    def right(self, scenes: Scenes) -> Tensor:
        """Whether class and place [B] are right: boxes that share half of what they cover."""
        return (self.labels == scenes.labels) & (_overlap(self.boxes, scenes.boxes) >= 0.5)


def detections(answers: Sequence[Tensor]) -> Detections:
    """What the cells of both sizes say."""
    boxes, sure, classes = [], [], []
    for cells in answers:
        side = cells.shape[-1]
        row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        box = cells[:, 1:ANSWERS].sigmoid()
        corner = torch.stack((column, row)).to(box.dtype)
        box = torch.cat(((box[:, :2] + corner) / side, box[:, 2:]), 1)
        boxes.append(box.flatten(2))
        sure.append(cells[:, 0].flatten(1))
        classes.append(cells[:, ANSWERS:].argmax(1).flatten(1))
    cell = torch.cat(sure, 1).argmax(1)
    samples = torch.arange(len(cell))
    return Detections(torch.cat(boxes, 2)[samples, :, cell], torch.cat(classes, 1)[samples, cell])


def _overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes [B, 4] of centre and size."""
    low = torch.maximum(boxes[:, :2] - boxes[:, 2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = torch.minimum(boxes[:, :2] + boxes[:, 2:] / 2, others[:, :2] + others[:, 2:] / 2)
    shared = (high - low).clamp(min=0).prod(1)
    return shared / (boxes[:, 2:].prod(1) + others[:, 2:].prod(1) - shared)
