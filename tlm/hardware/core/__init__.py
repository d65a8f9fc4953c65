"""A core: its engines and the DMA of each.

``engine`` first: fetch, wait, compute, hand over. Then ``dma``: transfers become transactions.
"""
