"""One run, from what was asked to the files it leaves.

In reading order:

- ``request``: what is asked, and what comes back.
- ``runner``: the door to this room: prepare, estimate, simulate, check, write.
- ``preparation``: job and chip loaded, the plan made, the program built.
- ``cost``, ``memory``: what the run will take, and whether there is room for it.
- ``execution``: the run in its folder.
- ``figures``: the summary, part by part.
- ``folder``, ``manifest``, ``results``, ``stats``, ``partial``: the files.
- ``repeat``, ``difference``: the run again from its own record, compared byte by byte.

What stops a run early: Ctrl-C or SIGTERM (``interrupts``), a deadlock or a standstill
(:mod:`tlm.kernel.simulation`), memory that runs out (``memory``), a full disk (``folder``). Each
ends in ``execution``, which writes what is known and how the run ended.
"""
