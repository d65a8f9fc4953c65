"""mnist-csnn-bn: mnist-csnn with batch normalisation, which makes dL/dY dense."""

from tlm.workload.blocks import Conv, Dense, MaxPool
from tlm.workload.recipe import LIF, Recipe

RECIPE = Recipe(
    name="mnist-csnn-bn",
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
    norm=True,
    scaling=None,
    steps=4,
    batch=16,
    training_batch=64,
    epochs=5,
    learning_rate=2e-3,
    levels=("bits", "bits", "exact"),
    seed=1,
)
