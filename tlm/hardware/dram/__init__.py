"""A DRAM channel.

In reading order: ``policy`` and ``delays`` (what the controller decides, what the device demands),
``address``, ``bank``, ``bus`` and ``queues`` (the channel's state), ``scheduler`` (which command is
issued when), ``channel`` (the process in front of it), ``counters`` and ``energy``; ``ideal`` is a
channel without banks. ``patterns`` and ``driver`` try a channel without a chip.
"""
