"""digits: a small convolutional network, c16-c32-P-10, on scikit-learn's 8 x 8 digits."""

from tlm.workload.blocks import Conv, Dense, MaxPool
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="digits",
    dataset="digits",
    encoding="direct",
    blocks=(Conv(16), Conv(32), MaxPool(2), Dense(10)),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.5),
    steps=8,
    batch=16,
    training_batch=32,
    epochs=12,
    learning_rate=1e-3,
    levels=("exact", "exact", "exact"),
    seed=1,
)
