# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of responses: the local edge's responses have them under every behavior, and every request has one."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import (
    client as client_module,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare import (
    responses,
    shapes,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import (
    AmbiguousResult,
    MalformedResponse,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.items import ShapeError
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.responses import ApiResponse
from harness import Runner
from local_edge.api import table
from local_edge.testing import Edge
from test_info import INFOS, create_object, create_prerequisites
from test_resource_laws import APIS, CASES, CODE, DATE, api_behaviors, prepare_case
from test_thin_answers import Mutation, Transport

SCRIPTS = "/accounts/a/workers/dispatch/namespaces/tenants/scripts"


class Recorder:
    """Records the endpoints of all responses, and those without or against a shape."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.problems: list[str] = []

    def __call__(self, method: str, path: str, response: ApiResponse) -> ApiResponse:
        shape = shapes.find(method, path)
        self.seen.add(str(shape))
        if shape is None:
            self.problems.append(f"{method} {path} has no shape")
        try:
            return responses.apply_shape(method, path, response)
        except (MalformedResponse, AmbiguousResult) as error:
            self.problems.append(str(error))
            raise


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(client_module, "apply_shape", recorder)
    return recorder


def run_all_cases(run: Runner, edge: Edge, behaviors: t.Mapping[str, str]) -> None:
    """Create, change and delete an object of every module, and gather information by every info module."""
    for name in CASES:
        edge.reset()
        vars(edge.behaviors).update(behaviors)
        case = prepare_case(run, name)
        for options in (case.create, case.change, {"state": "absent", **case.identity, **case.removal}):
            run.ok(name, **options)
    for name, info in INFOS.items():
        edge.reset()
        vars(edge.behaviors).update(behaviors)
        create_object(run, info, {**create_prerequisites(run, info), **info.first})
        run.ok(name, **info.scope, **info.full_detail)


REFERENCES = [
    {"type": "d1", "database_id": "d"},
    {"type": "r2_bucket", "bucket_name": "b"},
    {"type": "queue", "queue_name": "q"},
    {"type": "hyperdrive", "id": "h"},
    {"type": "vectorize", "index_name": "v"},
    {"type": "secrets_store_secret", "store_id": "s", "secret_name": "n"},
    {"type": "mtls_certificate", "certificate_id": "m"},
]


def run_rare_requests(run: Runner, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the requests that the cases of the modules do not send."""
    edge.reset()
    edge.behaviors.namespace_patch, edge.behaviors.list_includes_tags = "405", "no"
    run.ok("dispatch_namespace", name="tenants", trusted_workers=True)
    code = {"content": CODE, **DATE}
    for module, scope in (("worker", {}), ("namespaced_worker", {"dispatch_namespace": "tenants"})):
        for options in ({}, {"limits": {"cpu_ms": 50}}, {"limits": {"cpu_ms": 50}, "tags": ["x"]}):
            run.ok(module, **scope, name="a", **code, **options)
        run.ok("worker_secrets", **scope, name="a", secrets={"KEY": "a-secret-value-1"})
    fleet = {"dispatch_namespace": "tenants", "defaults": {**code, "tags": ["x"]}, "workers": [{"name": "a"}]}
    run.ok("namespaced_workers", **fleet)
    bindings = [{"name": f"B{number}", **binding} for number, binding in enumerate(REFERENCES)]
    run.ok("worker", check=True, name="b", **code, bindings=bindings)
    details: dict[str, t.Any] = {"detail": "settings"}
    for scripts, module, scope in (
        (shapes.SCRIPTS, "worker_info", {}),
        (shapes.NAMESPACED, "namespaced_worker_info", {"dispatch_namespace": "tenants"}),
    ):
        with monkeypatch.context() as patch:
            transport = Transport(patch)
            transport.mutation = Mutation(f"GET {scripts}/{{script}}/settings", ("result", "bindings"), "missing")
            run.ok(module, **scope, **details)
    ident = run.ok("kv_namespace", title="Metadata")["kv_namespace"]["id"]
    run.ok("kv_namespace", id=ident, title="Renamed")
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
    run.ok("kv_namespace_info")


def test_edge_responses_have_their_shapes(
    run: Runner, edge: Edge, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_all_cases(run, edge, {})
    run_rare_requests(run, edge, monkeypatch)
    assert recorder.problems == []
    assert {str(shape) for shape in shapes.SHAPES} - recorder.seen == set()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(APIS))
def test_edge_responses_with_any_behavior_have_their_shapes(
    run: Runner, edge: Edge, recorder: Recorder, number: int
) -> None:
    run_all_cases(run, edge, api_behaviors(number))
    assert recorder.problems == []


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=str)
def test_shape_endpoint_exists_on_edge(shape: shapes.Shape) -> None:
    handlers, _params = table.tree().find(shape.path.strip("/").split("/"))
    assert shape.method in handlers
    assert shape.source, "the evidence is missing"


def test_find_shape_matches_encoded_names_and_no_other_endpoint() -> None:
    found = shapes.find("GET", f"{SCRIPTS}/a%2Fsettings")
    assert found is not None and found.path.endswith("/scripts/{script}")
    for method, path in (
        ("GET", f"{SCRIPTS}/a/unknown"),
        ("HEAD", SCRIPTS),
        ("GET", "/accounts/a/workers"),
        ("GET", "/graphql"),
        ("GET", f"{SCRIPTS}/a/settings/more"),
    ):
        assert shapes.find(method, path) is None
    assert len({str(shape) for shape in shapes.SHAPES}) == len(shapes.SHAPES)


LISTED = [
    pytest.param([{"id": "a", "tags": ["x"]}], id="flat"),
    pytest.param([{"script": {"id": "a", "tags": ["x"]}}], id="nested"),
    pytest.param([{"id": "outer", "tags": None, "script": {"id": "a", "tags": ["x"]}}], id="nested wins"),
    pytest.param([{"id": "a", "tags": ["x"], "script": {"id": None}}], id="null does not win"),
    pytest.param([{"id": "a", "tags": ["x"], "script": None}], id="null"),
]


def apply(method: str, path: str, result: t.Any) -> t.Any:
    shape = shapes.find(method, path)
    assert shape is not None
    return shape.apply(result)


@pytest.mark.parametrize("listed", LISTED)
@pytest.mark.parametrize("path", [SCRIPTS, "/accounts/a/workers/scripts"])
def test_listed_worker_is_flat(path: str, listed: t.Any) -> None:
    (found,) = apply("GET", path, listed)
    assert (found["id"], found["tags"]) == ("a", ["x"])


def test_listed_worker_without_tags_leaves_them_out() -> None:
    assert "tags" not in apply("GET", SCRIPTS, [{"id": "a"}])[0]
    assert apply("GET", SCRIPTS, [{"id": "a", "tags": None}])[0]["tags"] == []


@pytest.mark.parametrize("result", [{}, {"script": None}, {"script": {}}, {"dispatch_namespace": "tenants"}])
def test_one_worker_without_script_is_absent(result: t.Any) -> None:
    assert apply("GET", f"{SCRIPTS}/a", result) is None


@pytest.mark.parametrize("result", [{"script": {"tag": "t"}}, {"id": "a"}, {"script": {"id": "a"}, "created_on": "x"}])
def test_one_worker_in_either_form_exists(result: t.Any) -> None:
    found = apply("GET", f"{SCRIPTS}/a", result)
    assert found and "script" not in found


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"deleted": [{"id": "u"}], "deleted_count": 2, "has_more": True}, (2, True)),
        ({"deleted": [{"id": "u"}], "has_more": False}, (1, False)),
        ({"deleted_count": None, "has_more": None}, (None, False)),
        ([{"id": "a"}, {"id": "b"}], (2, False)),
        (["a"], (1, False)),
        (None, (None, False)),
        ({}, (None, False)),
        ("ok", (None, False)),
    ],
)
def test_deletion_by_tag_is_counted(result: t.Any, expected: tuple[int | None, bool]) -> None:
    report = apply("DELETE", SCRIPTS, result)
    assert (report["deleted_count"], report["has_more"]) == expected


