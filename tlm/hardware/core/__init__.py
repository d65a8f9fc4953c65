"""A core: its engines and the DMA of each."""
