# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random fleets, declared repeatedly with external changes. Three equal declarations must give equal results.

One fleet uses a ledger, one reads all content, and one uses a ledger and a diff.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
import random
import re
import typing as t

import requests
from harness import Runner
from local_edge.testing import Edge

Options = dict[str, t.Any]
Dice = random.Random
SITES = pathlib.Path(__file__).parents[1] / "unit" / "sites"
NAMES = ("a", "b", "c")
FINGERPRINT_TAG = re.compile(r"^tenantry\.1\.")
CODES = [
    f"export default {{ fetch: () => new Response('{word}') }}; export class Room {{}}; export class Hall {{}}"
    for word in ("one", "two")
]
DEFAULTS: Options = {"content": CODES[0], "compatibility_date": "2026-11-01"}
FLEETS: dict[str, Options] = {  # dispatch namespace -> options
    "noted": {"diff": False, "routing_kv": {"title": "noted"}},
    "read": {"diff": False, "drift_detection": "content"},
    "shown": {"diff": True, "routing_kv": {"title": "shown"}},
}
LEDGER = "tenantry/ledger/mine"
INVALID_LEDGERS = (
    "",
    "null",
    "[]",
    "{",
    '{"a": 1}',
    '{"a": [1, 2, 3, 4], "b": [], "c": null}',
    '{"a": [null, null, null, {"bindings": 5}]}',
    '{"version": 2, "parts": 0, "workers": {"a": 5, "b": {"tag": 1}}}',
)


# -- declarations ------------------------------------------------------------------------------------------------------


def _named(dice: Dice, names: t.Sequence[str], values: t.Sequence[t.Any]) -> Options:
    return {name: dice.choice(values) for name in dice.sample(names, dice.randrange(3))}


def _bindings(dice: Dice) -> list[Options]:
    pool: list[Options] = [
        {"name": "CONFIG", "type": "json", "json": dice.choice([{"a": 1}, {"a": [1, None]}, True, 1])},
        {"name": "CONFIG", "type": "plain_text", "text": "text"},
        {"name": "DATA", "type": "kv_namespace", "title": dice.choice(["Bound", "Other"])},
        {
            "name": "LIMIT",
            "type": "ratelimit",
            "namespace_id": "1",
            "simple": {"limit": dice.choice([5, 6]), "period": 10},
        },
        {"name": "TALE", "type": "service", "service": "tail", "environment": dice.choice([None, "production"])},
        {
            "name": "QUEUE",
            "type": "queue",
            "queue_name": "jobs",
            **dice.choice([{}, {"delivery_delay": 0}, {"delivery_delay": 5}]),
        },
        {"name": "TELL", "type": "analytics_engine", "dataset": dice.choice(["x", "y"])},
        {"name": "STAYS", "type": dice.choice(["inherit", "version_metadata", "version_metadata"])},
    ]
    return list({one["name"]: one for one in dice.sample(pool, dice.randrange(5))}.values())


def _assets(dice: Dice) -> Options:
    more = dice.choice([{}, {"binding": "ASSETS"}, {"not_found_handling": "404-page"}])
    return {"directory": str(SITES / dice.choice(["before", "after"])), **more}


def choice_of(*values: t.Any) -> t.Callable[[Dice], t.Any]:
    return lambda dice: dice.choice(values)


LOGS = {"enabled": True, "invocation_logs": False}
MIGRATIONS = [{"tag": "v1", "new_sqlite_classes": ["Room"]}, {"tag": "v2", "new_sqlite_classes": ["Hall"]}]
OPTIONS: dict[str, t.Callable[[Dice], t.Any]] = {
    "vars": lambda dice: _named(dice, ["PLAN", "SEATS", "KEY", "CONFIG"], ["pro", "free", 1, True, {"x": 1}, None]),
    "bindings": _bindings,
    "secrets": lambda dice: _named(dice, ["KEY", "TOKEN", "BY_HAND"], ["secret-value-1", "secret-value-2", None]),
    "unmanaged_bindings": choice_of("keep", "remove"),
    "tags": lambda dice: dice.sample(["x", "y", "z"], dice.randrange(3)),
    "compatibility_flags": choice_of(["nodejs_compat"], [], ["nodejs_compat", "nodejs_als"]),
    "limits": choice_of({"cpu_ms": 50}, {"cpu_ms": 60, "subrequests": 20}, {}),
    "observability": choice_of(
        {"enabled": True},
        {"enabled": True, "head_sampling_rate": 0.5},
        {"enabled": False},
        {"enabled": True, "logs": LOGS},
    ),
    "cache_options": choice_of({"enabled": True}, {"enabled": False}, {"enabled": True, "cross_version_cache": True}),
    "placement": choice_of({"mode": "smart"}, {}),
    "logpush": choice_of(True, False),
    "tail_consumers": choice_of([{"service": "tail"}], []),
    "usage_model": choice_of("standard"),
    "assets": _assets,
    "migrations": choice_of(MIGRATIONS[:1], MIGRATIONS),
    "content": choice_of(*CODES),
    "compatibility_date": choice_of("2026-10-01", "2026-11-01"),
}
NEVER_NULL = ("unmanaged_bindings", "usage_model", "migrations", "content", "compatibility_date")


