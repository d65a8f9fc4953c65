"""How fast the simulator is, beside itself and beside others: ``python -m benchmarks``.

works      what is measured: programs that do the same work, each a command
measuring  runs programs in turn, each in a process of its own
children   what these processes run
page       writes the tables of docs/performance.md
figure     the plot of growth
counting   exact counts beside reading the packed tensors: ``python -m benchmarks.counting``
"""
