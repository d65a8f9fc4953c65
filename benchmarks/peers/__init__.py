"""Other simulators on the same work.

environment  a throw-away virtual environment for each, in ``build/benchmarks``
works        what is measured beside which of our runs
page         the tables of docs/performance.md

``sanafe_replay``, ``scalesim_gemms`` and ``neuromc_profile`` run in the environment of the peer,
on a job that benchmarks/children/recorded.py wrote, and import nothing of ours.
"""
