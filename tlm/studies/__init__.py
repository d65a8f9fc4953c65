"""Questions that take more than one run.

- ``relief``: what would be gained by twice as much of one resource.
- ``counterfactual``: the same job dense, as an ANN, and at other spike rates.
- ``reference_layer``: TFLOPS/W of the engines on one dense layer.

Sweeps over many chips and federated learning belong here.
"""
