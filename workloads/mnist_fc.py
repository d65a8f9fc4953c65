"""mnist-fc: a fully connected network, 784-512-10, on MNIST."""

from tlm.workload.recipe import LIF, Dense, Recipe, stack

RECIPE = Recipe(
    name="mnist-fc",
    layers=stack((784, 1, 1), (Dense(512), Dense(10)), LIF),
    steps=4,
    batch=16,
    training_batch=32,
    epochs=6,
    learning_rate=2e-3,
    current_std=2.0,
    output_std=1.0,
    seed=1,
)
