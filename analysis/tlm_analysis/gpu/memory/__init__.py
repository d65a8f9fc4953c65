"""Kernels replayed through the memory of a GPU.

access    the order in which a kernel touches its tensors
cache     the L2 cache
traffic   where tensors lie, and the bytes that every kernel moves
"""
