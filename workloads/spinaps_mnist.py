"""spinaps-mnist: 784-10 GLM neurons on MNIST; a pixel p spikes with probability p / 255."""

from tlm.workload.recipe import GLMRecipe

RECIPE = GLMRecipe(
    name="spinaps-mnist",
    dataset="mnist",
    outputs=10,
    steps=16,
    taps=16,
    functions=8,
    batch=32,
    epochs=20,
    training_batch=100,
    learning_rate=2e-3,
    seed=1,
)
