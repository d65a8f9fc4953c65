"""nmnist-detector: a detector with a feature pyramid, on digits of N-MNIST in larger frames."""

from tlm.workload.recipe import DetectionRecipe
from tlm.workload.surrogate import lif_neuron

RECIPE = DetectionRecipe(
    name="nmnist-detector",
    dataset="nmnist",
    encoding="events",
    width=8,
    side=64,
    neuron=lif_neuron(surrogate="triangular", width=2.0),
    steps=5,
    batch=4,
    training_batch=16,
    epochs=60,
    learning_rate=5e-3,
    levels=("bits", "bits", "bits"),
    seed=1,
)
