"""Visit hosts of the local edge and show what each answered: visit.py PORT HOST..."""

from __future__ import annotations

import http.client
import sys

port, *hosts = sys.argv[1:]
for host in hosts:
    # Not every resolver resolves *.localhost, so the name is sent in the Host header.
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    connection.request("GET", "/", headers={"Host": f"{host}:{port}"})
    response = connection.getresponse()
    print(f"\nhttp://{host}:{port}/  ->  {response.status} {response.reason}")
    print(response.read().decode(errors="replace").rstrip())
