"""tlm: a transaction-level simulator of multi-core neuromorphic training chips."""

__version__ = "0.1.0"
