"""Python code in a process of its own, where nothing of the tests is defined or imported yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def in_a_new_process(
    code: str, *arguments: object, options: tuple[str, ...] = (), cwd: Path = ROOT, **names: str
) -> str:
    """Run code with arguments and further environment variables; return what it has printed."""
    done = subprocess.run(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **names},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
