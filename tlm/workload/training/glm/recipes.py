"""The two networks of GLM neurons that we train."""

from __future__ import annotations

from tlm.workload.recipe import GLMRecipe

DIGITS = GLMRecipe(
    name="spinaps-mnist",
    dataset="mnist",
    outputs=10,
    steps=16,
    taps=16,
    functions=8,
    epochs=20,
    training_batch=100,
    learning_rate=2e-3,
    seed=1,
)
"""784-10 on MNIST, a pixel of value p spiking with probability p / 255 at every step."""

MOTIONS = GLMRecipe(
    name="spinaps-motions",
    dataset="basic-motions",
    outputs=4,
    steps=20,
    taps=20,
    functions=8,
    epochs=1000,
    training_batch=20,
    learning_rate=2e-3,
    seed=1,
)
"""60-4 on BasicMotions: a step takes up half a second of six signals."""

RECIPES = (DIGITS, MOTIONS)
