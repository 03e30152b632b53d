"""What the demo does: the main job on real chats, measured, proved, and shown in a notebook."""

from __future__ import annotations

from ecsviz.demo.report import STORE, DemoError, Report, measure, reload_in_new_process
from ecsviz.demo.tour import (
    FOLDER,
    NEEDED,
    NOTEBOOK,
    REPORT,
    notebook_path,
    prepare_folder,
    require,
    run_notebook,
    start_lab,
)

__all__ = [
    "FOLDER",
    "NEEDED",
    "NOTEBOOK",
    "REPORT",
    "STORE",
    "DemoError",
    "Report",
    "measure",
    "notebook_path",
    "prepare_folder",
    "reload_in_new_process",
    "require",
    "run_notebook",
    "start_lab",
]
