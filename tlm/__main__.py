"""``python -m tlm``: the command line."""

import sys

from tlm.cli import main

if __name__ == "__main__":
    sys.exit(main())
