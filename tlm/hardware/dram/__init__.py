"""A DRAM channel: banks, bus, queues, the controller that orders commands, and its counters."""
