"""A real JupyterLab, driven in a headless Chromium: what the tests of live widgets run in."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds: a shared machine may be slow; no test measures time
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
IDLE = "() => jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# Runs code in the kernel of the open notebook and gives back what it prints.
EXECUTE = """async (code) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const run = kernel.requestExecute({ code, store_history: false });
  let text = "";
  run.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") text += content.text;
    if (header.msg_type === "error") text += content.traceback.join("\\n");
  };
  const reply = await run.done;
  return { status: reply.content.status, text };
}"""

# Keeps what comes from the kernel of the open notebook, until it is let go.
HOLD = """() => {
  const socket = jupyterapp.shell.currentWidget.sessionContext.session.kernel._ws;
  const [heard, kept] = [socket.onmessage, []];
  socket.onmessage = (event) => kept.push(event);
  window.letGo = () => {
    socket.onmessage = heard;
    for (const event of kept) heard.call(socket, event);
  };
}"""


@dataclass
class Lab:
    """A JupyterLab that runs."""

    url: str
    token: str
    folder: Path


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Run a JupyterLab of its own on a free port, away from the user's settings."""
    names = ("CONFIG", "DATA", "RUNTIME")
    places = {f"JUPYTER_{name}_DIR": folder / name.lower() for name in names}
    places["IPYTHONDIR"] = folder / "ipython"
    places["JUPYTERLAB_SETTINGS_DIR"] = settings = folder / "settings"
    work = folder / "notebooks"
    for place in (*places.values(), work):
        place.mkdir(parents=True)
    for name, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # keep what is out of sight
    }.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--port-retries=0", f"--notebook-dir={work}"]
    command += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]  # Notebook 7, if it is here
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    environment |= {"PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    environment["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/api/status?token={token}", work, environment):
        yield Lab(url, token, work)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    command: list[str], address: str, folder: Path, environment: dict[str, str]
) -> Iterator[None]:
    """Run a server in a folder, from when an address of it answers."""
    log = folder.parent / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait(address, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
    raise RuntimeError(f"It did not start:\n{tail}")


@dataclass
class Notebook:
    """A notebook that is open in the browser, with its kernel.

    Attributes
    ----------
    page
        Playwright's page.
    outside
        The addresses that the page asked for and that are not on this machine.
    faults
        What scripts have thrown, and dialogs that opened: no script of data may run.
    """

    page: Any
    lab: Lab
    shots: Path
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def open(self, name: str, *cells: str, wait: bool = True) -> None:
        """Make a notebook of code cells, open it in the place of others, and run it."""
        self.close()
        path = self.lab.folder / f"{name}.ipynb"
        path.write_text(json.dumps(notebook_of(cells)), encoding="utf-8")
        self.show(path.name)
        if wait:
            self.run_all()
        else:
            self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")

    def show(self, path: str, *, kernel: bool = True) -> None:
        """Open a notebook that lies in the lab's folder, with a kernel or without."""
        options: dict[str, Any] = {"path": path, "factory": "Notebook"}
        options["kernel"] = {"name": "python3"} if kernel else {"shouldStart": False}
        if not kernel:
            options["kernelPreference"] = {"shouldStart": False, "canStart": False}
        self.page.evaluate("o => { jupyterapp.commands.execute('docmanager:open', o) }", options)
        self.page.wait_for_function(
            "path => jupyterapp.shell.currentWidget?.context?.path === path"
            " && jupyterapp.shell.currentWidget.context.isReady",
            arg=path,
        )
        if kernel:
            self.page.wait_for_function(IDLE)

    def run_all(self) -> None:
        """Run every cell and wait until the kernel rests."""
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        self.page.wait_for_function(IDLE)

    def python(self, code: str) -> str:
        """Run code in the kernel; return what it prints."""
        done = self.page.evaluate(EXECUTE, code)
        assert done["status"] == "ok", done["text"]
        return str(done["text"])

    def value(self, expression: str) -> Any:
        """Return what an expression is in Python, by way of JSON."""
        return json.loads(self.python(f"import json; print(json.dumps({expression}))"))

    def wait_for(self, expression: str, expected: Any) -> None:
        """Wait until an expression is what is expected in Python."""
        end = time.monotonic() + PATIENCE / 2
        while (found := self.value(expression)) != expected and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        assert found == expected

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Hold back what the kernel says: the page shows what was there before."""
        self.page.evaluate(HOLD)
        yield
        self.page.evaluate("() => window.letGo()")

    def theme(self, name: str) -> None:
        """Change the theme: "Light" or "Dark"."""
        whole = f"JupyterLab {name}"
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", whole
        )
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=whole)
        self.page.wait_for_timeout(300)  # its style sheet is loaded

    def save(self) -> None:
        """Save the open notebook."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")

    def show_as_a_strangers(self, name: str) -> str:
        """Save the open notebook and show it without a kernel, as if somebody had sent it.

        Returns what its first cell is said to be in plain text.
        """
        self.save()
        saved = json.loads((self.lab.folder / f"{name}.ipynb").read_text(encoding="utf-8"))
        first = saved["cells"][0]
        # Another text: the signature of this file is not known, so the notebook is not trusted.
        saved["cells"].append({**first, "id": "another", "source": "1", "outputs": []})
        path = self.lab.folder / f"{name}-stranger.ipynb"
        path.write_text(json.dumps(saved), encoding="utf-8")
        self.close()
        self.show(path.name, kernel=False)
        return "".join(first["outputs"][0]["data"]["text/plain"])

    def close(self) -> None:
        """Close all that is open, without asking, and end the kernels."""
        self.page.evaluate(
            """async () => {
              for (const widget of [...jupyterapp.shell.widgets('main')]) {
                if (widget.context) widget.context.model.dirty = false;
                widget.dispose();
              }
              await jupyterapp.serviceManager.sessions.shutdownAll();
            }"""
        )

    def shot(self, name: str, selector: str | None = None) -> Path:
        """Keep a picture of the page, or of an element of it."""
        self.shots.mkdir(parents=True, exist_ok=True)
        path = self.shots / f"{name}.png"
        target = self.page if selector is None else self.page.locator(selector).first
        target.screenshot(path=path)
        return path


def notebook_of(cells: tuple[str, ...]) -> dict[str, Any]:
    """Return a notebook of code cells, as its file holds it."""
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}


def watch(page: Any, outside: list[str], faults: list[str]) -> None:
    """Note what a page asks of other machines, and what is thrown or asked in it."""

    def on_route(route: Any) -> None:
        parts = urlsplit(route.request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1":
            outside.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    def on_dialog(dialog: Any) -> None:
        faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.context.route("**/*", on_route)
    page.on("dialog", on_dialog)
    page.on("pageerror", lambda error: faults.append(f"thrown: {error.stack or error}"))


@contextmanager
def opened(browser: Any, lab: Lab, shots: Path) -> Iterator[Notebook]:
    """Open JupyterLab in a browser, and watch what the page does."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE * 1_000)
    page = context.new_page()
    notebook = Notebook(page, lab, shots)
    watch(page, notebook.outside, notebook.faults)
    page.goto(f"{lab.url}/lab?token={lab.token}")
    page.wait_for_function("() => window.jupyterapp?.restored")
    page.evaluate("async () => { await jupyterapp.restored }")
    page.evaluate("() => jupyterapp.shell.collapseLeft()")
    try:
        yield notebook
    finally:
        context.close()
