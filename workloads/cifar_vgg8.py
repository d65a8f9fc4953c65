"""cifar-vgg8: VGG-8 without batch normalisation, on CIFAR-10."""

from tlm.workload.blocks import AvgPool, Conv, MaxPool, Readout
from tlm.workload.recipe import LIF, Recipe, Scaling

RECIPE = Recipe(
    name="cifar-vgg8",
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
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=4,
    batch=8,
    training_batch=64,
    epochs=1,
    learning_rate=1e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
    channels_last=True,
)
