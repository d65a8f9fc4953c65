"""What follows from the files of a run.

activity        time of the engines by state, in windows
stalls          the same by layer and phase, and engine by engine
traffic         DRAM bytes over time, latencies of transactions
links           how busy each link of the mesh was
roofline        operations per byte against the peaks
critical_path   which resource held the run up, from the last event back to the first
compare         what changed between two runs
"""
