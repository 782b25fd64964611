# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiments that reveal a behavior. Each returns a reply or a value to interpret.

They raise Inconclusive if a prerequisite fails. Since a read may lag after a write, writes are marked and polled for.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from local_edge.probe.api import Inconclusive, Part, Reply
from local_edge.probe.sandbox import CODE, MODULE, Sandbox, bindings_of, flat, marker_binding

SECRET = {"name": "SECRET", "type": "secret_text", "text": "throw-away"}
TAG_LENGTHS = (64, 256, 1024)
TAG_COUNTS = (8, 10)
#: The code of an upload that does not start.
STARTUP_FAILED = 10021
ROUNDS, CONCURRENCY, MAX_LIST_REQUESTS = 3, 6, 3000


def get_missing_script(box: Sandbox) -> Reply:
    return box.send("GET", f"{box.tenants}/{box.name()}")


def upload_again(box: Sandbox, first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Upload a Worker twice and return its settings."""
    worker = box.worker(**first)
    reply = box.upload(worker, **{"bindings": [marker_binding("2")], **then})
    if not reply.ok:
        raise Inconclusive(f"the second upload returned {reply}")
    return box.settings(worker, marked="2")


def upload_without_tags(box: Sandbox) -> list[str]:
    return upload_again(box, {"tags": ["probe"]}, {}).get("tags") or []


def upload_without_secrets(box: Sandbox) -> list[str]:
    after = upload_again(box, {"bindings": [marker_binding("1"), SECRET]}, {})
    return [one["name"] for one in bindings_of(after) if one["type"] == "secret_text"]


def upload_without_code(box: Sandbox) -> Reply:
    """Upload metadata only, without `main_module` and, if that is refused, with it. Verify that the code is kept."""
    worker = box.worker()
    reply = box.upload(worker, code="", bindings=[marker_binding("2")])
    reply = reply if reply.ok else box.upload(worker, code="", bindings=[marker_binding("2")], main_module=MODULE)
    if not reply.ok:
        return reply
    box.settings(worker, marked="2")
    if CODE.encode() not in box.send("GET", f"{worker}/content").body:
        raise Inconclusive("an upload without code was accepted, but the code is missing afterwards")
    return reply


def upload_without_assets_config(box: Sandbox) -> Any:
    """Upload a Worker with a configuration of assets, upload it again without, and return what is left of it."""
    worker = f"{box.scripts}/{box.name()}"
    newest = f"{worker.replace('/scripts/', '/workers/')}/versions/latest"

    def html_handling() -> Any:
        return ((box.send("GET", newest).result or {}).get("assets") or {}).get("config", {}).get("html_handling")

    token = box.upload_asset(worker, "<p>probe</p>")
    replies = [box.upload(worker, assets={"jwt": token, "config": {"html_handling": "none"}})]
    before = box.poll_until(html_handling, bool)
    replies.append(box.upload(worker, keep_assets=True, bindings=[marker_binding("2")]))
    if not all(reply.ok for reply in replies) or before != "none":
        raise Inconclusive(f"the uploads returned {', '.join(map(str, replies))}, and html_handling was {before!r}")
    box.settings(worker, marked="2")
    return html_handling()


def inherit_with_keep_bindings(box: Sandbox) -> Reply:
    worker = box.worker(bindings=[marker_binding("1"), SECRET])
    return box.upload(
        worker, strict=True, bindings=[{"name": "MARK", "type": "inherit"}], keep_bindings=["secret_text"]
    )


def update_trusted_namespace(box: Sandbox) -> bool:
    """Set `trusted_workers`, update the namespace without the key, and return its value."""
    name = box.namespace()
    path = f"{box.namespaces}/{name}"
    box.require_result("PUT", path, {"name": name, "trusted_workers": True})
    before = box.poll_until(lambda: box.require_result("GET", path), lambda found: found.get("trusted_workers"))
    if not before.get("trusted_workers"):
        raise Inconclusive("trusted_workers of a namespace was not set")
    box.require_result("PUT", path, {"name": name})
    after = box.poll_until(
        lambda: box.require_result("GET", path), lambda found: found.get("modified_on") != before.get("modified_on")
    )
    return bool(after.get("trusted_workers"))


def create_trusted_namespace(box: Sandbox) -> bool:
    """Create a trusted namespace and return its value. A response without one means false."""
    name = box.namespace(trusted_workers=True)
    return bool(box.require_result("GET", f"{box.namespaces}/{name}").get("trusted_workers"))


def get_namespace(box: Sandbox) -> list[str]:
    namespace = box.require_result("GET", f"{box.namespaces}/{box.namespace()}")
    return [key for key in ("trusted_workers", "script_count") if namespace.get(key) is not None]


def rename_bound_namespace(box: Sandbox) -> dict[str, str]:
    """Rename a bound namespace. Return its old and new name and the one in the binding."""
    old, new = box.namespace(), box.name()
    worker = box.worker(
        box.scripts, bindings=[marker_binding("1"), {"name": "TENANTS", "type": "dispatch_namespace", "namespace": old}]
    )
    box.require_result("PUT", f"{box.namespaces}/{old}", {"name": new, "trusted_workers": False})

    def bound() -> str:
        found = [
            one.get("namespace") for one in bindings_of(box.settings(worker, marked="1")) if one["name"] == "TENANTS"
        ]
        return str(found[0] if found else "nothing")

    after = box.poll_until(bound, lambda name: name != old)
    return {"stay": old, "follow": new, "bound to": after}


def delete_nonempty_namespace(box: Sandbox) -> Reply:
    name = box.namespace()
    box.worker(f"{box.namespaces}/{name}/scripts")
    return box.send("DELETE", f"{box.namespaces}/{name}")


def create_route(box: Sandbox) -> list[str]:
    """Create a route without a Worker on an unused host, which affects no traffic. Return the keys of the result."""
    assert box.zone, "this experiment requires a zone"
    reply = box.send("POST", box.routes_path, {"pattern": f"{box.name()}.{box.zone['name']}/*"})
    if not reply.ok:
        raise Inconclusive(f"creating a route returned {reply}")
    return list(reply.result)


def list_one_worker(box: Sandbox) -> list[str]:
    """Return the keys `tags` and `etag` if the listing contains them."""
    name = box.worker(tags=["probe"]).rpartition("/")[2]
    worker = flat(listed_worker(box, name))
    return [key for key in ("tags", "etag") if key in worker]


def listed_worker(box: Sandbox, name: str) -> Mapping[str, Any]:
    """Return a Worker as the listing contains it."""
    found = box.poll_until(
        lambda: [one for one in box.require_result("GET", box.tenants) if flat(one)["id"] == name], bool
    )
    if not found:
        raise Inconclusive("a new Worker was not visible in the listing")
    worker: Mapping[str, Any] = found[0]
    return worker


def get_list_item(box: Sandbox) -> list[str]:
    """Return the keys of a Worker in the listing."""
    return list(listed_worker(box, box.worker().rpartition("/")[2]))


def list_all_workers(box: Sandbox) -> Any:
    box.worker()
    return box.send("GET", f"{box.tenants}?limit=1000").envelope.get("result_info")


def probe_modified_on(box: Sandbox) -> dict[str, bool]:
    """Return whether each kind of write updates `modified_on`."""
    worker = box.worker(tags=["probe"])

    def modified() -> str:
        return str(box.require_result("GET", worker)["modified_on"])

    updated = {}
    for kind, method, path, body in (
        ("tags", "PUT", "tags", ["probe", "more"]),
        ("secrets", "PUT", "secrets", SECRET),
        ("settings", "PATCH", "settings", [Part("settings", '{"logpush": false}', "application/json")]),
    ):
        before = modified()
        box.require_result(method, f"{worker}/{path}", body)
        updated[kind] = box.poll_until(modified, partial(operator.ne, before)) != before
    return updated


def accepted_tags(box: Sandbox, tags: Iterable[str]) -> list[str]:
    """Return the tags that the API accepts."""
    worker = box.worker()
    return [tag for tag in tags if box.send("PUT", f"{worker}/tags", [tag]).result == [tag]]


def probe_tag_count(box: Sandbox) -> list[int]:
    """Return the numbers of tags that a Worker accepts."""
    worker = box.worker()
    every = [f"probe-{number}" for number in range(max(TAG_COUNTS))]
    return [count for count in TAG_COUNTS if box.send("PUT", f"{worker}/tags", every[:count]).ok]


def probe_tag_length(box: Sandbox) -> list[int]:
    return [len(tag) for tag in accepted_tags(box, ("t" * length for length in TAG_LENGTHS))]


def probe_tag_characters(box: Sandbox) -> list[str]:
    return accepted_tags(box, ("a,b", "a&b", "a b"))


def get_one_module(box: Sandbox) -> Reply:
    """Return the code of a Worker with one module."""
    return require_code(box.send("GET", f"{box.worker()}/content"))


def get_two_modules(box: Sandbox) -> Reply:
    """Return the code of a Worker with two modules, which must be multipart."""
    second = Part("text.txt", "probe", "text/plain", "text.txt")
    return require_code(box.send("GET", f"{box.worker(more_modules=[second])}/content"))


def require_code(reply: Reply) -> Reply:
    if CODE.encode() not in reply.body:
        raise Inconclusive(f"reading the code of a Worker returned {reply}")
    return reply


def get_upload_only_settings(box: Sandbox) -> list[str]:
    """Return the keys of the settings of a Worker with a streaming Tail Worker."""
    target = box.worker(box.scripts).rpartition("/")[2]
    worker = box.worker(bindings=[marker_binding("1")], streaming_tail_consumers=[{"service": target}])
    return list(box.settings(worker, marked="1"))


def bind_service(box: Sandbox) -> list[str]:
    """Return the keys of a service binding that was uploaded with `props`."""
    target = box.worker(box.scripts).rpartition("/")[2]
    binding = {"name": "SERVICE", "type": "service", "service": target, "props": {"probe": True}}
    after = box.settings(box.worker(bindings=[marker_binding("1"), binding]), marked="1")
    return [key for one in bindings_of(after) if one["name"] == "SERVICE" for key in one]


def delete_worker(box: Sandbox) -> Reply:
    return require_ok(box.send("DELETE", box.worker()))


def delete_by_tag(box: Sandbox) -> Reply:
    """Delete two Workers of a new namespace by their tag."""
    return require_ok(box.send("DELETE", f"{tagged_workers(box, 2)}&limit=1000"))


def tagged_workers(box: Sandbox, count: int) -> str:
    """Upload Workers with a tag to a new namespace, and return the path that selects them."""
    scripts = f"{box.namespaces}/{box.namespace()}/scripts"
    for _each in range(count):
        box.worker(scripts, tags=["probe"])
    tagged = f"{scripts}?tags=probe:yes"
    box.poll_until(lambda: box.require_result("GET", tagged), lambda found: len(found) == count)
    return tagged


def delete_limited_by_tag(box: Sandbox) -> int:
    """Delete two of three Workers by their tag. Return how many are deleted."""
    tagged = tagged_workers(box, 3)
    require_ok(box.send("DELETE", f"{tagged}&limit=2"))
    left = box.poll_until(lambda: box.require_result("GET", tagged), lambda found: len(found) < 3)
    return 3 - len(left)


def patch_namespace(box: Sandbox) -> Reply:
    return box.send("PATCH", f"{box.namespaces}/{box.namespace()}", {"trusted_workers": True})


def require_ok(reply: Reply) -> Reply:
    if not reply.ok:
        raise Inconclusive(f"deleting returned {reply}")
    return reply


def create_namespace_twice(box: Sandbox) -> Reply:
    return box.send("POST", box.namespaces, {"name": box.namespace()})


def write_concurrently(box: Sandbox) -> Reply:
    """Send concurrent writes to one Worker until two conflict. All differ, so that none is skipped as unchanged."""
    worker = box.worker(bindings=[marker_binding("1")])

    def write(number: int) -> Reply:
        if number % 2:
            return box.send("PUT", f"{worker}/secrets", {**SECRET, "name": f"SECRET_{number}"})
        bindings = json.dumps({"bindings": [{**marker_binding("2"), "name": f"MARK_{number}"}]})
        return box.send("PATCH", f"{worker}/settings", [Part("settings", bindings, "application/json")])

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for round_ in range(ROUNDS):
            replies = list(pool.map(write, range(round_ * CONCURRENCY, (round_ + 1) * CONCURRENCY)))
            conflict = next((reply for reply in replies if reply.code == 10035), None)
            if conflict:
                return conflict
    raise Inconclusive(f"none of {ROUNDS * CONCURRENCY} writes, {CONCURRENCY} in parallel, conflicted with another")


def upload_conditionally(box: Sandbox) -> Reply:
    """Upload with conditions on the etag that do not hold: If-Match and, if that is ignored, If-None-Match."""
    worker = box.worker()
    etag = (box.require_result("GET", worker).get("script") or {}).get("etag", "")
    reply = box.upload(worker, headers={"If-Match": f'"{"0" * 64}"'})
    return box.upload(worker, headers={"If-None-Match": f'"{etag}"'}) if reply.ok and etag else reply


def upload_untyped_asset(box: Sandbox) -> Reply:
    return box.send_asset(f"{box.scripts}/{box.name()}", "probe", "")


def read_default_cache(box: Sandbox) -> Reply:
    """Upload a Worker that reads `caches.default` when it starts."""
    reply = box.upload(f"{box.tenants}/{box.name()}", code=f"const cache = caches.default;\n{CODE}")
    if not reply.ok and reply.code != STARTUP_FAILED:
        raise Inconclusive(f"the upload returned {reply}")
    return reply


def exhaust_rate_limit(box: Sandbox) -> Reply:
    with ThreadPoolExecutor(4) as pool:
        for _wave in range(MAX_LIST_REQUESTS // 40):
            replies = pool.map(lambda _each: box.api.once("GET", box.namespaces), range(40))
            refused = [reply for reply in replies if reply.status == 429]
            if refused:
                return refused[0]
    raise Inconclusive(f"{MAX_LIST_REQUESTS} requests did not exceed the rate limit")
