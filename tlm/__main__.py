"""``python -m tlm``: the command line."""

import sys

if __name__ == "__main__":
    try:
        from tlm.cli import main

        code = main()
    except KeyboardInterrupt:  # while the imports were still going on
        print("tlm: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)
