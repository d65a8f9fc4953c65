"""A DRAM channel.

In reading order: ``policy`` and ``delays`` (what the controller decides, what the device demands),
``address``, ``bank``, ``bus`` and ``queues`` (the channel's state), ``candidates`` (which
commands are possible), ``scheduler`` (which is issued when), ``commands`` (a sample of
them, to be checked), ``outlook`` (when to look again),
``channel`` (the process in front of it), ``counters`` and ``energy``; ``ideal`` is a
channel without banks. ``patterns`` and ``driver`` try a channel without a chip.

A new device needs no code: it is a file ``tlm/config/dram/NAME.yaml``.
"""
