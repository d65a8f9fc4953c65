"""The chip against the GPU.

chip_run      a run of the chip, or a count where there is none; sweep: its runs at other activities
compare       DRAM bytes under four baselines
sensitivity   one assumption at a time to its ends
"""
