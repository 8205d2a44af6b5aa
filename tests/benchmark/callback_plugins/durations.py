"""How long each task took, from its start to the next one's: what profile_tasks shows, as lines of a file."""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes {"task": …, "seconds": …} for each task into the file that MTLS_DURATIONS names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "durations"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._task = ""
        self._started = 0.0

    def _ended(self) -> None:
        if self._task:
            with open(os.environ["MTLS_DURATIONS"], "a", encoding="utf-8") as file:
                file.write(json.dumps({"task": self._task, "seconds": time.monotonic() - self._started}) + "\n")

    def v2_playbook_on_task_start(self, task, is_conditional) -> None:
        self._ended()
        self._task, self._started = task.get_name().strip(), time.monotonic()

    def v2_playbook_on_stats(self, stats) -> None:
        self._ended()
