# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing and validation of `_redirects`, `_headers`, `run_worker_first` and `base_path`."""

from __future__ import annotations

from typing import Any

import pytest
from local_edge.errors import ApiError
from local_edge.model import asset_rules

LOOP = (
    "Infinite loop detected in this rule. "
    "This would cause a redirect to strip `.html` or `/index` and end up triggering this rule again."
)
URLS = 'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").'
STATUSES = "Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got"


def parse(name: str, value: Any) -> Any:
    config = {name: value}
    asset_rules.check(config)
    return asset_rules.compile_rules(config)[name]


def error_lines(config: dict[str, Any]) -> list[str]:
    """Return the lines of the error message after the first, which names the setting."""
    with pytest.raises(ApiError) as caught:
        asset_rules.check(config)
    assert (caught.value.status, caught.value.code) == (400, 100324)
    first, *lines = caught.value.message.split("\n")
    assert first in (f"Invalid {name} configuration:" for name in config)
    return lines


@pytest.mark.parametrize(
    ("line", "source", "target", "status"),
    [
        ("/a /b", "/a", "/b", 302),
        ("/a /b 301", "/a", "/b", 301),
        ("\t/a\t/b  307\r", "/a", "/b", 307),
        ("\ufeff/a /b", "/a", "/b", 302),
        ("a /b", "/a", "/b", 302),
        ("/a /b # why", "/a", "/b", 302),
        ("/a /b#part", "/a", "/b#part", 302),
        ("/a?x=1#y /b?x=1#y", "/a", "/b?x=1#y", 302),
        ("/ü|^ /ü?ü#ü", "/%C3%BC|%5E", "/%C3%BC?%C3%BC#%C3%BC", 302),
        ('/a%20b%zz /`{}<>"', "/a%20b%zz", "/%60%7B%7D%3C%3E%22", 302),
        ("/a/./b/../c/%2E%2e/d/. /x/..", "/a/d/", "/", 302),
        ("//a//b /c", "//a//b", "/c", 302),
        ("/a https://h.test", "/a", "https://h.test/", 302),
        ("/a https://:8443.h.test:8443/../b?c#d", "/a", "https://:8443.h.test:8443/b?c#d", 302),
        ("/a/ https://h.test/index.html", "/a/", "https://h.test/index.html", 302),
        ("/a /index.html", "/a", "/index.html", 302),
        ("/a/* /b.html 200", "/a/*", "/b.html", 200),
    ],
)
def test_redirects_valid_line_is_parsed(line: str, source: str, target: str, status: int) -> None:
    rules = parse("_redirects", line)
    rule = {"to": target, "status": status}
    assert rules == (
        {"static": {}, "dynamic": [{"pattern": source, **rule}]}
        if "*" in source
        else {"static": {source: rule}, "dynamic": []}
    )


def test_redirects_after_dynamic_rule_are_dynamic() -> None:
    rules = parse("_redirects", "# moved\n\n/a /x\n/:1 /x\n/b/:id /x\n/c /x\n")
    assert (list(rules["static"]), [rule["pattern"] for rule in rules["dynamic"]]) == (["/a", "/:1"], ["/b/:id", "/c"])


def test_redirects_to_index_with_html_handling_none_are_not_loops() -> None:
    assert error_lines({"_redirects": "/ /index.html 200"}) == [f"Line 1: {LOOP}"]
    asset_rules.check({"_redirects": "/ /index.html 200", "html_handling": "none"})
    with pytest.raises(ApiError):
        asset_rules.check({"_redirects": "/* /index.html 200", "html_handling": "none"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a", ["Line 1: Expected exactly 2 or 3 whitespace-separated tokens. Got 1."]),
        ("# one\n\n/a /b 301 x", ["Line 3: Expected exactly 2 or 3 whitespace-separated tokens. Got 4."]),
        ("https://h.test/a /b", ["Line 1: Only relative URLs are allowed."]),
        ("/a http://h.test/", [f"Line 1: {URLS}"]),
        ("/a b", [f"Line 1: {URLS}"]),
        ("/a /b 404", [f"Line 1: {STATUSES} 404."]),
        ("/a /b 301!", [f"Line 1: {STATUSES} 301!."]),
        ("/* /index.html 200", [f"Line 1: {LOOP}"]),
        ("/a/* /b/index", [f"Line 1: {LOOP}"]),
        ("/a /b\n/a?x /c", ["Line 2: Duplicate rule for path /a"]),
        (
            "/a https://h.test/ 200",
            ["Line 1: Proxy (200) redirects can only point to relative paths. Got https://h.test/"],
        ),
        (f"/{'a' * 2000} /b", ["Line 1: Maximum line length of 2000 exceeded"]),
        (
            "/a\n/b /c\n/d",
            [f"Line {line}: Expected exactly 2 or 3 whitespace-separated tokens. Got 1." for line in (1, 3)],
        ),
        (
            "\n".join(f"/{number} /x" for number in range(2005)),
            ["Line 2001: Maximum number of static _redirects rules limit of 2000 exceeded"],
        ),
        (
            "\n".join(["/:a /x", *(f"/{number} /x" for number in range(105))]),
            ["Line 101: Maximum number of dynamic _redirects rules limit of 100 exceeded"],
        ),
    ],
)
def test_redirects_invalid_line_is_refused(text: str, expected: list[str]) -> None:
    assert error_lines({"_redirects": text}) == expected


