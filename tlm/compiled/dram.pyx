"""A DRAM channel and its controller.

The same concepts as in ``tlm.hardware.dram``, file for file; they stand in one module because
they call each other for every command.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memmove

from tlm.compiled.queue cimport EventQueue
from tlm.compiled.server cimport Done, Server, Transaction, server_of

import numpy as np

from tlm.compiled.environment import CompiledEnvironment
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.commands import SPREAD, DramCommand, IssuedCommand
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.delays import DramDelays
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.replay import Served
from tlm.kernel import run_until

cdef enum:
    NORMAL = 1  # the priority of SimPy of all events but the first of a process

include "dram_delays.pxi"
include "dram_bank.pxi"
include "dram_bus.pxi"
include "dram_candidates.pxi"
include "dram_queues.pxi"
include "dram_memory.pxi"
include "dram_commands.pxi"
include "dram_counters.pxi"
include "dram_outlook.pxi"
include "dram_scheduler.pxi"
include "dram_channel.pxi"
include "dram_ideal.pxi"
include "dram_replay.pxi"
