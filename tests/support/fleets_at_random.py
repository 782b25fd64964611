# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random fleets, declared again and again while others meddle: three that are told the same and must end as the same.

One goes by what its ledger remembers, one reads everything, one has a ledger and shows its diff.
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
STAMP = re.compile(r"^tenantry\.1\.")
CODES = [
    f"export default {{ fetch: () => new Response('{word}') }}; export class Room {{}}; export class Hall {{}}"
    for word in ("one", "two")
]
DEFAULTS: Options = {"content": CODES[0], "compatibility_date": "2026-11-01"}
FLEETS: dict[str, Options] = {  # dispatch namespace -> how it goes about it
    "noted": {"diff": False, "routing_kv": {"title": "noted"}},
    "read": {"diff": False, "drift_detection": "content"},
    "shown": {"diff": True, "routing_kv": {"title": "shown"}},
}
LEDGER = "tenantry/ledger/mine"
NO_LEDGERS = (
    "",
    "null",
    "[]",
    "{",
    '{"a": 1}',
    '{"a": [1, 2, 3, 4], "b": [], "c": null}',
    '{"a": [null, null, null, {"bindings": 5}]}',
)


# -- what is declared --------------------------------------------------------------------------------------------------


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


def one_of(*values: t.Any) -> t.Callable[[Dice], t.Any]:
    return lambda dice: dice.choice(values)


LOGS = {"enabled": True, "invocation_logs": False}
MIGRATIONS = [{"tag": "v1", "new_sqlite_classes": ["Room"]}, {"tag": "v2", "new_sqlite_classes": ["Hall"]}]
OPTIONS: dict[str, t.Callable[[Dice], t.Any]] = {
    "vars": lambda dice: _named(dice, ["PLAN", "SEATS", "KEY", "CONFIG"], ["pro", "free", 1, True, {"x": 1}, None]),
    "bindings": _bindings,
    "secrets": lambda dice: _named(dice, ["KEY", "TOKEN", "BY_HAND"], ["secret-value-1", "secret-value-2", None]),
    "unmanaged_bindings": one_of("keep", "remove"),
    "tags": lambda dice: dice.sample(["x", "y", "z"], dice.randrange(3)),
    "compatibility_flags": one_of(["nodejs_compat"], [], ["nodejs_compat", "nodejs_als"]),
    "limits": one_of({"cpu_ms": 50}, {"cpu_ms": 60, "subrequests": 20}, {}),
    "observability": one_of(
        {"enabled": True},
        {"enabled": True, "head_sampling_rate": 0.5},
        {"enabled": False},
        {"enabled": True, "logs": LOGS},
    ),
    "cache_options": one_of({"enabled": True}, {"enabled": False}, {"enabled": True, "cross_version_cache": True}),
    "placement": one_of({"mode": "smart"}, {}),
    "logpush": one_of(True, False),
    "tail_consumers": one_of([{"service": "tail"}], []),
    "usage_model": one_of("standard"),
    "assets": _assets,
    "migrations": one_of(MIGRATIONS[:1], MIGRATIONS),
    "content": one_of(*CODES),
    "compatibility_date": one_of("2026-10-01", "2026-11-01"),
}
NEVER_NULL = ("unmanaged_bindings", "usage_model", "migrations", "content", "compatibility_date")


def some(dice: Dice, odds: float) -> Options:
    """Return options of one Worker, some of them null."""
    chosen = {name: make(dice) for name, make in OPTIONS.items() if dice.random() < odds}
    return {name: None if name not in NEVER_NULL and dice.random() < 0.15 else value for name, value in chosen.items()}


# -- what others do ----------------------------------------------------------------------------------------------------


class Other:
    """Somebody who changes a Worker by other means, in one namespace."""

    def __init__(self, edge: Edge, namespace: str, name: str) -> None:
        self._headers = {"Authorization": f"Bearer {edge.token}"}
        self._url = f"{edge.api}/accounts/{edge.account}/workers/dispatch/namespaces/{namespace}/scripts/{name}"

    def send(self, method: str, what: str = "", **how: t.Any) -> t.Any:
        """Send a request, which may be refused, and return the result."""
        answer = requests.request(method, self._url + what, headers=self._headers, timeout=10, **how)
        return answer.json().get("result") if answer.content else None

    def patch(self, change: Options) -> None:
        self.send("PATCH", "/settings", files={"settings": (None, json.dumps(change), "application/json")})


def _sets_a_secret(other: Other, dice: Dice) -> None:
    other.send(
        "PUT", "/secrets", json={"name": dice.choice(["BY_HAND", "KEY"]), "text": "by hand", "type": "secret_text"}
    )


def _removes_a_secret(other: Other, dice: Dice) -> None:
    other.send("DELETE", "/secrets/" + dice.choice(["BY_HAND", "KEY", "TOKEN"]))


def _tags(other: Other, dice: Dice) -> None:
    stamped = dice.random() < 0.7
    there = [tag for tag in other.send("GET", "/tags") or [] if stamped or not STAMP.match(tag)]
    other.send("PUT", "/tags", json=[*there, "theirs"][:8])


def _sets(other: Other, dice: Dice) -> None:
    other.patch(
        dice.choice(
            [
                {"logpush": True},
                {"observability": {"enabled": True, "head_sampling_rate": 0.1}},
                {"limits": {"cpu_ms": 99}},
            ]
        )
    )


def _binds(other: Other, dice: Dice) -> None:
    there = [
        {"name": one["name"], "type": "inherit"}
        for one in other.send("GET", "/bindings") or []
        if one["name"] != "THEIRS"
    ]
    other.patch({"bindings": [*there, {"name": "THEIRS", "type": "plain_text", "text": "theirs"}]})


