# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls in parallel threads that do not keep the process alive."""

from __future__ import annotations

import queue
import threading
import typing as t

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


def in_parallel(function: t.Callable[[Item], Result], items: t.Sequence[Item], threads: int) -> t.Iterator[Result]:
    """Yield the results of a function for each item, in the order of completion.

    The threads are daemons: after an interruption, the process ends without waiting for a response. An exception of the
    function is raised here.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    finished: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                finished.put(function(item))
            except BaseException as error:  # pylint: disable=broad-exception-caught  # raised in the caller's thread
                finished.put(error)

    for _thread in range(min(threads, len(items))):
        threading.Thread(target=work, daemon=True).start()
    for _item in items:
        result = finished.get()
        if isinstance(result, BaseException):
            raise result
        yield result
