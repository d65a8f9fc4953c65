"""nmnist-cnn: a strided convolutional network, c16s2-c32s2-P-10, on the events of N-MNIST."""

from tlm.workload.blocks import Conv, Dense, MaxPool
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="nmnist-cnn",
    dataset="nmnist",
    encoding="events",
    blocks=(Conv(16, stride=2), Conv(32, stride=2), MaxPool(2), Dense(10)),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=20,
    batch=8,
    training_batch=16,
    epochs=25,
    learning_rate=5e-3,
    levels=("exact", "exact", "exact"),
    seed=1,
)
