"""cifar-sew: SEW-ResNet of 4 ADD blocks (Fang et al., arXiv 2102.04159), on CIFAR-10."""

from tlm.workload.blocks import AvgPool, Conv, MaxPool, Readout, Residual
from tlm.workload.recipe import Recipe
from tlm.workload.surrogate import lif_neuron

RECIPE = Recipe(
    name="cifar-sew",
    dataset="cifar10",
    encoding="direct",
    blocks=(
        Conv(32),
        MaxPool(2),
        Residual(32),
        Residual(64, stride=2),
        Residual(64),
        Residual(128, stride=2),
        AvgPool(4),
        Readout(10),
    ),
    neuron=lif_neuron(surrogate="triangular", width=2.0),
    norm=True,
    scaling=None,
    steps=4,
    batch=8,
    training_batch=64,
    epochs=2,
    learning_rate=2e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
    channels_last=True,
)
