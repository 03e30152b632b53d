"""Interrupts (Ctrl-C) that are told when they do no harm."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Hold an interrupt back until the block ends; only the main thread gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield
        return
    held: list[Any] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        before(*held[-1])


class Guard:
    """Interrupts are told at once, but for those that come while some functions run.

    Parameters
    ----------
    *functions
        They run whole: an interrupt is held back until `remove`.

    Notes
    -----
    A function cannot do that by itself: an interrupt may come before its first line. Only the main
    thread gets them.
    """

    def __init__(self, *functions: Callable[..., Any]) -> None:
        self.held: list[tuple[int, FrameType | None]] = []
        self._codes = {function.__code__ for function in functions}
        self._before: Any = None
        self._over = False
        if threading.current_thread() is threading.main_thread():
            before: Any = signal.getsignal(signal.SIGINT)
            while isinstance(of := getattr(before, "__self__", None), Guard) and of._over:
                before = of._before  # it ended in another thread, which cannot take it away
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        inner = frame
        while inner is not None:
            if inner.f_code in self._codes:
                self.held.append((number, frame))
                return
            inner = inner.f_back
        self._before(number, frame)

    def tell(self) -> None:
        """Tell what was held back."""
        while self.held:
            number, frame = self.held.pop()
            outer = isinstance(getattr(self._before, "__self__", None), Guard)
            self._before(number, None if outer else frame)

    def remove(self) -> None:
        """Tell what was held back, and hold back no more."""
        self._over = True
        if (
            self._before is not None
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) == self._handle
        ):
            signal.signal(signal.SIGINT, self._before)
        self.tell()
