"""``python -m tlm``: the command line."""

import gc
import sys

if __name__ == "__main__":
    try:
        from tlm.cli import main

        code = main()
    except KeyboardInterrupt:  # while the imports were still going on
        print("tlm: interrupted", file=sys.stderr)
        code = 130
    gc.freeze()  # the system frees a large chip at once, Python object by object
    sys.exit(code)
