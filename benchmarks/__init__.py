"""How fast the simulator is, beside itself and beside others: ``python -m benchmarks``.

works      what is measured: programs that do the same work, each a command
measuring  runs programs in turn, each in a process of its own
launcher   starts such a process and tells what it took
children   what these processes run
peers      other simulators on the same work
rows       the measured rows, and their medians
page       writes the tables of docs/performance.md
figure     the plots of growth and of peers
counting   exact counts beside reading the packed tensors: ``python -m benchmarks.counting``
"""
