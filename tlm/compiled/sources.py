"""Whether the compiled kernel has been built, and of the sources that lie here."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
BUILT_OF = "built_of.sha256"  # the digest of the sources, left by the build


def sources_digest() -> str:
    """SHA-256 over the sources of the compiled modules, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in (".pyx", ".pxd", ".pxi"):
            digest.update(f"{path.name}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def why_missing() -> str | None:
    """Why there is no compiled kernel; None if there is."""
    try:
        built_of = (FOLDER / BUILT_OF).read_text()
    except OSError:
        return "not built: install again with a C compiler at hand"
    if find_spec("tlm.compiled.engine") is None:
        return "not built for this Python: install again with a C compiler at hand"
    if built_of != sources_digest():
        return "built of other sources than those that lie here: install again"
    return None
