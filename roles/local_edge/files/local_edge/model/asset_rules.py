# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of static assets: what `_redirects`, `_headers`, `run_worker_first` and `base_path` say, and why some of it cannot be taken."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from local_edge.errors import ApiError

MAX_STATIC, MAX_DYNAMIC, MAX_HEADERS, MAX_LINE = 2000, 100, 100, 2000
MAX_ROUTES, MAX_ROUTE = 100, 100
#: 200 serves another file under the same address, the others redirect.
STATUSES = ("200", "301", "302", "303", "307", "308")
#: `*` stands for anything, `:name` for one segment.
DYNAMIC = re.compile(r"\*|:[A-Za-z]\w*", re.ASCII)
ABSOLUTE = re.compile(r"https://+([^/]+)/?(.*)")
INDEX = re.compile(r"/index(.html)?$")
NAME = r"[\w!#$%&'*+.^`|~-]+"
SET, UNSET = re.compile(rf"({NAME})\s*:\s*(.+)", re.ASCII), re.compile(rf"! +({NAME})", re.ASCII)
#: What the parts of a URL hold as it is; all else is percent-encoded.
PLAIN = {
    part: "".join(set(string.ascii_letters + string.digits + string.punctuation) - set(encoded))
    for part, encoded in (("path", '"#<>?^`{}'), ("query", '"#<>'), ("fragment", '"<>`'))
}


class Refused(Exception):
    """A rule that cannot be taken."""


class Full(Refused):
    """A rule too many, as are all that follow."""


def check(config: Mapping[str, Any]) -> None:
    """Refuse a configuration of assets with rules that cannot be taken."""
    for name, (_rules, wrong) in read(config).items():
        if wrong:
            raise ApiError(400, 100324, "\n".join([f"Invalid {name} configuration:", *wrong]))


