"""Reads what runs leave behind, and models a GPU beside them.

reading    the files of a run: summary, energy table, and how much of it the trace covers
findings   what follows from them: use of engines, stalls, traffic, links, roofline, critical path,
           and what changed between two runs
plots      the figures; report: all of them on one page
gpu        the same training step on a GPU
"""
