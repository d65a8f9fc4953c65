"""Networks behind torch.compile: recorded as they run uncompiled."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module


def uncompiled(net: Module) -> Module:
    """The module that ``torch.compile`` wrapped, or ``net`` itself."""
    inner: Module = getattr(net, "_orig_mod", net)
    return inner


def module_name(path: str) -> str:
    """The path of a module without what ``torch.compile`` put between."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")


def eager() -> AbstractContextManager[Any]:
    """While it lasts compiled code runs as it was written, so that hooks see every module.

    Before PyTorch 2.6 there is no such switch; hooks then split what is compiled.
    """
    import torch

    # Who compiles has loaded the compiler; loading it for others takes a second.
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance
