"""fed-cifar: a small convolutional network, c32s2-P-c64-P-c64-A4-(10), trained by FedAvg."""

from tlm.workload.blocks import AvgPool, Conv, MaxPool, Readout
from tlm.workload.recipe import LIF, FederatedRecipe, Recipe, Scaling

RECIPE = FederatedRecipe(
    name="fed-cifar",
    local=Recipe(
        name="c32s2-P-c64-P-c64-A4-(10)",
        dataset="cifar10",
        encoding="direct",
        blocks=(
            Conv(32, stride=2),
            MaxPool(2),
            Conv(64),
            MaxPool(2),
            Conv(64),
            AvgPool(4),
            Readout(10),
        ),
        neuron=LIF,
        norm=False,
        scaling=Scaling(current_std=2.0, output_std=1.0),
        steps=4,
        batch=16,
        training_batch=16,
        epochs=1,
        learning_rate=2e-3,
        levels=("bits", "bits", "bits"),
        seed=1,
    ),
    workers=5,
    rounds=10,
    local_iterations=100,
    alpha=0.3,
    compressions=("none", "fp16", "top-0.1", "top-0.01"),
    recorded=(1, 2, 3, 10),
    recorded_iid=(1,),
    round_iterations=4,
    test_samples=2000,
)
