"""mnist-csnn: a convolutional network, c16k5-P-c32k5-P-128-10, on MNIST."""

from tlm.workload.blocks import Conv, Dense, MaxPool
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="mnist-csnn",
    dataset="mnist",
    encoding="direct",
    blocks=(
        Conv(16, kernel=5, padding=2),
        MaxPool(2),
        Conv(32, kernel=5, padding=2),
        MaxPool(2),
        Dense(128),
        Dense(10),
    ),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=4,
    batch=16,
    training_batch=64,
    epochs=5,
    learning_rate=2e-3,
    levels=("exact", "exact", "exact"),
    seed=1,
)
