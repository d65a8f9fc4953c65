"""Compiles the compiled kernel while the package is built, where a C compiler is at hand.

Without one the package is built all the same: it then has the kernel of SimPy alone.
"""

from __future__ import annotations

import os
import runpy
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("tlm/compiled")
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
}


class CompiledKernel(BuildHookInterface):
    """Adds the compiled modules of ``tlm/compiled`` to a wheel or an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless ``TLM_PURE`` is set; a failure is told and costs only speed."""
        from setuptools.errors import BaseError, CompileError, ExecError

        if self.target_name != "wheel" or os.environ.get("TLM_PURE"):
            return
        try:
            modules = compiled_modules(Path(self.root))
        except (BaseError, CompileError, ExecError, OSError) as error:
            self.app.display_warning(f"built without the compiled kernel: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"] += [f"/{module}" for module in modules]

    def clean(self, versions: list[str]) -> None:
        """Remove what compiling has left beside the modules."""
        shutil.rmtree(Path(self.root, "build", "compiled"), ignore_errors=True)


def compiled_modules(root: Path) -> list[str]:
    """Compile every ``.pyx`` file in place; paths of what was made. Raises what compilers raise."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    here = Path.cwd()
    os.chdir(root)
    try:
        extensions = [
            Extension(f"tlm.compiled.{path.stem}", [str(path)])
            for path in sorted(FOLDER.glob("*.pyx"))
        ]
        distribution = Distribution(
            {
                "name": "tlm",
                "ext_modules": cythonize(
                    extensions,
                    compiler_directives=DIRECTIVES,
                    build_dir="build/compiled",
                    quiet=True,
                ),
            }
        )
        command = build_ext(distribution)
        command.inplace = True
        command.parallel = os.cpu_count()
        command.build_temp = "build/compiled"
        command.ensure_finalized()
        command.run()
        sources = runpy.run_path(str(FOLDER / "sources.py"))
        built_of = FOLDER / sources["BUILT_OF"]
        built_of.write_text(sources["sources_digest"]())
        names = [Path(command.get_ext_filename(extension.name)) for extension in extensions]
        return [path.as_posix() for path in (built_of, *names)]
    finally:
        os.chdir(here)


if __name__ == "__main__":  # compile in place while working on the kernel
    print("\n".join(compiled_modules(Path(__file__).parent)))
