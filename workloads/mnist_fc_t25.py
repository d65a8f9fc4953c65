"""mnist-fc-t25: 784-512-10 on MNIST, rate coded over 25 steps."""

from tlm.workload.blocks import Dense
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="mnist-fc-t25",
    dataset="mnist",
    encoding="rate",
    blocks=(Dense(512), Dense(10)),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=25,
    batch=16,
    training_batch=32,
    epochs=6,
    learning_rate=1e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
)
