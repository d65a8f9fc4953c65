"""cifar-vgg8-bn: VGG-8 of 7 convolutions with batch normalisation, on CIFAR-10."""

from tlm.workload.blocks import AvgPool, Conv, MaxPool, Readout
from tlm.workload.recipe import LIF, Recipe

RECIPE = Recipe(
    name="cifar-vgg8-bn",
    dataset="cifar10",
    encoding="direct",
    blocks=(
        Conv(24),
        MaxPool(2),
        Conv(48),
        Conv(48),
        MaxPool(2),
        Conv(96),
        Conv(96),
        MaxPool(2),
        Conv(96),
        Conv(96),
        AvgPool(4),
        Readout(10),
    ),
    neuron=LIF,
    norm=True,
    scaling=None,
    steps=4,
    batch=8,
    training_batch=64,
    epochs=4,
    learning_rate=2e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
    channels_last=True,
)