def random_options(dice: Dice, odds: float) -> Options:
    """Return random options of one Worker, some of them null."""
    chosen = {name: make(dice) for name, make in OPTIONS.items() if dice.random() < odds}
    return {name: None if name not in NEVER_NULL and dice.random() < 0.15 else value for name, value in chosen.items()}


# -- external changes --------------------------------------------------------------------------------------------------


class ExternalClient:
    """A client that changes a Worker of one namespace outside the playbook."""

    def __init__(self, edge: Edge, namespace: str, name: str) -> None:
        self._headers = {"Authorization": f"Bearer {edge.token}"}
        self._url = f"{edge.api}/accounts/{edge.account}/workers/dispatch/namespaces/{namespace}/scripts/{name}"

    def send(self, method: str, path: str = "", **options: t.Any) -> t.Any:
        """Send a request, which may fail, and return the result."""
        response = requests.request(method, self._url + path, headers=self._headers, timeout=10, **options)
        return response.json().get("result") if response.content else None

    def patch(self, change: Options) -> None:
        self.send("PATCH", "/settings", files={"settings": (None, json.dumps(change), "application/json")})


def _sets_a_secret(other: ExternalClient, dice: Dice) -> None:
    other.send(
        "PUT", "/secrets", json={"name": dice.choice(["BY_HAND", "KEY"]), "text": "by hand", "type": "secret_text"}
    )


def _removes_a_secret(other: ExternalClient, dice: Dice) -> None:
    other.send("DELETE", "/secrets/" + dice.choice(["BY_HAND", "KEY", "TOKEN"]))


def _tags(other: ExternalClient, dice: Dice) -> None:
    keep_fingerprint = dice.random() < 0.7
    current = [tag for tag in other.send("GET", "/tags") or [] if keep_fingerprint or not FINGERPRINT_TAG.match(tag)]
    other.send("PUT", "/tags", json=[*current, "theirs"][:8])


def _sets(other: ExternalClient, dice: Dice) -> None:
    other.patch(
        dice.choice(
            [
                {"logpush": True},
                {"observability": {"enabled": True, "head_sampling_rate": 0.1}},
                {"limits": {"cpu_ms": 99}},
            ]
        )
    )


def _binds(other: ExternalClient, dice: Dice) -> None:
    current = [
        {"name": one["name"], "type": "inherit"}
        for one in other.send("GET", "/bindings") or []
        if one["name"] != "THEIRS"
    ]
    other.patch({"bindings": [*current, {"name": "THEIRS", "type": "plain_text", "text": "theirs"}]})


def _uploads(other: ExternalClient, dice: Dice) -> None:
    metadata = {
        "main_module": "w.js",
        "compatibility_date": "2026-01-01",
        "bindings": [],
        **dice.choice([{}, {"tags": ["theirs"]}]),
    }
    module = ("w.js", CODES[1] + "//", "application/javascript+module")
    other.send("PUT", files={"metadata": (None, json.dumps(metadata), "application/json"), "w.js": module})


def _deletes(other: ExternalClient, dice: Dice) -> None:
    other.send("DELETE")


EXTERNAL_CHANGES: tuple[t.Callable[[ExternalClient, Dice], None], ...] = (
    _sets_a_secret,
    _removes_a_secret,
    _tags,
    _sets,
    _binds,
    _uploads,
    _deletes,
)


def change_externally(edge: Edge, dice: Dice) -> str:
    """Make the same external change to a Worker in every namespace. Return its description."""
    change, name, seed = dice.choice(EXTERNAL_CHANGES), dice.choice(NAMES), dice.random()
    for namespace in FLEETS:
        change(ExternalClient(edge, namespace, name), Dice(seed))
    return f"{change.__name__} {name}"


def corrupt_ledgers(run: Runner, dice: Dice) -> str:
    """Overwrite the ledgers with invalid content. Return a description."""
    invalid = dice.choice(INVALID_LEDGERS)
    for title in ("noted", "shown"):
        run.ok("kv_entries", title=title, entries=[{"key": LEDGER, "value": invalid}])
    return f"the ledger is {invalid!r}"


# -- results -----------------------------------------------------------------------------------------------------------


