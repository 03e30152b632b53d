"""Progress bars for what takes longer than a second; nothing is shown, or imported, before.

Whoever does the work says with `step` what begins now, once per phase or batch and never per
entity. Whoever is called by the user opens `steps` around it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

from ecsviz.basics.arguments import flag

DELAY: Final = 1.0
"""Seconds of quiet: what is done by then needs no bar."""


class ProgressSteps:
    """The steps of one call, and their bar once there is one."""

    def __init__(self, what: str, progress: bool | None) -> None:
        self.what = what
        self.progress = progress
        self.count = 0
        self.started = time.monotonic()
        self.bar: Any = None

    def step(self, phase: str) -> None:
        """Count a step that begins now."""
        self.count += 1
        if self.bar is None:
            early = time.monotonic() - self.started < DELAY
            if not self.progress and (early or not is_watched()):
                return
            from tqdm.auto import tqdm  # in a notebook, it loads ipywidgets

            self.bar = tqdm(
                desc=f"{self.what}: {phase}",
                bar_format="{desc}, step {n} [{elapsed}]",  # nobody knows how many there will be
                initial=self.count,
                leave=bool(self.progress),
            )
            self.bar.start_t -= time.monotonic() - self.started
            return
        self.bar.set_description_str(f"{self.what}: {phase}", refresh=False)
        self.bar.n = self.count
        self.bar.refresh()

    def close(self) -> None:
        """Take the bar away, or leave it where it was asked for."""
        if self.bar is not None:
            self.bar.close()


def is_watched() -> bool:
    """Tell whether somebody sees what is written: in a notebook, or in a terminal."""
    ipython: Any = sys.modules.get("IPython")
    return sys.stderr.isatty() or (ipython is not None and ipython.get_ipython() is not None)


_running: ContextVar[ProgressSteps | None] = ContextVar("ecsviz_progress", default=None)


@contextlib.contextmanager
def steps(what: str, progress: bool | None) -> Iterator[None]:
    """Show the steps of what is done inside, if it takes longer than a second.

    Parameters
    ----------
    what
        What is done: one word.
    progress
        None shows a bar after a second, in a notebook or a terminal, and takes it away at the
        end; True shows it from the first step on, and leaves it; False never shows one.

    Examples
    --------
    >>> with steps("saving", progress=None):
    ...     step("writing")  # too quick for a bar
    """
    progress = None if progress is None else flag(progress, "progress")
    made = ProgressSteps(what, progress) if progress is not False else None
    token = _running.set(made)
    try:
        yield
    finally:
        _running.reset(token)
        if made is not None:
            made.close()


def step(phase: str) -> None:
    """Say what begins now; without `steps` around it, nothing happens."""
    running = _running.get()
    if running is not None:
        running.step(phase)
