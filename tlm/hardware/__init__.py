"""The chip's parts, one physical thing a module: engines, DMA, mesh, DRAM, and the chip of them."""
