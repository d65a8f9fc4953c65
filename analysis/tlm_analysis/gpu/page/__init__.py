"""The page ``docs/gpu-baseline.md``.

text          the words between the tables
chip_tables   the tables with the chip in them; plots: the figures
page          the page as a whole
"""
