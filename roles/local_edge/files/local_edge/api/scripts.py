# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers: listing, looking up, reading the code, deleting. One code for both levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_edge.api import multipart
from local_edge.api.call import Answer, Call
from local_edge.api.multipart import Part
from local_edge.api.script_objects import shown, tags_shown
from local_edge.api.uploads import CONTENT_TYPES
from local_edge.errors import ApiError, bad_parameter, worker_missing
from local_edge.model import scripts
from local_edge.model.scripts import Script

MAX_PAGE = 1000
#: By position of the behavior `list_includes_tags`: what the listing of a namespace leaves out.
UNLISTED = {"yes": (), "no": ("tags", "etag"), "tags": ("etag",), "etag": ("tags",)}
#: By position of the behavior `last_page_cursor`: the `result_info` of the last page, beside its count.
LAST_PAGE: Mapping[str, Mapping[str, Any]] = {"empty": {"cursor": ""}, "absent": {}, "null": {"cursor": None}}


def listed(call: Call, script: Script) -> dict[str, Any]:
    """A Worker in the listing of its place."""
    item = {**shown(script), "tags": tags_shown(call.store, script)}
    if call.place.namespace:
        return {key: value for key, value in item.items() if key not in UNLISTED[call.behaviors.list_includes_tags]}
    rows = call.store.all(
        "select id, zone, pattern, script from routes where script = ? order by created_on", script.name
    )
    owned = zones(call)
    routes = [
        {"id": row["id"], "pattern": row["pattern"], "script": row["script"]} for row in rows if row["zone"] in owned
    ]
    return {**item, "routes": routes or None}


async def list_namespaced(call: Call) -> Answer:
    """A page of a namespace's Workers."""
    scripts.check_place(call.store, call.place)
    limit, tags = call.number("limit", MAX_PAGE, 1, MAX_PAGE), call.query.get("tags", "")
    found = scripts.listing(call.store, call.place, tags, call.cursor(), limit + 1)
    page = found[:limit]
    more = (
        {"cursor": call.cursor_after(page[-1].name)}
        if len(found) > limit
        else LAST_PAGE.get(call.behaviors.last_page_cursor)
    )
    return Answer(
        [listed(call, script) for script in page], info=None if more is None else {"count": len(page), **more}
    )


async def list_account(call: Call) -> Answer:
    """All Workers of the account in one array."""
    return Answer(
        [listed(call, script) for script in scripts.listing(call.store, call.place, call.query.get("tags", ""))]
    )


async def get_namespaced(call: Call) -> Answer:
    """Metadata, nested. How an absent Worker looks is a behavior: three answers were seen."""
    scripts.check_place(call.store, call.place)
    script = scripts.find(call.store, call.place, call.params["script"])
    if script is None:
        return absent(call)
    found = {**shown(script), "tags": tags_shown(call.store, script)}
    return Answer(
        {
            "dispatch_namespace": call.place.namespace,
            "created_on": script.created_on,
            "modified_on": script.modified_on,
            "script": found,
        }
    )


def absent(call: Call) -> Answer:
    if call.behaviors.missing_script_response == "10007":
        raise worker_missing()
    if call.behaviors.missing_script_response == "10092":
        raise ApiError(404, 10092, "workers.api.error.environment_not_found")
    return Answer({"dispatch_namespace": call.place.namespace, "script": None})


async def get_content(call: Call) -> Answer:
    """The code: a multipart body with one part per module, the main one first."""
    source = scripts.source_of(call.store, call.script)
    if not source.modules:
        return Answer(content=b"", status=204)
    if source.modules[0].kind == "script" and len(source.modules) == 1:
        return Answer(content=source.modules[0].body, headers={"content-type": CONTENT_TYPES["script"]})
    ordered = sorted(source.modules, key=lambda module: module.name != source.main)
    body, content_type = multipart.written(
        [Part(one.name, one.body, one.name, CONTENT_TYPES[one.kind]) for one in ordered]
    )
    return Answer(content=body, headers={"content-type": content_type, "cf-entrypoint": source.main})


async def delete_script(call: Call) -> Answer:
    """Delete a Worker; without `force` not while others bind to it. Its routes go with it."""
    script = call.script
    users = scripts.users_of(call.store, script)
    if users and call.query.get("force") != "true":
        raise ApiError(
            400,
            10064,
            f"Worker {script.name!r} is used by bindings of {', '.join(user.name for user in users)}; remove those, "
            "or delete with force=true",
        )
    with call.store.write() as db:
        scripts.delete(call.store, [script])
        if not script.place.namespace:
            db.execute(
                "delete from bindings where (type = 'service' and target = ?1 or type = 'dispatch_namespace' and"
                " json_extract(spec, '$.outbound.worker.service') = ?1) and script in (select id from scripts where account = ?2)",
                (script.name, call.account),
            )
            db.executemany(
                "delete from routes where script = ? and zone = ?", [(script.name, zone) for zone in zones(call)]
            )
            call.touched += ["routes", *(user.place.key(user.name) for user in users)]
    call.touched.append(script.key)
    return Answer(content=b"" if call.behaviors.delete_response == "empty" else None)


def zones(call: Call) -> list[str]:
    """The ids of the account's zones: Workers of two accounts may bear one name."""
    return [zone.id for zone in call.settings.zones if zone.account.id == call.account]


async def delete_by_tag(call: Call) -> Answer:
    """Delete the Workers a filter finds. Without a tag that must be there, it would be everything: refused."""
    scripts.check_place(call.store, call.place)
    text = call.query.get("tags", "")
    wanted, _unwanted = scripts.tag_filter(text)
    if not wanted:
        raise bad_parameter("tags", "deleting Workers needs a filter with at least one TAG:yes")
    doomed = scripts.listing(call.store, call.place, text)
    with call.store.write():
        scripts.delete(call.store, doomed)
    call.touched += [script.key for script in doomed]
    return DELETED[call.behaviors.bulk_delete_response]([script.name for script in doomed])


#: By position of the behavior `bulk_delete_response`.
DELETED: Mapping[str, Callable[[list[str]], Answer]] = {
    "objects": lambda names: Answer([{"id": name} for name in names]),
    "names": Answer,
    "null": lambda names: Answer(),
    "empty": lambda names: Answer(content=b""),
}
