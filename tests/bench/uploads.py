# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmark uploads per second to the local edge, of code validated before and of new code. Run by make bench."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import pathlib
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
from edge_process import TOKEN, Edge

COUNT, CONNECTIONS, ROUNDS = 600, 8, 3
BINDINGS = [
    {"name": "PLAN", "type": "plain_text", "text": "pro"},
    {"name": "KEY", "type": "secret_text", "text": "a secret of some length"},
]
METADATA = json.dumps(
    {"main_module": "index.js", "compatibility_date": "2026-11-01", "bindings": BINDINGS, "tags": ["plan-pro", "bench"]}
)
BODY = (
    '--part\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n'
    '--part\r\nContent-Disposition: form-data; name="index.js"; filename="index.js"\r\n'
    "Content-Type: application/javascript+module\r\n\r\n"
    "export default {{ fetch: (request, env) => Response.json({{ code: '{code}', plan: env.PLAN }}) }};\r\n--part--\r\n"
)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "multipart/form-data; boundary=part"}


class Client(threading.local):
    """A client with a connection per thread. Bodies are prepared beforehand, so that only the edge is measured."""

    def __init__(self, url: str) -> None:
        self.base = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(self.base.netloc)

    def put(self, upload: tuple[str, bytes]) -> None:
        """PUT one Worker."""
        name, body = upload
        self.connection.request(
            "PUT", f"{self.base.path}/workers/dispatch/namespaces/bench/scripts/{name}", body, HEADERS
        )
        response = self.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(text.decode())


def rate(client: Client, codes: Iterable[str]) -> float:
    """Upload each code under its own name. Return the uploads per second."""
    uploads = [
        (f"tenant-{number}", BODY.format(metadata=METADATA, code=code).encode()) for number, code in enumerate(codes)
    ]
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(client.put, uploads))
    return len(uploads) / (time.perf_counter() - start)


def main() -> None:
    """Print the median of several rounds of each kind."""
    with tempfile.TemporaryDirectory() as scratch:
        edge = Edge(pathlib.Path(scratch) / "data")
        try:
            edge.call("POST", "/workers/dispatch/namespaces", json={"name": "bench"})
            client = Client(edge.account)
            client.put(("first", BODY.format(metadata=METADATA, code="same").encode()))
            kinds = {
                "validated": lambda _round: ["same"] * COUNT,
                "new": lambda number: [f"{number}-{code}" for code in range(COUNT)],
            }
            rates = {
                kind: sorted(rate(client, codes(number)) for number in range(ROUNDS))[ROUNDS // 2]
                for kind, codes in kinds.items()
            }
        finally:
            edge.stop()
    print(f"uploads per second: {rates['validated']:.0f} of code validated before, {rates['new']:.0f} of new code")
    print(json.dumps({"uploads_per_second": rates}))


if __name__ == "__main__":
    main()
