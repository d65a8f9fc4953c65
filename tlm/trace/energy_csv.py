"""``energy.csv``: the table of a run's energy, count times price, one line for each place.

``phase`` is empty for what belongs to no phase, and ``layer`` then -1. ``pj_each`` and ``total_pj``
are in pJ; a line of leakage counts instance-picoseconds, each worth the power in W.
"""

FILE_NAME = "energy.csv"
COLUMNS = (
    "component",
    "action",
    "phase",
    "layer",
    "count",
    "pj_each",
    "total_pj",
    "source",
    "confidence",
)
