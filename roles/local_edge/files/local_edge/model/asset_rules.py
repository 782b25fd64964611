# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of static assets: parse and validate `_redirects`, `_headers`, `run_worker_first` and `base_path`."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from local_edge.errors import ApiError

MAX_STATIC, MAX_DYNAMIC, MAX_HEADERS, MAX_LINE = 2000, 100, 100, 2000
MAX_ROUTES, MAX_ROUTE = 100, 100
#: 200 serves another file under the same URL, the others redirect.
STATUSES = ("200", "301", "302", "303", "307", "308")
#: `*` matches anything, `:name` one segment.
DYNAMIC = re.compile(r"\*|:[A-Za-z]\w*", re.ASCII)
ABSOLUTE = re.compile(r"https://+([^/]+)/?(.*)")
INDEX = re.compile(r"/index(.html)?$")
NAME = r"[\w!#$%&'*+.^`|~-]+"
SET, UNSET = re.compile(rf"({NAME})\s*:\s*(.+)", re.ASCII), re.compile(rf"! +({NAME})", re.ASCII)
#: The characters that are not percent-encoded, by part of the URL.
PLAIN = {
    part: "".join(set(string.ascii_letters + string.digits + string.punctuation) - set(encoded))
    for part, encoded in (("path", '"#<>?^`{}'), ("query", '"#<>'), ("fragment", '"<>`'))
}


class RuleError(Exception):
    """A rule is not valid."""


class TooManyRules(RuleError):
    """A rule exceeds the maximum, and so do all after it."""


def check(config: Mapping[str, Any]) -> None:
    """Raise ApiError if the rules of an assets configuration are not valid."""
    for name, (_rules, errors) in read(config).items():
        if errors:
            raise ApiError(400, 100324, "\n".join([f"Invalid {name} configuration:", *errors]))


