# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upload many Workers with threads and a connection each, as the minimal client."""

from __future__ import annotations

import concurrent.futures
import json
import os
import sys
import threading
from pathlib import Path

import requests

thread_local = threading.local()


def put(url: str, metadata: dict[str, object], code: str) -> None:
    """Upload one Worker."""
    if not hasattr(thread_local, "session"):
        thread_local.session = requests.Session()
        thread_local.session.headers["Authorization"] = f"Bearer {os.environ['CLOUDFLARE_API_TOKEN']}"
    parts = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "index.js": ("index.js", code, "application/javascript+module"),
    }
    thread_local.session.put(url, files=parts, timeout=60).raise_for_status()


def main(scripts: str, threads: str) -> None:
    """Upload index.js with the metadata of each Worker in workers.json, with the given number of threads."""
    workers, code = json.loads(Path("workers.json").read_text()), Path("index.js").read_text()
    with concurrent.futures.ThreadPoolExecutor(int(threads)) as pool:
        for done in [pool.submit(put, f"{scripts}/{name}", metadata, code) for name, metadata in workers.items()]:
            done.result()


if __name__ == "__main__":
    main(*sys.argv[1:])
