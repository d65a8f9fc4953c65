"""Questions that take more than one run: relief, counterfactuals, the reference layer."""
