"""Settings of every test: reproducible Hypothesis examples, no display."""

import os

from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

# Examples are derived from the test itself, so that two runs of one commit agree; the machines
# that run them are shared, so time limits an example would only add noise.
settings.register_profile("tlm", derandomize=True, deadline=None)
settings.load_profile("tlm")
