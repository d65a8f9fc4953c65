"""The chip's parts, one physical thing per module, on top of simulated time (``tlm.kernel``).

In reading order:

- ``sockets``: where a DMA is bound to the network;
- ``core``: an engine runs its tiles, its DMA moves what they read, write and send;
- ``noc``: the network between cores and DRAM channels, as packets or flit by flit;
- ``dram``: a channel, its controller and its banks;
- ``chip``: all of these, built from a chip description and loaded with a program;
- ``waits``: who waits for whom in a chip that is stuck;
- ``energy``, ``area``: what a finished run used, and how large the chip is.

Where new hardware goes: a DRAM device is a file of timings and currents,
``tlm/config/dram/NAME.yaml``, and needs no code. A fleet of chips will stand beside ``chip``: it
builds several and joins their networks.
"""