def compile_rules(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a configuration for the edge, by the name of their setting."""
    return {name: rules for name, (rules, _errors) in read(config).items()}


def read(config: Mapping[str, Any]) -> dict[str, tuple[Any, list[str]]]:
    """Return the valid rules and the errors of the others, by setting."""
    return {
        "_redirects": parse_lines(config.get("_redirects", ""), Redirects(config.get("html_handling") != "none")),
        "_headers": parse_lines(config.get("_headers", ""), Headers()),
        "run_worker_first": routes(config.get("run_worker_first", False)),
        "base_path": base_path(config.get("base_path", "/")),
    }


def parse_lines(text: str, reader: Redirects | Headers) -> tuple[Any, list[str]]:
    """Parse the lines except blank ones and comments. Return the rules and the errors."""
    errors = []
    for number, line in enumerate(map(str.strip, text.removeprefix("\ufeff").split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        try:
            if len(line) > MAX_LINE:
                raise RuleError(f"Maximum line length of {MAX_LINE} exceeded")
            reader.add_line(line)
        except RuleError as error:
            errors.append(f"Line {number}: {error}")
            if isinstance(error, TooManyRules):
                break
    return reader.compiled(), errors


class Redirects:
    """Lines such as `/from /to 301`. A rule is dynamic if it has a placeholder or follows one that has."""

    def __init__(self, html_handling: bool) -> None:
        self.html_handling = html_handling
        self.static: dict[str, dict[str, Any]] = {}
        self.dynamic: dict[str, dict[str, Any]] = {}

    def add_line(self, line: str) -> None:
        tokens = re.sub(r"\s+#.*", "", line).split()
        if len(tokens) not in (2, 3):
            raise RuleError(f"Expected exactly 2 or 3 whitespace-separated tokens. Got {len(tokens)}.")
        source, target, status = (*tokens, "302")[:3]
        if ABSOLUTE.match(source):
            raise RuleError("Only relative URLs are allowed.")
        source = address(source if source.startswith("/") else f"/{source}")
        rules = self.table_for(source)
        target = address(target, whole=True)
        self.check(source, target, status)
        rules[source] = {"to": target, "status": int(status)}

    def table_for(self, source: str) -> dict[str, dict[str, Any]]:
        """Return the table of a rule. Raise TooManyRules if it is full."""
        kind, rules, limit = (
            ("dynamic", self.dynamic, MAX_DYNAMIC)
            if self.dynamic or DYNAMIC.search(source)
            else ("static", self.static, MAX_STATIC)
        )
        if len(rules) == limit:
            raise TooManyRules(f"Maximum number of {kind} _redirects rules limit of {limit} exceeded")
        return rules

    def check(self, source: str, target: str, status: str) -> None:
        relative = target.startswith("/")
        if status not in STATUSES:
            raise RuleError(f"Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got {status}.")
        if (
            relative
            and INDEX.search(target)
            and (source.endswith("/*") or (source.endswith("/") and self.html_handling))
        ):
            raise RuleError(
                "Infinite loop detected in this rule. "
                "This would cause a redirect to strip `.html` or `/index` and end up triggering this rule again."
            )
        if source in self.static or source in self.dynamic:
            raise RuleError(f"Duplicate rule for path {source}")
        if status == "200" and not relative:
            raise RuleError(f"Proxy (200) redirects can only point to relative paths. Got {target}")

    def compiled(self) -> dict[str, Any]:
        """Return `{"static": {path: {"to", "status"}}, "dynamic": [{"pattern", "to", "status"}]}`."""
        return {
            "static": self.static,
            "dynamic": [{"pattern": source, **rule} for source, rule in self.dynamic.items()],
        }


class Headers:
    """Blocks of a pattern and lines of `Name: value` or `! Name`. All matching blocks apply, in their order."""

    def __init__(self) -> None:
        self.blocks: dict[str, dict[str, Any]] = {}
        self.current: dict[str, Any] | None = None

    def add_line(self, line: str) -> None:
        if re.match(r"/|\S+://", line):
            # Set before the check, so that the lines below an invalid pattern are dropped with it.
            self.current = {"set": {}, "unset": []}
            self.blocks[self.pattern(line)] = self.current
        elif self.current is None:
            raise RuleError("Expected a path before headers")
        elif removed := UNSET.fullmatch(line):
            self.current["unset"].append(removed[1].lower())
        elif header := SET.fullmatch(line):
            name, before = header[1].lower(), self.current["set"].get(header[1].lower())
            self.current["set"][name] = f"{before}, {header[2]}" if before else header[2]
        else:
            raise RuleError("Invalid header format")

    def pattern(self, line: str) -> str:
        pattern = address(line)
        absolute = ABSOLUTE.match(pattern)
        if absolute and re.search(r":\d+$", absolute[1]):
            raise RuleError(f"Specifying ports is not supported. Got {line}")
        if pattern.count("*") + len(re.findall(r":splat\b", pattern, re.ASCII)) > 1:
            raise RuleError("Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead.")
        if pattern not in self.blocks and len(self.blocks) == MAX_HEADERS:
            raise TooManyRules(f"Maximum number of _headers rules limit of {MAX_HEADERS} exceeded")
        return pattern

    def compiled(self) -> list[dict[str, Any]]:
        """Return `[{"pattern", "set": {name: value}, "unset": [name]}]`."""
        return [{"pattern": pattern, **block} for pattern, block in self.blocks.items()]


def address(text: str, *, whole: bool = False) -> str:
    """Normalize a path or an https URL as a browser does. Drop its query and fragment unless `whole`."""
    absolute = ABSOLUTE.match(text)
    if not absolute and not text.startswith("/"):
        raise RuleError(
            "URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS "
            '(e.g. begin with "https://").'
        )
    origin, rest = (f"https://{absolute[1]}", absolute[2]) if absolute else ("", text)
    rest, _mark, fragment = rest.partition("#")
    path, _mark, query = rest.partition("?")
    tail = "".join(
        mark + quote(part, PLAIN[kind])
        for mark, kind, part in (("?", "query", query), ("#", "fragment", fragment))
        if part
    )
    return origin + quote(without_dots(path), PLAIN["path"]) + (tail if whole else "")


def without_dots(path: str) -> str:
    """Resolve the `.` and `..` segments of a path."""
    found: list[str] = []
    for segment in path.removeprefix("/").split("/"):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del found[-1:]
        elif dots != ".":
            found.append(segment)
    return "/" + "/".join([*found, ""] if dots in (".", "..") else found)


def base_path(text: str) -> tuple[str, list[str]]:
    """Return the base path of the assets, with a slash at both ends, and the errors."""
    path = without_dots(re.sub("/+", "/", text)).removesuffix("/") + "/"
    is_path = (
        text and not re.match(r"//|[a-zA-Z][a-zA-Z\d+.-]*:", text) and not re.search(r"[\x00-\x1f\x7f\\?#%]", text)
    )
    error = (
        f"{text!r} is not a valid path. It must not have a scheme, host, query, fragment, backslash, control character "
        "or percent-encoding."
    )
    return path, [] if is_path else [error]


def routes(rules: bool | Sequence[str]) -> tuple[Any, list[str]]:
    """Return whether the Worker runs first, and the errors.

    The value is a bool or `{"worker": [glob], "assets": [glob]}`. The assets win if both match.
    """
    if isinstance(rules, bool):
        return rules, []
    worker, assets = (
        [rule for rule in rules if rule.startswith("/")],
        [rule[1:] for rule in rules if rule.startswith("!/")],
    )
    return {"worker": worker, "assets": assets}, [
        *route_errors(rules, worker),
        *rule_errors(worker),
        *rule_errors([f"!{rule}" for rule in assets]),
    ]


def route_errors(rules: Sequence[str], worker: Sequence[str]) -> Iterator[str]:
    """Yield the errors of the list as a whole, and of rules with a wrong beginning."""
    if not rules:
        yield "No rules were provided; must provide at least 1 rule"
    elif not worker and all(rule.startswith("!/") for rule in rules):
        yield "Only negative rules were provided; must provide at least 1 non-negative rule"
    if len(rules) > MAX_ROUTES:
        yield f"Too many rules were provided; {len(rules)} rules provided exceeds max of {MAX_ROUTES}"
    for rule in rules:
        if not rule.startswith(("/", "!/")):
            yield f"'{rule}': rules must start with '/' or '!/'"


def rule_errors(rules: Sequence[str]) -> Iterator[str]:
    """Yield the errors of the rules for the Worker, or of those for the assets."""
    for position, rule in enumerate(rules):
        if len(rule) > MAX_ROUTE:
            yield f"'{rule}': all rules must be less than {MAX_ROUTE} characters in length"
        if rule in rules[:position]:
            yield f"'{rule}': rule is a duplicate; rules must be unique"
        if rule.endswith("*"):
            yield from (
                f"'{other}': rule '{rule}' makes it redundant"
                for other in rules
                if other != rule and other.startswith(rule[:-1])
            )