@pytest.mark.parametrize(
    ("path", "result", "problem"),
    [
        (SCRIPTS, [{"tags": []}], "contains a Worker without id"),
        (SCRIPTS, [{"id": ""}], "contains a Worker without id"),
        (SCRIPTS, [None], "contains a Worker that is not an object"),
        (SCRIPTS, {"id": "a"}, "is not a list"),
        (SCRIPTS, [{"id": "a", "tags": "x"}], "contains a Worker whose tags is not a list"),
        (SCRIPTS, [{"id": "a", "tags": [7]}], "contains a Worker with an element of tags that is not a text"),
        (f"{SCRIPTS}/a/settings", {"bindings": [{"name": "A"}]}, "contains a binding without type"),
        (f"{SCRIPTS}/a/settings", {"limits": []}, "contains settings whose limits is not an object"),
        (f"{SCRIPTS}/a/settings", [], "is not an object"),
        ("/accounts/a/workers/dispatch/namespaces/n", None, "is empty"),
        (f"{SCRIPTS}/a", None, "is empty"),
        (f"{SCRIPTS}/a/settings", None, "is empty"),
        *((path, None, "is not a list") for path in (SCRIPTS, f"{SCRIPTS}/a/secrets", "/zones/z/workers/routes")),
        ("/accounts/a/r2/buckets", {}, "is not a list"),
        ("/zones/z/custom_hostnames", [{"id": "a"}], "contains a custom hostname without hostname"),
    ],
)
def test_response_against_its_shape_is_refused(path: str, result: t.Any, problem: str) -> None:
    with pytest.raises(ShapeError, match=problem):
        apply("GET", path, result)


