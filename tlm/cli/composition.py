"""Loading ``analysis``, the package beside ``tlm``, whatever else is called that.

``python -m tlm`` puts the user's folder first on the path, and ``analysis.py`` is a name people
give their own scripts. So the package is loaded from its place, never looked up by name.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import tlm

_NAME = "analysis"


def load_analysis() -> ModuleType:
    """The ``analysis`` package installed beside ``tlm``; ``import analysis.x`` works from then on.

    Raises:
        ImportError: the installation is incomplete.
    """
    folder = Path(tlm.__file__).parent.parent / _NAME
    origin = folder / "__init__.py"
    loaded = sys.modules.get(_NAME)
    if loaded is not None and getattr(loaded, "__file__", None) == str(origin):
        return loaded
    if not origin.is_file():
        raise ImportError(f"{origin} is missing; install the package again")
    spec = spec_from_file_location(_NAME, origin, submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_NAME] = module
    spec.loader.exec_module(module)
    return module
