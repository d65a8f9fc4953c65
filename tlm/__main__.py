"""``python -m tlm`` and the script ``tlm``: the command line, in a process of its own."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn


def start() -> NoReturn:
    """Run the command line of this process and end it with its exit code."""
    # What imports leave is not garbage: looking through it takes a tenth of a short run.
    gc.set_threshold(50_000)
    # Matrices here are small: waking threads of BLAS for them costs more than it gains, at the
    # start and in the largest bundled job. No plugin of pydantic has a say in a chip's description.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from tlm.cli import main

        code = main()
    except KeyboardInterrupt:  # while the imports were still going on
        print("tlm: interrupted", file=sys.stderr)
        code = 130
    gc.freeze()  # the system frees a large chip at once, Python object by object
    sys.exit(code)


if __name__ == "__main__":
    start()
