"""spinaps-motions: 60-4 GLM neurons on BasicMotions; a step takes up half a second of a watch."""

from tlm.workload.recipe import GLMRecipe

RECIPE = GLMRecipe(
    name="spinaps-motions",
    dataset="basic-motions",
    outputs=4,
    steps=20,
    taps=20,
    functions=8,
    batch=40,
    epochs=1000,
    training_batch=20,
    learning_rate=2e-3,
    seed=1,
)
