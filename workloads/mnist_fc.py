"""mnist-fc: a fully connected network, 784-512-10, on MNIST."""

from tlm.workload.blocks import Dense
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="mnist-fc",
    dataset="mnist",
    encoding="direct",
    blocks=(Dense(512), Dense(10)),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=4,
    batch=16,
    training_batch=32,
    epochs=6,
    learning_rate=2e-3,
    levels=("exact", "exact", "exact"),
    seed=1,
)
