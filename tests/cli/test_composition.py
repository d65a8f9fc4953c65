"""`analysis` is the package beside `tlm`, whatever the user's folder holds."""

import os
import subprocess
import sys
from pathlib import Path

import tlm

ROOT = Path(tlm.__file__).parent.parent


def test_a_users_own_analysis_is_not_ours(tmp_path: Path) -> None:
    """With an `analysis.py` in the working folder, ours is loaded and theirs is not touched."""
    (tmp_path / "analysis.py").write_text("raise SystemExit('the wrong analysis')\n")
    code = (
        "import sys; sys.path.insert(0, '')\n"
        "from tlm.cli.composition import load_analysis\n"
        "module = load_analysis()\n"
        "import analysis\n"
        "from importlib.util import find_spec\n"
        "assert analysis is module is load_analysis()\n"
        "print(analysis.__file__)\n"
        "print(find_spec('analysis.plots').origin)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    package, plots = (Path(line) for line in done.stdout.splitlines())
    assert package == ROOT / "analysis" / "__init__.py"
    assert plots.is_relative_to(ROOT / "analysis")
