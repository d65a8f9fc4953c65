"""mnist-csnn: a convolutional network, c16k5-P-c32k5-P-128-10, on MNIST."""

from tlm.workload.recipe import LIF, Conv, Dense, Recipe, stack

RECIPE = Recipe(
    name="mnist-csnn",
    layers=stack(
        (1, 28, 28),
        (
            Conv(16, kernel=5, padding=2, pool=2),
            Conv(32, kernel=5, padding=2, pool=2),
            Dense(128),
            Dense(10),
        ),
        LIF,
    ),
    steps=4,
    batch=16,
    training_batch=64,
    epochs=5,
    learning_rate=2e-3,
    current_std=2.0,
    output_std=1.0,
    seed=1,
)
