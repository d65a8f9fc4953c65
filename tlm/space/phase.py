"""The phases of training, the engine of each, and the commands of a transaction."""

from __future__ import annotations

from enum import IntEnum


class Command(IntEnum):
    """What a transaction asks of its target (TLM-2.0: ``tlm_command``); the trace's values."""

    READ = 0
    WRITE = 1
    SPIKE = 2
    GRADIENT = 3
    WEIGHT_GRADIENT = 4
    WEIGHT = 5


class Phase(IntEnum):
    """What a tile is part of; the values are those of the trace.

    NORM normalises by batch statistics and runs the neurons, NORM_GRAD turns dI into dY,
    RECOMPUTE computes the currents and U of FP a second time, for BP.
    """

    FP = 0
    LOSS = 1
    GRAD = 2
    BP = 3
    WG = 4
    REDUCE = 5
    UPDATE = 6
    NORM = 7
    NORM_GRAD = 8
    RECOMPUTE = 9


ENGINES = ("fp", "bp", "wg")
ENGINE_OF_PHASE = {
    Phase.FP: "fp",
    Phase.LOSS: "bp",
    Phase.GRAD: "bp",
    Phase.BP: "bp",
    Phase.WG: "wg",
    Phase.REDUCE: "wg",
    Phase.UPDATE: "wg",
    Phase.NORM: "fp",
    Phase.NORM_GRAD: "bp",
    Phase.RECOMPUTE: "fp",
}

# The pass of training that a phase is part of. One may begin only when another has got so far: an
# engine that waits for that has nothing of its own to speed up.
PASS_OF_PHASE = {
    Phase.FP: "forward",
    Phase.NORM: "forward",
    Phase.RECOMPUTE: "recompute",
    Phase.LOSS: "backward",
    Phase.GRAD: "backward",
    Phase.BP: "backward",
    Phase.NORM_GRAD: "backward",
    Phase.WG: "weight gradient",
    Phase.REDUCE: "update",
    Phase.UPDATE: "update",
}

BATCH = -1  # sample and step of work that is done once per mini-batch; the trace's "none"
