# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routing records of two owners at random: other clients write keys and delete Workers between and during the runs.

No run touches a record of the other owner, a host name never leads to an undeclared Worker after a run, and in the
end both owners converge.
"""

from __future__ import annotations

import json
import random
import typing as t

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.client import Client
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._worker.fingerprint import (
    canonical,
    fingerprint,
)
from conftest import Count
from harness import Runner
from local_edge.testing import Edge

Dice = random.Random
Pair = dict[str, t.Any]
Records = dict[str, str]  # host name -> Worker
OWNERS = ("mine", "theirs")
HOSTS = tuple(f"h{number}.example.com" for number in range(6))
CODE = "export default { fetch: () => new Response('x') };"
COMMON: dict[str, t.Any] = {
    "dispatch_namespace": "tenants",
    "routing_kv": {"title": "Metadata"},
    "defaults": {"content": CODE, "compatibility_date": "2026-11-01"},
    "prune_limit": "100%",
}
SEEDS = 60


def record(owner: str, worker: str) -> Pair:
    """Return value and metadata of a record."""
    value = {"state": "active", "worker": worker}
    mark = {"owner": owner, "worker": worker, "digest": fingerprint(value)}
    return {"value": canonical(value).decode(), "metadata": {"tenantry": mark}}


class Others:
    """Other clients of the account: they write and delete keys and Workers at random."""

    def __init__(self, edge: Edge, run: Runner, dice: Dice) -> None:
        self._edge, self._run, self._dice = edge, run, dice
        self._root = f"{edge.api}/accounts/{edge.account}"
        self._headers = {"Authorization": f"Bearer {edge.token}"}
        namespaces = self._send("GET", "/storage/kv/namespaces").json()["result"]
        self._kv = f"/storage/kv/namespaces/{namespaces[0]['id']}"
        self.copied: set[str] = set()
        """Host names whose value was changed under the metadata of the record. Only values show that."""

    def _send(self, method: str, path: str, **options: t.Any) -> requests.Response:
        return requests.request(method, self._root + path, headers=self._headers, timeout=10, **options)

    def put(self, host: str, pair: Pair) -> None:
        self._send("PUT", f"{self._kv}/bulk", json=[{"key": host, **pair}]).raise_for_status()

    def act(self) -> None:
        """Do one of them."""
        self._dice.choice((self._move, self._move_and_copy, self._claim, self._delete_key, self._delete_worker))()

    def _move(self) -> None:
        metadata = self._dice.choice([None, ["x"], {"tenantry": "mine"}, {"note": 1}])
        host = self._dice.choice(HOSTS)
        self.put(host, {"value": record("", f"m{self._dice.randrange(3)}")["value"], "metadata": metadata})
        self.copied.discard(host)

    def _move_and_copy(self) -> None:
        host = self._dice.choice(HOSTS)
        stored = keys(self._edge).get(host)
        if stored and owner_of(stored):
            self.put(host, {**stored, "value": self._dice.choice(["", "null", record("", "m0")["value"]])})
            self.copied.add(host)

    def _claim(self) -> None:
        """Write a record as another run of one of the owners does."""
        host, owner = self._dice.choice(HOSTS), self._dice.choice(OWNERS)
        if owner_of(keys(self._edge).get(host, {})) in (None, owner):
            self.put(host, record(owner, f"{owner[0]}{self._dice.randrange(3)}"))
            self.copied.discard(host)

    def _delete_key(self) -> None:
        self._send("POST", f"{self._kv}/bulk/delete", json=[self._dice.choice(HOSTS)])

    def _delete_worker(self) -> None:
        name = f"{self._dice.choice(OWNERS)[0]}{self._dice.randrange(3)}"
        self._send("DELETE", f"/workers/dispatch/namespaces/tenants/scripts/{name}")


def keys(edge: Edge) -> dict[str, Pair]:
    """Return the stored keys, except ledgers."""
    rows = edge.store.all("select key, value, metadata from kv where key not like 'tenantry/%'")
    return {
        row["key"]: {"value": bytes(row["value"]).decode(), "metadata": json.loads(row["metadata"] or "null")}
        for row in rows
    }


def owner_of(pair: Pair) -> t.Any:
    metadata = pair.get("metadata")
    mark = metadata.get("tenantry") if isinstance(metadata, dict) else None
    return mark.get("owner") if isinstance(mark, dict) else None


def owned(found: dict[str, Pair], owner: str) -> set[str]:
    return {host for host, pair in found.items() if owner_of(pair) == owner}


def declaration(owner: str, records: Records, names: t.Iterable[str]) -> dict[str, t.Any]:
    workers = [{"name": name, "hostnames": [host for host in records if records[host] == name]} for name in names]
    return {**COMMON, "owner": owner, "workers": workers}


class Platform:
    """Two owners whose declarations change at random."""

    def __init__(self, edge: Edge, run: Runner, dice: Dice, monkeypatch: pytest.MonkeyPatch) -> None:
        run.ok("dispatch_namespace", name="tenants")
        run.ok("kv_namespace", title="Metadata")
        self.edge, self.run, self.dice, self.monkeypatch = edge, run, dice, monkeypatch
        self.others = Others(edge, run, dice)

    def declare(self, owner: str) -> tuple[Records, dict[str, t.Any]]:
        """Return records at random, and the options of the task that declares them."""
        names = self.dice.sample([f"{owner[0]}{number}" for number in range(3)], self.dice.randrange(4))
        hosts = self.dice.sample(HOSTS, self.dice.randrange(4)) if names else []
        records = {host: self.dice.choice(names) for host in hosts}
        depth = self.dice.choice(["fingerprint", "settings"])
        options = {"prune": self.dice.random() < 0.7, "drift_detection": depth}
        return records, {**declaration(owner, records, names), **options}

    def play(self, owner: str, during: t.Callable[[], None] | None) -> None:
        """Run a task of this owner, and check what must hold after it. ``during`` is called after the uploads."""
        records, task = self.declare(owner)
        result = self._run(task, during)
        assert "bug" not in str(result.get("msg", "")), result["msg"]
        if during or result.get("failed"):
            return
        if task["drift_detection"] == "settings":
            self.others.copied -= set(records)
        after = keys(self.edge)
        for host in set(records) - self.others.copied:
            assert after[host] == record(owner, records[host])
        if task["prune"]:
            assert owned(after, owner) == records.keys()
        again = self.run.ok("namespaced_workers", **task)
        assert not again["changed"], again["operations"]

    def _run(self, task: dict[str, t.Any], during: t.Callable[[], None] | None) -> dict[str, t.Any]:
        """Run a task. No write of it may touch a record of the other owner, or delete a key without an owner."""
        refresh, write = NamespacedWorkers.refresh, Client.write

        def refresh_after(bulk: NamespacedWorkers, names: t.Collection[str] | None = None) -> None:
            refresh(bulk, names)
            if names is not None and during:
                during()

        def compare(client: Client, method: str, path: str, **options: t.Any) -> t.Any:
            before = keys(self.edge)
            try:
                return write(client, method, path, **options)
            finally:
                if "/storage/kv/" in path:
                    after = keys(self.edge)
                    writable = {task["owner"]} if path.endswith("/delete") else {task["owner"], None}
                    others = {host for host, pair in before.items() if owner_of(pair) not in writable}
                    assert {host: after.get(host) for host in others} == {host: before[host] for host in others}

        with self.monkeypatch.context() as patched:
            patched.setattr(NamespacedWorkers, "refresh", refresh_after)
            patched.setattr(Client, "write", compare)
            return self.run("namespaced_workers", diff=False, **task)

    def settle(self) -> None:
        """Declare half of the host names for each owner. Once both have removed the others, both converge."""
        names = {owner: [f"{owner[0]}{number}" for number in range(3)] for owner in OWNERS}
        hosts = {owner: HOSTS[number * 3 : number * 3 + 3] for number, owner in enumerate(OWNERS)}
        records = {owner: dict(zip(hosts[owner], names[owner], strict=True)) for owner in OWNERS}
        tasks = {
            owner: {**declaration(owner, records[owner], names[owner]), "prune": True, "drift_detection": "settings"}
            for owner in OWNERS
        }
        for task in tasks.values():  # a host name of the other one fails its Worker, but not the removal of one's own
            self.run("namespaced_workers", **task)
        for task in tasks.values():
            self.run.ok("namespaced_workers", **task)
        for task in tasks.values():
            assert not self.run.ok("namespaced_workers", **task)["changed"]
        expected = {host: record(owner, worker) for owner in OWNERS for host, worker in records[owner].items()}
        assert keys(self.edge) == expected


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, SEEDS))])
def test_records_of_two_owners_survive_other_clients(
    run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch, count: Count, seed: int
) -> None:
    dice = Dice(seed)
    platform = Platform(edge, run, dice, monkeypatch)
    rounds = 8
    for _round in range(rounds):
        for _action in range(dice.randrange(3)):
            platform.others.act()
        platform.play(dice.choice(OWNERS), platform.others.act if dice.random() < 0.4 else None)
    platform.settle()
    count("races", "records of two owners at random", races=rounds, lost=0, doubled=0, not_converged=0)
