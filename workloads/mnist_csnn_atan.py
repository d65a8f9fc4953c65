"""mnist-csnn-atan: mnist-csnn with SpikingJelly's ATan surrogate, which is zero nowhere."""

from tlm.workload.blocks import Conv, Dense, MaxPool
from tlm.workload.recipe import Recipe, Scaling
from tlm.workload.surrogate import lif_neuron

RECIPE = Recipe(
    name="mnist-csnn-atan",
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
    neuron=lif_neuron(surrogate="arctangent", width=1.0),
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=4,
    batch=16,
    training_batch=64,
    epochs=5,
    learning_rate=2e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
)