def applied(config: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a configuration by the name of their setting, as the edge takes them."""
    return {name: rules for name, (rules, _wrong) in read(config).items()}


def read(config: Mapping[str, Any]) -> dict[str, tuple[Any, list[str]]]:
    """The rules, and what is wrong with others."""
    return {
        "_redirects": taken(config.get("_redirects", ""), Redirects(config.get("html_handling") != "none")),
        "_headers": taken(config.get("_headers", ""), Headers()),
        "run_worker_first": routes(config.get("run_worker_first", False)),
        "base_path": base_path(config.get("base_path", "/")),
    }


def taken(text: str, reader: Redirects | Headers) -> tuple[Any, list[str]]:
    """What a reader made of the lines that say something, and why it refused others."""
    wrong = []
    for number, line in enumerate(map(str.strip, text.removeprefix("\ufeff").split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        try:
            if len(line) > MAX_LINE:
                raise Refused(f"Maximum line length of {MAX_LINE} exceeded")
            reader.take(line)
        except Refused as refused:
            wrong.append(f"Line {number}: {refused}")
            if isinstance(refused, Full):
                break
    return reader.applied(), wrong


class Redirects:
    """Lines of `/from /to 301`. Exact paths come first, as far as they stand above all dynamic ones."""

    def __init__(self, html_handling: bool) -> None:
        self.html_handling = html_handling
        self.static: dict[str, dict[str, Any]] = {}
        self.dynamic: dict[str, dict[str, Any]] = {}

    def take(self, line: str) -> None:
        tokens = re.sub(r"\s+#.*", "", line).split()
        if len(tokens) not in (2, 3):
            raise Refused(f"Expected exactly 2 or 3 whitespace-separated tokens. Got {len(tokens)}.")
        source, target, status = (*tokens, "302")[:3]
        if ABSOLUTE.match(source):
            raise Refused("Only relative URLs are allowed.")
        source = address(source if source.startswith("/") else f"/{source}")
        rules = self.room(source)
        target = address(target, whole=True)
        self.check(source, target, status)
        rules[source] = {"to": target, "status": int(status)}

    def room(self, source: str) -> dict[str, dict[str, Any]]:
        """Where a rule belongs, if there is room for it."""
        kind, rules, limit = (
            ("dynamic", self.dynamic, MAX_DYNAMIC)
            if self.dynamic or DYNAMIC.search(source)
            else ("static", self.static, MAX_STATIC)
        )
        if len(rules) == limit:
            raise Full(f"Maximum number of {kind} _redirects rules limit of {limit} exceeded")
        return rules

    def check(self, source: str, target: str, status: str) -> None:
        relative = target.startswith("/")
        if status not in STATUSES:
            raise Refused(f"Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got {status}.")
        if (
            relative
            and INDEX.search(target)
            and (source.endswith("/*") or (source.endswith("/") and self.html_handling))
        ):
            raise Refused(
                "Infinite loop detected in this rule. "
                "This would cause a redirect to strip `.html` or `/index` and end up triggering this rule again."
            )
        if source in self.static or source in self.dynamic:
            raise Refused(f"Duplicate rule for path {source}")
        if status == "200" and not relative:
            raise Refused(f"Proxy (200) redirects can only point to relative paths. Got {target}")

    def applied(self) -> dict[str, Any]:
        """`{"static": {path: {"to", "status"}}, "dynamic": [{"pattern", "to", "status"}]}`."""
        return {
            "static": self.static,
            "dynamic": [{"pattern": source, **rule} for source, rule in self.dynamic.items()],
        }


class Headers:
    """Blocks of a pattern and, below it, lines of `Name: value` or `! Name`. All whose pattern fits apply, in their order."""

    def __init__(self) -> None:
        self.blocks: dict[str, dict[str, Any]] = {}
        self.current: dict[str, Any] | None = None

    def take(self, line: str) -> None:
        if re.match(r"/|\S+://", line):
            # What stands below a pattern that is refused belongs to nothing.
            self.current = {"set": {}, "unset": []}
            self.blocks[self.pattern(line)] = self.current
        elif self.current is None:
            raise Refused("Expected a path before headers")
        elif removed := UNSET.fullmatch(line):
            self.current["unset"].append(removed[1].lower())
        elif given := SET.fullmatch(line):
            name, before = given[1].lower(), self.current["set"].get(given[1].lower())
            self.current["set"][name] = f"{before}, {given[2]}" if before else given[2]
        else:
            raise Refused("Invalid header format")

    def pattern(self, line: str) -> str:
        pattern = address(line)
        absolute = ABSOLUTE.match(pattern)
        if absolute and re.search(r":\d+$", absolute[1]):
            raise Refused(f"Specifying ports is not supported. Got {line}")
        if pattern.count("*") + len(re.findall(r":splat\b", pattern, re.ASCII)) > 1:
            raise Refused("Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead.")
        if pattern not in self.blocks and len(self.blocks) == MAX_HEADERS:
            raise Full(f"Maximum number of _headers rules limit of {MAX_HEADERS} exceeded")
        return pattern

    def applied(self) -> list[dict[str, Any]]:
        """`[{"pattern", "set": {name: value}, "unset": [name]}]`."""
        return [{"pattern": pattern, **block} for pattern, block in self.blocks.items()]


def address(text: str, *, whole: bool = False) -> str:
    """A path, or a URL of https, as a browser has it; only with `whole` its query and fragment stay."""
    absolute = ABSOLUTE.match(text)
    if not absolute and not text.startswith("/"):
        raise Refused(
            'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").'
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
    """A path from its first slash on, with its `.` and `..` resolved."""
    found: list[str] = []
    for segment in path.removeprefix("/").split("/"):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del found[-1:]
        elif dots != ".":
            found.append(segment)
    return "/" + "/".join([*found, ""] if dots in (".", "..") else found)


def base_path(text: str) -> tuple[str, list[str]]:
    """The path under which all assets are, with a slash at both ends."""
    path = without_dots(re.sub("/+", "/", text)).removesuffix("/") + "/"
    is_path = (
        text and not re.match(r"//|[a-zA-Z][a-zA-Z\d+.-]*:", text) and not re.search(r"[\x00-\x1f\x7f\\?#%]", text)
    )
    return path, [] if is_path else [
        f"{text!r} is not a path: it has no scheme, host, query, fragment, backslash, control character or percent-encoding"
    ]


def routes(rules: bool | Sequence[str]) -> tuple[Any, list[str]]:
    """Whether the Worker comes first, always or by `{"worker": [glob], "assets": [glob]}`; where both fit, the assets do."""
    if isinstance(rules, bool):
        return rules, []
    worker, assets = (
        [rule for rule in rules if rule.startswith("/")],
        [rule[1:] for rule in rules if rule.startswith("!/")],
    )
    return {"worker": worker, "assets": assets}, [
        *misrouted(rules, worker),
        *unfit(worker),
        *unfit([f"!{rule}" for rule in assets]),
    ]


def misrouted(rules: Sequence[str], worker: Sequence[str]) -> Iterator[str]:
    """What is wrong with the rules together, or does not begin as one."""
    if not rules:
        yield "No rules were provided; must provide at least 1 rule"
    elif not worker and all(rule.startswith("!/") for rule in rules):
        yield "Only negative rules were provided; must provide at least 1 non-negative rule"
    if len(rules) > MAX_ROUTES:
        yield f"Too many rules were provided; {len(rules)} rules provided exceeds max of {MAX_ROUTES}"
    for rule in rules:
        if not rule.startswith(("/", "!/")):
            yield f"'{rule}': rules must start with '/' or '!/'"


def unfit(rules: Sequence[str]) -> Iterator[str]:
    """What is wrong with rules of one kind."""
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
