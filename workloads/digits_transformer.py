"""digits-transformer: a Spikformer, two blocks over 16 tokens, on digits of 8 x 8 pixels."""

from tlm.workload.blocks import Attention, AvgPool, Conv, MaxPool, Perceptron, Readout
from tlm.workload.recipe import LIF, Recipe

RECIPE = Recipe(
    name="digits-transformer",
    dataset="digits",
    encoding="direct",
    blocks=(
        Conv(16),
        MaxPool(2),
        Conv(32),
        *(Attention(heads=4), Perceptron(ratio=2)) * 2,
        AvgPool(4),
        Readout(10),
    ),
    neuron=LIF,
    norm=True,
    scaling=None,
    steps=4,
    batch=8,
    training_batch=32,
    epochs=12,
    learning_rate=5e-3,
    levels=("bits", "bits", "exact"),
    seed=1,
)
