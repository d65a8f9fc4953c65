"""fed-mnist: mnist-fc trained by FedAvg on 5 workers."""

from tlm.workload.blocks import Dense
from tlm.workload.recipe import LIF, FederatedRecipe, Recipe, Scaling

RECIPE = FederatedRecipe(
    name="fed-mnist",
    local=Recipe(
        name="mnist-fc",
        dataset="mnist",
        encoding="direct",
        blocks=(Dense(512), Dense(10)),
        neuron=LIF,
        norm=False,
        scaling=Scaling(current_std=2.0, output_std=1.0),
        steps=4,
        batch=16,
        training_batch=16,
        epochs=1,
        learning_rate=5e-4,
        levels=("bits", "bits", "bits"),
        seed=1,
    ),
    workers=5,
    rounds=20,
    local_iterations=None,
    alpha=0.3,
    compressions=("none", "fp16", "top-0.1", "top-0.01"),
    recorded=tuple(range(1, 21)),
    recorded_iid=tuple(range(1, 21)),
    round_iterations=8,
    test_samples=None,
)
