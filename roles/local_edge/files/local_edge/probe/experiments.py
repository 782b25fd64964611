# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to find out where a behavior stands. Each returns what it saw: a reply, or a value.

A question that cannot be asked raises Unanswered. Reads may lag behind writes, so a write is marked, and waited for.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from local_edge.probe.api import Part, Reply, Unanswered
from local_edge.probe.sandbox import CODE, MODULE, Sandbox, bindings_of, mark

SECRET = {"name": "SECRET", "type": "secret_text", "text": "throw-away"}
TAG_LENGTHS = (64, 256, 1024)
ROUNDS, AT_ONCE, REQUESTS_AT_MOST = 3, 6, 3000


def get_what_never_was(box: Sandbox) -> Reply:
    return box.send("GET", f"{box.tenants}/{box.name()}")


def upload_again(box: Sandbox, first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a Worker that was uploaded twice."""
    worker = box.worker(**first)
    reply = box.upload(worker, **{"bindings": [mark("2")], **then})
    if not reply.ok:
        raise Unanswered(f"the second upload answered {reply}")
    return box.settings(worker, marked="2")


def tags_after_an_upload_without(box: Sandbox) -> list[str]:
    return upload_again(box, {"tags": ["probe"]}, {}).get("tags") or []


def secrets_after_an_upload_without(box: Sandbox) -> list[str]:
    after = upload_again(box, {"bindings": [mark("1"), SECRET]}, {})
    return [one["name"] for one in bindings_of(after) if one["type"] == "secret_text"]


def upload_without_code(box: Sandbox) -> Reply:
    """Once without the main module's name and, where that is refused, once with it. What is accepted must still have its code."""
    worker = box.worker()
    reply = box.upload(worker, code="", bindings=[mark("2")])
    reply = reply if reply.ok else box.upload(worker, code="", bindings=[mark("2")], main_module=MODULE)
    if not reply.ok:
        return reply
    box.settings(worker, marked="2")
    if CODE.encode() not in box.send("GET", f"{worker}/content").body:
        raise Unanswered("an upload without code was accepted, and the code is gone")
    return reply


def keep_by_name_and_by_type(box: Sandbox) -> Reply:
    worker = box.worker(bindings=[mark("1"), SECRET])
    return box.upload(
        worker, strict=True, bindings=[{"name": "MARK", "type": "inherit"}], keep_bindings=["secret_text"]
    )


def put_a_trusted_namespace(box: Sandbox) -> Any:
    """`trusted_workers` of a namespace that was switched to it, and then put again without a word of it."""
    name = box.namespace()
    path = f"{box.namespaces}/{name}"
    box.ask("PUT", path, {"name": name, "trusted_workers": True})
    before = box.until(lambda: box.ask("GET", path), lambda found: found.get("trusted_workers"))
    if not before.get("trusted_workers"):
        raise Unanswered("a namespace does not show that it is trusted")
    box.ask("PUT", path, {"name": name})
    after = box.until(lambda: box.ask("GET", path), lambda found: found.get("modified_on") != before.get("modified_on"))
    return after.get("trusted_workers")


def create_a_trusted_namespace(box: Sandbox) -> Any:
    name = box.namespace(trusted_workers=True)
    return box.ask("GET", f"{box.namespaces}/{name}").get("trusted_workers")


def get_a_namespace(box: Sandbox) -> list[str]:
    namespace = box.ask("GET", f"{box.namespaces}/{box.namespace()}")
    return [key for key in ("trusted_workers", "script_count") if namespace.get(key) is not None]


def rename_what_is_bound(box: Sandbox) -> dict[str, str]:
    """What a Worker's binding names before and after its namespace is renamed."""
    old, new = box.namespace(), box.name()
    worker = box.worker(
        box.scripts, bindings=[mark("1"), {"name": "TENANTS", "type": "dispatch_namespace", "namespace": old}]
    )
    box.ask("PUT", f"{box.namespaces}/{old}", {"name": new, "trusted_workers": False})

    def bound() -> str:
        found = [
            one.get("namespace") for one in bindings_of(box.settings(worker, marked="1")) if one["name"] == "TENANTS"
        ]
        return str(found[0] if found else "nothing")

    after = box.until(bound, lambda name: name != old)
    return {"stay": old, "follow": new, "bound to": after}


def delete_a_namespace_with_a_worker(box: Sandbox) -> Reply:
    name = box.namespace()
    box.worker(f"{box.namespaces}/{name}/scripts")
    return box.send("DELETE", f"{box.namespaces}/{name}")


def create_a_route(box: Sandbox) -> list[str]:
    """A route without a Worker, on a host that nobody has: it changes nothing for anyone."""
    assert box.zone, "the question needs a zone"
    reply = box.send("POST", box.routes_path, {"pattern": f"{box.name()}.{box.zone['name']}/*"})
    if not reply.ok:
        raise Unanswered(f"creating a route answered {reply}")
    return list(reply.result)


def list_one(box: Sandbox) -> list[str]:
    """Which keys the listing shows of a Worker that has tags."""
    name = box.worker(tags=["probe"]).rpartition("/")[2]
    found = box.until(lambda: [one for one in box.ask("GET", box.tenants) if one["id"] == name], bool)
    if not found:
        raise Unanswered("a new Worker was not to be seen in the listing")
    return [key for key in ("tags", "etag") if key in found[0]]


def list_all(box: Sandbox) -> Any:
    box.worker()
    return box.send("GET", f"{box.tenants}?limit=1000").envelope.get("result_info")


def write_this_and_that(box: Sandbox) -> dict[str, bool]:
    """Which writes move `modified_on`."""
    worker = box.worker(tags=["probe"])

    def modified() -> str:
        return str(box.ask("GET", worker)["modified_on"])

    moved = {}
    for what, method, path, given in (
        ("tags", "PUT", "tags", ["probe", "more"]),
        ("secrets", "PUT", "secrets", SECRET),
        ("settings", "PATCH", "settings", [Part("settings", '{"logpush": false}', "application/json")]),
    ):
        before = modified()
        box.ask(method, f"{worker}/{path}", given)
        moved[what] = box.until(modified, partial(operator.ne, before)) != before
    return moved


def tag_with(box: Sandbox, tags: Iterable[str]) -> list[str]:
    """Which of these tags a Worker may have."""
    worker = box.worker()
    return [tag for tag in tags if box.send("PUT", f"{worker}/tags", [tag]).result == [tag]]


def tag_longer_and_longer(box: Sandbox) -> list[int]:
    return [len(tag) for tag in tag_with(box, ("t" * length for length in TAG_LENGTHS))]


def tag_oddly(box: Sandbox) -> list[str]:
    return tag_with(box, ("a,b", "a&b", "a b"))


def bind_a_service(box: Sandbox) -> list[str]:
    """The keys of a service binding that was uploaded with `props`."""
    target = box.worker(box.scripts).rpartition("/")[2]
    binding = {"name": "SERVICE", "type": "service", "service": target, "props": {"probe": True}}
    after = box.settings(box.worker(bindings=[mark("1"), binding]), marked="1")
    return [key for one in bindings_of(after) if one["name"] == "SERVICE" for key in one]


def delete_a_worker(box: Sandbox) -> Reply:
    return accepted(box.send("DELETE", box.worker()))


def delete_by_tag(box: Sandbox) -> Reply:
    """Two Workers of a namespace of their own."""
    place = f"{box.namespaces}/{box.namespace()}/scripts"
    for _each in range(2):
        box.worker(place, tags=["probe"])
    box.until(lambda: box.ask("GET", f"{place}?tags=probe:yes"), lambda found: len(found) == 2)
    return accepted(box.send("DELETE", f"{place}?tags=probe:yes"))


def accepted(reply: Reply) -> Reply:
    if not reply.ok:
        raise Unanswered(f"deleting answered {reply}")
    return reply


def create_a_namespace_twice(box: Sandbox) -> Reply:
    return box.send("POST", box.namespaces, {"name": box.namespace()})


def write_at_once(box: Sandbox) -> Reply:
    """Several writes to one Worker at the same moment, until one of them overtakes another. No two are alike: nothing is known already."""
    worker = box.worker(bindings=[mark("1")])

    def write(number: int) -> Reply:
        if number % 2:
            return box.send("PUT", f"{worker}/secrets", {**SECRET, "name": f"SECRET_{number}"})
        bindings = json.dumps({"bindings": [{**mark("2"), "name": f"MARK_{number}"}]})
        return box.send("PATCH", f"{worker}/settings", [Part("settings", bindings, "application/json")])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for round_ in range(ROUNDS):
            replies = list(pool.map(write, range(round_ * AT_ONCE, (round_ + 1) * AT_ONCE)))
            overtaken = next((reply for reply in replies if reply.code == 10035), None)
            if overtaken:
                return overtaken
    raise Unanswered(f"none of {ROUNDS * AT_ONCE} writes, {AT_ONCE} at a time, overtook another")


def upload_on_condition(box: Sandbox) -> Reply:
    """A condition on the etag that fails: first that it be another, then that it be not the one it is."""
    worker = box.worker()
    etag = (box.ask("GET", worker).get("script") or {}).get("etag", "")
    reply = box.upload(worker, headers={"If-Match": f'"{"0" * 64}"'})
    return box.upload(worker, headers={"If-None-Match": f'"{etag}"'}) if reply.ok and etag else reply


def exhaust_the_budget(box: Sandbox) -> Reply:
    with ThreadPoolExecutor(4) as pool:
        for _wave in range(REQUESTS_AT_MOST // 40):
            replies = pool.map(lambda _each: box.api.once("GET", box.namespaces), range(40))
            refused = [reply for reply in replies if reply.status == 429]
            if refused:
                return refused[0]
    raise Unanswered(f"{REQUESTS_AT_MOST} requests did not exhaust the budget")
