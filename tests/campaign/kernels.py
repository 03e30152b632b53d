"""A real kernel: cells that save are interrupted at any moment.

What `interrupts` does inside one process, a notebook does from outside: SIGINT reaches a kernel in
the midst of a cell. Afterwards the next cell runs, versions in memory are those of the store, and
nothing is locked.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from random import Random
from typing import Any

from ecsviz.errors import EcsvizError
from tests.campaign import ledger
from tests.campaign.tally import Tally
from tests.processes import ROOT

LONGEST = 120.0
"""Seconds after which a cell hangs."""

BEGIN = """
import json, os
import ecsviz as ev
from tests.campaign import ledger
store = ev.SQLAlchemyEntityStorage({target!r}, timeout=5, **{options!r})
made = store.register(ledger.opened())
"""
STEP = """
ledger.go_on(made)
print("begun", flush=True)
store.register(made)
"""
RAISED = "made.__dict__['version'] += 1"
LOOK = """
stale = [e for e in (made, made.left, made.right, *made.left.entries) if e.version
         and store.get(e.ecs_id, hops=0).version != e.version]
store.register(made)
print(json.dumps([len(stale), made.step]))
"""


class Kernel:
    """A kernel of its own process, and what it prints."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager, self._client = manager, client

    def begin(self, code: str) -> str:
        """Send a cell; return what it is called."""
        return str(self._client.execute(code))

    def wait_for(self, cell: str, text: str = "") -> tuple[str, str]:
        """Return what a cell prints, until it does or it ends, and the error that it ended with."""
        said, wrong = "", ""
        while True:
            message = self._client.get_iopub_msg(timeout=LONGEST)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != cell:
                continue
            if kind == "stream":
                said += content["text"]
                if text and text in said:
                    return said, wrong
            elif kind == "error":
                wrong = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return said, wrong

    def run(self, code: str) -> str:
        """Run a cell; return what it prints.

        Raises
        ------
        RuntimeError
            If it ends with an error.
        """
        said, wrong = self.wait_for(self.begin(code))
        if wrong:
            raise RuntimeError(wrong)
        return said

    def interrupt(self) -> None:
        """Press the button with the square."""
        self._manager.interrupt_kernel()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Kernel]:
    """Run a kernel in a folder, away from the user's settings."""
    from jupyter_client.manager import KernelManager

    own = {name: str(folder / name.lower()) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    manager: Any = KernelManager(kernel_name="python3")
    manager.connection_file = str(folder / "kernel.json")
    manager.start_kernel(
        cwd=folder, env={**os.environ, **own, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    )
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=LONGEST)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def run(
    seed: int, folder: Path, *, steps: int = 10, broken: bool = False, url: str | None = None
) -> Tally:
    """Interrupt cells that save, each at a moment by chance, and look at the store after each.

    Parameters
    ----------
    steps
        How many cells.
    broken
        A version is raised in memory although nothing is saved.
    url
        A database of PostgreSQL; else it is a file of SQLite.
    """
    chance, found = Random(seed), Tally()
    target, options = ledger.target_of(chance, folder / f"kernels_{seed}.db", url)
    with running(folder) as kernel:
        kernel.run(BEGIN.format(target=target, options=options))
        for number in range(1, steps + 1):
            what = f"seed {seed}, {options}, cell {number}"
            found.tried += 1
            try:
                cell = kernel.begin(STEP)
                kernel.wait_for(cell, "begun")
                time.sleep(chance.random() ** 2 * 0.06)
                kernel.interrupt()
                _, wrong = kernel.wait_for(cell)
                if wrong and not wrong.startswith("KeyboardInterrupt"):
                    found.partial.append(f"{what}: {wrong[:300]}")
                stored = ledger.step_in(target, **options)
                if not wrong and stored != number:
                    found.lost.append(f"{what}: it has ended, and step {stored} is stored")
                if broken:
                    kernel.run(RAISED)
                stale, step = json.loads(kernel.run(LOOK))
                if stale:
                    found.silent.append(f"{what}: {stale} versions in memory are not stored")
                if ledger.step_in(target, **options) != step:
                    found.lost.append(f"{what}: saved again, it is not there")
            except Empty:
                found.hung.append(what)
                break
            except (ledger.NotWholeError, EcsvizError, RuntimeError) as error:
                found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
                break
    return found
