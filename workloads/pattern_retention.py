"""pattern-retention: 700-400-250 current-based LIF neurons that learn to write T L M in spikes."""

from tlm.workload.model import Neuron
from tlm.workload.recipe import RetentionRecipe

RECIPE = RetentionRecipe(
    name="pattern-retention",
    neurons=(700, 400, 250),
    neuron=Neuron(
        current_decay=0.75,
        decay=0.875,
        gain=1.0,
        threshold=0.9,
        reset="soft",
        reset_value=0.9,
        detach_reset=True,
        surrogate="fast-sigmoid",  # SuperSpike, 1 / (1 + 100 |H - threshold|)^2
        surrogate_width=0.02,
        surrogate_peak=1.0,
        compact=False,
    ),
    steps=250,
    step_ms=1.0,
    input_rate_hz=25.0,
    pattern_seed=1,
    filter_ms=5.0,
    weight_bits=4,
    density=0.65,
    epochs=1000,
    learning_rate=1e-3,
    levels=("bits", "bits", "exact"),
    seed=1,
)