def test_list_that_may_be_null_is_empty() -> None:
    assert apply("GET", f"{SCRIPTS}/a/tags", None) == []


FORMS = [
    ("GET", SCRIPTS, {"envelope"}),
    ("DELETE", f"{SCRIPTS}/a", {"envelope", "empty"}),
    ("GET", f"{SCRIPTS}/a/content", {"bytes", "empty"}),
    ("GET", "/accounts/a/storage/kv/namespaces/n/values/k", {"bytes", "json"}),
    ("DELETE", SCRIPTS, {"envelope", "empty"}),
]


@pytest.mark.parametrize(("method", "path", "forms"), FORMS)
def test_endpoint_accepts_its_forms_alone(method: str, path: str, forms: set[str]) -> None:
    shape = shapes.find(method, path)
    assert shape is not None
    found = {form for form in t.get_args(shapes.Form) if shape.accepts(form, 204, {})}
    assert found == forms
    assert shape.accepts("empty", 200, None) == ("bytes" in forms or "empty" in forms)


@pytest.mark.parametrize(("body", "expected"), [({"deleted_count": 1}, True), ({}, False), ([], False), ("x", False)])
def test_deletion_by_tag_without_envelope_has_one_of_its_keys(body: t.Any, expected: bool) -> None:
    shape = shapes.find("DELETE", SCRIPTS)
    assert shape is not None and shape.accepts("json", 200, body) is expected


def test_malformed_response_names_endpoint_and_remedy() -> None:
    response = ApiResponse([{}], ray_id="abc")
    with pytest.raises(MalformedResponse) as read:
        responses.apply_shape("GET", SCRIPTS, response)
    assert str(read.value) == (
        f"GET {SCRIPTS}: the response contains a Worker without id. Run again. If that does not help, check that"
        " api_url is the Cloudflare API. [ray abc]"
    )
    with pytest.raises(AmbiguousResult):
        responses.apply_shape("POST", "/zones/z/dns_records", ApiResponse({}))


def test_shapes_of_many_workers_take_little_time() -> None:
    listed = [{"script": {"id": f"t{number}", "tags": ["a", "b"]}, "created_on": "x"} for number in range(10_000)]
    begin = time.process_time()
    assert len(apply("GET", SCRIPTS, listed)) == 10_000
    assert time.process_time() - begin < 5  # about 0.03 s