def state(edge: Edge, namespace: str) -> dict[str, Options]:
    """Return the stored state of the Workers of a namespace, including secret values, without times."""
    found = {}
    for row in edge.store.all("select * from scripts where namespace = ?", namespace):
        tags = [one["tag"] for one in edge.store.all("select tag from tags where script = ?", row["id"])]
        bound = edge.store.all("select * from bindings where script = ?", row["id"])
        found[row["name"]] = {
            "code": row["etag"],
            "settings": json.loads(row["config"]),
            "extras": {key: value for key, value in json.loads(row["extras"]).items() if key != "deployed"},
            "tags": sorted("stamp" if FINGERPRINT_TAG.match(tag) else tag for tag in tags),
            "bindings": sorted(
                [one["name"], one["type"], one["spec"], edge.store.unseal(one["value"]) or ""] for one in bound
            ),
        }
    return found


def normalize(value: t.Any) -> t.Any:
    """Replace the names of namespaces and the ids in a value."""
    text = re.sub(rf"(namespaces/|namespace ')({'|'.join(FLEETS)})", r"\1*", json.dumps(value))
    return json.loads(re.sub(r"\b[0-9a-f]{32}\b", "id", text))


def prepare(run: Runner, edge: Edge) -> None:
    """Create the objects that the Workers need."""
    for namespace in FLEETS:
        run.ok("dispatch_namespace", name=namespace)
    for title in ("noted", "shown", "Bound", "Other"):
        run.ok("kv_namespace", title=title)
    run.ok("worker", name="tail", content="export default { fetch() {}, tail() {} };", compatibility_date="2026-11-01")
    run.ok("api", method="POST", path=f"/accounts/{edge.account}/queues", body={"queue_name": "jobs"})


def declare(run: Runner, edge: Edge, options: Options) -> str:
    """Declare a fleet. Check mode must predict the operations, and a second run must change nothing.

    Return the error message, or ""."""
    predicted = run("namespaced_workers", check=True, **copy.deepcopy(options))
    edge.clear()
    real = run("namespaced_workers", **copy.deepcopy(options))
    message = str(real.get("msg", ""))
    assert "This is a bug" not in message + str(predicted.get("msg", "")), message
    if not real.get("failed"):
        assert sorted(predicted["operations"]) == sorted(real["operations"]) == sorted(edge.writes())
        again = run("namespaced_workers", **copy.deepcopy(options))
        assert not again["changed"], again["operations"]
    return message


def play(
    run: Runner, edge: Edge, seed: int, rounds: int = 5, vary_behaviors: bool = False
) -> t.Iterator[dict[str, Options]]:
    """Alternate declarations and external changes. Print each round and yield the state of each namespace after it."""
    dice = Dice(seed)
    for behavior in dataclasses.fields(edge.behaviors) if vary_behaviors else ():
        edge.behaviors.set(behavior.name, dice.choice(behavior.metadata["choices"]))
    print(edge.behaviors)
    prepare(run, edge)
    # Only reading all content finds changes that listings do not show. Only the ledger finds them within 30 seconds.
    # So external changes and corrupted ledgers are never combined.
    corrupting, changing = dice.random() < 0.3, edge.behaviors.modified_on_updated_by == "all"
    key = dice.choice([{}, {"fingerprint_key": "fingerprint-key-1"}])
    workers = {name: random_options(dice, 0.4) for name in NAMES}
    defaults = {**DEFAULTS, **random_options(dice, 0.2)}
    for turn in range(rounds):
        events = [
            corrupt_ledgers(run, dice) if corrupting else change_externally(edge, dice)
            for _one in range(dice.randrange(3))
            if turn and (corrupting or changing)
        ]
        for name in NAMES:
            if dice.random() < 0.7:
                workers[name] = {
                    option: value
                    for option, value in {**workers[name], **random_options(dice, 0.15)}.items()
                    if dice.random() > 0.1
                }
        if dice.random() < 0.3:
            defaults = {**DEFAULTS, **random_options(dice, 0.2)}
        declared = [
            {"name": name, "hostnames": [f"{name}.example.com"], **worker}
            for name, worker in workers.items()
            if dice.random() > 0.1
        ]
        shared_options = {
            "owner": "mine",
            "take_over": True,
            "allow_replace": True,
            "prune": dice.random() < 0.3,
            "prune_limit": "100%",
            **key,
        }
        print(
            f"--- {seed}, {turn}: {events} {json.dumps({**shared_options, 'defaults': defaults, 'workers': declared})}"
        )
        states = {}
        for namespace, fleet_options in FLEETS.items():
            message = declare(
                run,
                edge,
                {
                    "dispatch_namespace": namespace,
                    **shared_options,
                    "defaults": defaults,
                    "workers": declared,
                    **fleet_options,
                },
            )
            states[namespace] = normalize({"message": message, **state(edge, namespace)})
        yield states
