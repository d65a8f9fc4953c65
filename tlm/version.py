"""The version, apart from the package's root, which knows the front ends."""

__version__ = "0.1.0"
