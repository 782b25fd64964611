# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays in forks of a process that has loaded Ansible and the collection, with virtual waits.

Started as a program, it reads a job as a line of JSON, and answers with the result of the play as another line.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

Job = dict[str, t.Any]
TIMEOUT = 120  # seconds of a play, which takes less than one


class PlayServer:
    """The client's side: the process, and ``play()``."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )

    def play(self, job: Job) -> dict[str, t.Any]:
        """Run a job: ``playbook``, ``variables``, ``environment``, ``check``, ``timeout``, and ``waited`` seconds."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the play server ended"
        return t.cast("dict[str, t.Any]", json.loads(line))

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


def environment() -> dict[str, str]:
    callbacks = str(pathlib.Path(__file__).parent / "callbacks")
    ansible = {"ANSIBLE_CALLBACK_PLUGINS": callbacks, "ANSIBLE_STDOUT_CALLBACK": "recorder"}
    ansible["ANSIBLE_LOCALHOST_WARNING"] = "false"
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ansible}


def serve() -> None:
    # Not above: the client's side needs none of it.
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    from ansible_collections.tenantry.cloudflare_workers.plugins.action import api  # noqa: F401
    from role_play import play

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ansible prints to stdout
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            signal.alarm(TIMEOUT)
            with os.fdopen(writing, "w") as pipe:
                json.dump(play(json.loads(line)), pipe)
                pipe.flush()
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        answers.write(
            (answer or json.dumps({"failed": True, "msg": "is a bug: the play ended without a result"})) + "\n"
        )
        answers.flush()


if __name__ == "__main__":
    serve()
