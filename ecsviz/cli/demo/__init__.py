"""What the demo does: the main job on real chats, measured, proved, and shown in a notebook.

May import everything but the commands. Begin reading at ``report.py`` (what is measured), then
``tour.py`` (the notebook).
"""

from __future__ import annotations

from ecsviz.cli.demo.report import STORE, DemoError, Report, measure, reload_in_new_process
from ecsviz.cli.demo.tour import (
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