def test_redirects_maximum_number_is_accepted() -> None:
    rules = parse(
        "_redirects",
        "\n".join([*(f"/{number} /x" for number in range(2000)), *(f"/{number}/* /x" for number in range(100))]),
    )
    assert (len(rules["static"]), len(rules["dynamic"])) == (2000, 100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a\n  X-A: 1\n\n  # why\n\tx-b :  2  \r\n", [("/a", {"x-a": "1", "x-b": "2"}, [])]),
        ("/a\nX-A: 1\nx-a: 2:3", [("/a", {"x-a": "1, 2:3"}, [])]),
        ("/a\n  ! X-A\n  X-A: 1", [("/a", {"x-a": "1"}, ["x-a"])]),
        ("/a\n  X-A: 1\n/b\n  X-B: 1\n/a\n  X-C: 1", [("/a", {"x-c": "1"}, []), ("/b", {"x-b": "1"}, [])]),
        ("/ü b?x#y\n  X-A: ü", [("/%C3%BC%20b", {"x-a": "ü"}, [])]),
        ("https://:sub.h.test/*\n  X-A: :sub", [("https://:sub.h.test/*", {"x-a": ":sub"}, [])]),
        ("https://h.test\n  X-A: 1", [("https://h.test/", {"x-a": "1"}, [])]),
        ("/:splatter/*\n  X-A: 1", [("/:splatter/*", {"x-a": "1"}, [])]),
        ("", []),
    ],
)
def test_headers_valid_rules_are_parsed(text: str, expected: list[Any]) -> None:
    assert [tuple(rule.values()) for rule in parse("_headers", text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  X-A: 1\nX-B: 2", [f"Line {line}: Expected a path before headers" for line in (1, 2)]),
        ("/a\n  X-A:", ["Line 2: Invalid header format"]),
        ("/a\n  X-A", ["Line 2: Invalid header format"]),
        ("/a\n  : 1", ["Line 2: Invalid header format"]),
        ("/a\n  X A: 1", ["Line 2: Invalid header format"]),
        ("/a\n  X(A): 1", ["Line 2: Invalid header format"]),
        ("/a\n  !X-A", ["Line 2: Invalid header format"]),
        (
            "/*/a/*\n  X-A: 1",
            ["Line 1: Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead."],
        ),
        (
            "/:splat/*\n  X-A: 1",
            ["Line 1: Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead."],
        ),
        ("http://h.test/*\n  X-A: 1", [f"Line 1: {URLS}"]),
        ("https://h.test:8443/*\n  X-A: 1", ["Line 1: Specifying ports is not supported. Got https://h.test:8443/*"]),
        (f"/a\n  X-A: {'a' * 2000}", ["Line 2: Maximum line length of 2000 exceeded"]),
        (
            "\n".join(f"/{number}\n  X-A: 1" for number in range(105)),
            ["Line 201: Maximum number of _headers rules limit of 100 exceeded"],
        ),
    ],
)
def test_headers_invalid_rules_are_refused(text: str, expected: list[str]) -> None:
    assert error_lines({"_headers": text}) == expected


def test_run_worker_first_valid_value_is_parsed() -> None:
    assert parse("run_worker_first", True) is True
    assert parse("run_worker_first", ["/api/*", "!/api/docs/*", "/"]) == {
        "worker": ["/api/*", "/"],
        "assets": ["/api/docs/*"],
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], ["No rules were provided; must provide at least 1 rule"]),
        (["!/a"], ["Only negative rules were provided; must provide at least 1 non-negative rule"]),
        (["api/*"], ["'api/*': rules must start with '/' or '!/'"]),
        (["/a", "!b"], ["'!b': rules must start with '/' or '!/'"]),
        (["/a", "/a"], ["'/a': rule is a duplicate; rules must be unique"]),
        (["/a/*", "/a/b"], ["'/a/b': rule '/a/*' makes it redundant"]),
        (["/*", "!/a*", "!/ab"], ["'!/ab': rule '!/a*' makes it redundant"]),
        ([f"/{'a' * 100}"], [f"'/{'a' * 100}': all rules must be less than 100 characters in length"]),
        (
            [f"/{number}" for number in range(101)],
            ["Too many rules were provided; 101 rules provided exceeds max of 100"],
        ),
    ],
)
def test_run_worker_first_invalid_rules_are_refused(rules: list[str], expected: list[str]) -> None:
    assert error_lines({"run_worker_first": rules}) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("docs", "/docs/"),
        ("/docs", "/docs/"),
        ("/docs/", "/docs/"),
        ("/a//b/./c/..", "/a/b/"),
        ("/..", "/"),
        ("/ü b", "/ü b/"),
    ],
)
def test_base_path_valid_path_is_normalized(path: str, expected: str) -> None:
    assert parse("base_path", path) == expected


@pytest.mark.parametrize("path", ["", "//h.test", "https://h.test/", "/a?b", "/a#b", "/a%20b", "/a\\b", "/a\nb"])
def test_base_path_invalid_path_is_refused(path: str) -> None:
    rule = "It must not have a scheme, host, query, fragment, backslash, control character or percent-encoding."
    assert error_lines({"base_path": path}) == [f"{path!r} is not a valid path. {rule}"]
