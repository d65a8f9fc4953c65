"""A bundled job on both kernels, in all ways in which they are compared.

``python -m tests.reliability.probe_compiled`` prints the first in which they differ.
"""

from __future__ import annotations

from tests.reliability.kernels import differences, requests


def first_fault() -> str:
    """How the first run ends that is not the same on both, or nothing."""
    for name, request in requests("digits"):
        try:
            files = differences(request)
        except Exception as error:
            return f"digits, {name}: {type(error).__name__}: {error}"
        if files:
            return f"digits, {name}: {', '.join(files)} differ"
    return ""


if __name__ == "__main__":
    print(first_fault() or "ok")
