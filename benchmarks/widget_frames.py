"""``python -m benchmarks.widget_frames``: how long an explorer takes to show, and to zoom.

In a real JupyterLab and a headless Chromium without a graphics card. "first picture" is from
running ``graph.explore()`` in a fresh kernel to the frame after the picture was drawn, "Python" the
kernel's processor time in the cell, imports and the picture that stands in included; "frame" is the
median time between frames, and the 95th percentile, while one zooms.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.browser.lab import FLAGS, Notebook, opened, running_lab

SIZES = (50, 500, 2_000, 10_000, 50_000, 100_000)
CHAT = """def chat(n):
    thread = ev.ChatThread(title="Benchmark")
    last = None
    for number in range(n):
        parent = last.parent if last is not None and number % 10 == 0 else last
        last = thread.say("user" if number % 2 else "assistant", f"Message {number}. " * 8, parent)
    return thread
"""
SHAPES = {
    "chat": "ev.EntityDependencyGraph(chat({n} - 1))",
    "tree": "ev.EntityDependencyGraph(ev.sample('tree', n={n}))",
}
FRAMES = 90
CELL = (
    "import time; began = time.process_time(); w = graph.explore(); display(w);"
    " spent = time.process_time() - began"
)
RUN = """async () => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.length - 1;
  const began = performance.now();
  jupyterapp.commands.execute("notebook:run-cell");
  while (!document.querySelector("[data-drawn]")) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
ZOOM = """async (frames) => {
  const host = document.querySelector(".ecsviz-picture");
  host.focus();
  const stage = host.querySelector(".ecsviz-stage");
  const inner = stage.querySelector(".ecsviz-layer canvas") ?? stage.lastElementChild;
  const box = host.getBoundingClientRect();
  const where = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  const times = [];
  const began = host.placeOf(0);
  let moved = false;
  let last = 0;
  for (let k = 0; k < frames; k += 1) {
    const now = await new Promise(requestAnimationFrame);
    if (last) times.push(now - last);
    last = now;
    const deltaY = k % 60 < 30 ? -60 : 60;
    const options = { deltaY, bubbles: true, cancelable: true, ...where };
    inner.dispatchEvent(new WheelEvent("wheel", options));
    moved ||= Math.hypot(...host.placeOf(0).map((value, axis) => value - began[axis])) > 5;
  }
  if (!moved) throw new Error("nothing was zoomed");
  return times;
}"""


def measured(notebook: Notebook, shape: str, size: int) -> dict[str, Any]:
    """Return what one graph takes."""
    setup = f"import ecsviz as ev\n{CHAT}"
    notebook.open("frames", f"{setup}graph = {SHAPES[shape].format(n=size)}", "0")
    notebook.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.widgets.at(-1)"
        f".model.sharedModel.setSource({CELL!r})"
    )
    first = notebook.page.evaluate(RUN)
    notebook.page.wait_for_timeout(1_000)
    times = notebook.page.evaluate(ZOOM, FRAMES)
    return {
        "graph": f"{shape} of {size:,}",
        "view": notebook.value("w.view"),
        "shown": notebook.value("len(w._showing.now)"),
        "first": first / 1_000,
        "python": notebook.value("spent"),
        "median": statistics.median(times),
        "slow": statistics.quantiles(times, n=20)[-1],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES))
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    print("| graph | view | shown | first picture, s | Python, s | frame, ms | 95 %, ms |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with (
        TemporaryDirectory() as folder,
        running_lab(Path(folder, "lab")) as lab,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        with opened(browser, lab, Path(folder)) as notebook:
            for shape, size in product(asked.shapes, asked.sizes):
                row = measured(notebook, shape, size)
                cells = [row["graph"], row["view"], f"{row['shown']:,}"]
                cells += [f"{row[name]:.1f}" for name in ("first", "python")]
                cells += [f"{row[name]:.0f}" for name in ("median", "slow")]
                print(f"| {' | '.join(cells)} |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
