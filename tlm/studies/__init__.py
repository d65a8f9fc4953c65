"""Questions about a run, most of which take further runs.

- ``relief``: a run with twice as much of one resource (``relief_gains``: what that gains).
- ``rereads``: what a run reads from DRAM more than once, and why (``reread_causes``).
- ``counterfactual``: the same job dense, as an ANN, and at other spike rates.
- ``mapping_search``: a job's mappings compared by simulation (``mapping_proposals``: which ones).
- ``reference_layer``: TFLOPS/W of the engines on one dense layer.
- ``sweep``: one job on many chips (``sweep_points``: which ones).
"""