def _uploads(other: Other, dice: Dice) -> None:
    metadata = {
        "main_module": "w.js",
        "compatibility_date": "2026-01-01",
        "bindings": [],
        **dice.choice([{}, {"tags": ["theirs"]}]),
    }
    module = ("w.js", CODES[1] + "//", "application/javascript+module")
    other.send("PUT", files={"metadata": (None, json.dumps(metadata), "application/json"), "w.js": module})


def _deletes(other: Other, dice: Dice) -> None:
    other.send("DELETE")


ACTS: tuple[t.Callable[[Other, Dice], None], ...] = (
    _sets_a_secret,
    _removes_a_secret,
    _tags,
    _sets,
    _binds,
    _uploads,
    _deletes,
)


def meddle(edge: Edge, dice: Dice) -> str:
    """Have somebody do the same to a Worker in every namespace, and return what."""
    act, name, seed = dice.choice(ACTS), dice.choice(NAMES), dice.random()
    for namespace in FLEETS:
        act(Other(edge, namespace, name), Dice(seed))
    return f"{act.__name__} {name}"


def spoil(run: Runner, dice: Dice) -> str:
    """Make something else of the ledgers, and return what."""
    odd = dice.choice(NO_LEDGERS)
    for title in ("noted", "shown"):
        run.ok("kv_entries", title=title, entries=[{"key": LEDGER, "value": odd}])
    return f"the ledger is {odd!r}"


# -- what becomes of them ----------------------------------------------------------------------------------------------


def state(edge: Edge, namespace: str) -> dict[str, Options]:
    """Return everything that the edge holds of the Workers of a namespace, values of secrets too, but for when it was written."""
    found = {}
    for row in edge.store.all("select * from scripts where namespace = ?", namespace):
        tags = [one["tag"] for one in edge.store.all("select tag from tags where script = ?", row["id"])]
        bound = edge.store.all("select * from bindings where script = ?", row["id"])
        found[row["name"]] = {
            "code": row["etag"],
            "settings": json.loads(row["config"]),
            "extras": {key: value for key, value in json.loads(row["extras"]).items() if key != "deployed"},
            "tags": sorted("stamp" if STAMP.match(tag) else tag for tag in tags),
            "bindings": sorted(
                [one["name"], one["type"], one["spec"], edge.store.unseal(one["value"]) or ""] for one in bound
            ),
        }
    return found


def neutral(value: t.Any) -> t.Any:
    """Return what was said or done without the namespace and the ids in it."""
    text = re.sub(rf"(namespaces/|namespace ')({'|'.join(FLEETS)})", r"\1*", json.dumps(value))
    return json.loads(re.sub(r"\b[0-9a-f]{32}\b", "id", text))


def prepare(run: Runner, edge: Edge) -> None:
    """Make what the Workers stand on."""
    for namespace in FLEETS:
        run.ok("dispatch_namespace", name=namespace)
    for title in ("noted", "shown", "Bound", "Other"):
        run.ok("kv_namespace", title=title)
    run.ok("worker", name="tail", content="export default { fetch() {}, tail() {} };", compatibility_date="2026-11-01")
    run.ok("api", method="POST", path=f"/accounts/{edge.account}/queues", body={"queue_name": "jobs"})


def declare(run: Runner, edge: Edge, options: Options) -> str:
    """Declare a fleet: what check mode foresees is done, and then nothing more. Return why it failed, if it did."""
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
    """Declare and meddle in turn, and yield after each round what each namespace holds. What was done is printed."""
    dice = Dice(seed)
    for behavior in dataclasses.fields(edge.behaviors) if vary_behaviors else ():
        edge.behaviors.set(behavior.name, dice.choice(behavior.metadata["choices"]))
    print(edge.behaviors)
    prepare(run, edge)
    # What leaves no trace in a listing is found by who reads everything, and by nobody else. And what others change within half
    # a minute is found by the ledger alone: who meddles leaves it as it is.
    spoiling, meddling = dice.random() < 0.3, edge.behaviors.modified_on_updated_by == "all"
    key = dice.choice([{}, {"fingerprint_key": "fingerprint-key-1"}])
    workers = {name: some(dice, 0.4) for name in NAMES}
    defaults = {**DEFAULTS, **some(dice, 0.2)}
    for turn in range(rounds):
        happened = [
            spoil(run, dice) if spoiling else meddle(edge, dice)
            for _one in range(dice.randrange(3))
            if turn and (spoiling or meddling)
        ]
        for name in NAMES:
            if dice.random() < 0.7:
                workers[name] = {
                    option: value
                    for option, value in {**workers[name], **some(dice, 0.15)}.items()
                    if dice.random() > 0.1
                }
        if dice.random() < 0.3:
            defaults = {**DEFAULTS, **some(dice, 0.2)}
        declared = [
            {"name": name, "hostnames": [f"{name}.example.com"], **worker}
            for name, worker in workers.items()
            if dice.random() > 0.1
        ]
        said = {
            "owner": "mine",
            "take_over": True,
            "allow_replace": True,
            "prune": dice.random() < 0.3,
            "prune_limit": "100%",
            **key,
        }
        print(f"--- {seed}, {turn}: {happened} {json.dumps({**said, 'defaults': defaults, 'workers': declared})}")
        ends = {}
        for namespace, how in FLEETS.items():
            message = declare(
                run, edge, {"dispatch_namespace": namespace, **said, "defaults": defaults, "workers": declared, **how}
            )
            ends[namespace] = neutral({"message": message, **state(edge, namespace)})
        yield ends
