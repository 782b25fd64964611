# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults: every form of response that is not the API's own, and every way to lose one."""

from __future__ import annotations

import gzip
import json
import typing as t

from proxy import Delivery, Ending, Fault, Reply, Wire

HTML = "text/html; charset=UTF-8"
TEXT = "text/plain"
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>"
FOREVER = 1_000_000
ELSEWHERE = ("Location", "https://login.example.net/start")


def envelope(success: t.Any = True, **keys: t.Any) -> bytes:
    return json.dumps({"success": success, "errors": [], "messages": [], **keys}).encode()


def refusal(code: t.Any, message: t.Any) -> bytes:
    return envelope(False, errors=[{"code": code, "message": message}], result=None)


def limited(*headers: tuple[str, str], body: bytes = b"", content_type: str = "application/json") -> Reply:
    return Reply(429, body or refusal(971, "Please wait and consider throttling"), content_type, headers)


#: Rate limits, which a request meets before it has an effect.
LIMITS = {
    "429": limited(),
    "429, Retry-After: 1": limited(("Retry-After", "1")),
    "429, Retry-After: 0": limited(("Retry-After", "0")),
    "429, Retry-After: 300": limited(("Retry-After", "300")),
    "429, Retry-After: 3600": limited(("Retry-After", "3600")),
    "429, Retry-After is a date": limited(("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")),
    "429, Retry-After: soon": limited(("Retry-After", "soon")),
    "429, Retry-After: -5": limited(("Retry-After", "-5")),
    "429, no requests left": limited(
        ("Ratelimit", '"default";r=0;t=2'), ("Ratelimit-Policy", '"default";q=1200;w=300')
    ),
    "429, HTML": limited(body=PAGE, content_type=HTML),
    "429, text": limited(body=b"error code: 1015", content_type=TEXT),
    "429, empty": Reply(429, b"", ""),
    "400 with code 971": Reply(400, refusal(971, "Please wait and consider throttling")),
    "409 with code 10035": Reply(409, refusal(10035, "Conflicting write")),
}
#: Envelopes with odd results.
RESULTS = {
    "without a result": b'{"success": true}',
    "with a text as result": envelope(result="done"),
    "with a number as result": envelope(result=1),
    "with null in a list": envelope(result=[None]),
    "with a list in a list": envelope(result=[[]]),
}
#: Responses of servers and of proxies before them. The request may have been carried out or not.
FOREIGN = {
    **{f"{status}, HTML": Reply(status, PAGE, HTML) for status in (400, 403, 404, 408, 410, 413, 451)},
    **{f"{status}, HTML": Reply(status, PAGE, HTML) for status in (500, 502, 503, 504, 520, 522, 524, 530)},
    **{f"{status}, empty": Reply(status, b"", "") for status in (404, 500, 502, 503, 504)},
    "500 with an error of the API": Reply(500, refusal(10002, "Internal error")),
    "503, Retry-After: 5": Reply(503, refusal(7009, "Upstream is unavailable"), headers=(("Retry-After", "5"),)),
    "500, JSON without an envelope": Reply(500, b'{"error":"boom"}'),
    "503, success": Reply(503, envelope(result={"id": "0" * 32})),
    **{f"{status}, redirect": Reply(status, PAGE, HTML, (ELSEWHERE,)) for status in (301, 302, 303, 307, 308)},
    "302 without a Location": Reply(302, b"", ""),
    "301, JSON": Reply(301, b"{}", headers=(ELSEWHERE,)),
    "304": Reply(304, b"", ""),
    "200, HTML": Reply(200, PAGE, HTML),
    "200, HTML as JSON": Reply(200, PAGE),
    "200, text": Reply(200, b"OK", TEXT),
    "200, empty": Reply(200, b"", ""),
    "200, empty JSON": Reply(200, b""),
    "202, empty": Reply(202, b"", ""),
    "204": Reply(204, b"", ""),
    "206, JSON": Reply(206, b'{"success": true'),
    **{f"200, {text}": Reply(200, text.encode()) for text in ("null", "[]", "{}", "true", "1", '"ok"', "NaN")},
    "200, half an envelope": Reply(200, b'{"success": true, "errors": [], "resu'),
    "200, JSON without an envelope": Reply(200, b'{"status": "ok", "id": "1"}'),
    "200, success is false": Reply(200, envelope(False, result=None)),
    "200, success is null": Reply(200, envelope(None, result=None)),
    '200, success is "true"': Reply(200, envelope("true", result=None)),
    '200, success is "false"': Reply(200, envelope("false", result=None)),
    **{f"200, success {rest}": Reply(200, content) for rest, content in RESULTS.items()},
    "200, deep JSON": Reply(200, b"[" * 100_000),
}
#: Refusals of the API in odd forms, which never have an effect.
REFUSALS = {
    "400 with an error of the API": Reply(400, refusal(10021, "Uncaught SyntaxError")),
    "401 with an error of the API": Reply(401, refusal(10000, "Authentication error")),
    "403 with an error of the API": Reply(403, refusal(9109, "Unauthorized to access requested resource")),
    "200 with an error of the API": Reply(200, refusal(10002, "Internal error")),
    "400, errors are texts": Reply(400, envelope(False, errors=["no"], result=None)),
    "400, errors are an object": Reply(400, envelope(False, errors={"code": 1}, result=None)),
    "400, errors contain null": Reply(400, envelope(False, errors=[None], result=None)),
    "400, errors are null": Reply(400, envelope(False, errors=None, result=None)),
    "400, the code is a text": Reply(400, refusal("E_X", "no")),
    "400, the message is a number": Reply(400, refusal(1, 7)),
    "400, no errors": Reply(400, envelope(False)),
    "405 with an error of the API": Reply(405, refusal(10405, "Method not allowed")),
}


def canned(reply: Reply, ending: Ending = Ending.KEPT) -> t.Callable[[Reply], Wire]:
    return lambda _reply: Wire(reply.encode(), ending)


def body(change: t.Callable[[bytes], bytes], *headers: tuple[str, str], content_type: str | None = None) -> t.Any:
    """Return a fault's ``respond`` that changes the body of the genuine response, and adds headers."""

    def respond(reply: Reply) -> Wire:
        kind = reply.content_type if content_type is None else content_type
        return Wire(Reply(reply.status, change(reply.body), kind, (*reply.headers, *headers), reply.reason).encode())

    return respond


def raw(build: t.Callable[[Reply], bytes], ending: Ending) -> t.Callable[[Reply], Wire]:
    return lambda reply: Wire(build(reply), ending)


def cut(reply: Reply) -> bytes:
    """A response that announces its whole body and ends in the middle of it."""
    return reply.head(("Content-Length", str(len(reply.body) + 7))) + reply.body[: len(reply.body) // 2]


def chunked(*parts: bytes) -> t.Callable[[Reply], bytes]:
    """A response in chunks: these parts, in which BODY is a chunk with the genuine body."""

    def build(reply: Reply) -> bytes:
        chunk = f"{len(reply.body):x}\r\n".encode() + reply.body + b"\r\n"
        return reply.head(("Transfer-Encoding", "chunked")) + b"".join(parts).replace(b"BODY", chunk)

    return build


GZIP = ("Content-Encoding", "gzip")
#: Faults of the connection and of the encoding of the genuine response.
BROKEN: dict[str, t.Callable[[Reply], Wire]] = {
    "reset before the response": raw(lambda reply: b"", Ending.RESET),
    "closed before the response": raw(lambda reply: b"", Ending.CLOSED),
    "closed in the status line": raw(lambda reply: b"HTTP/1.", Ending.CLOSED),
    "closed in the headers": raw(lambda reply: reply.head()[:30], Ending.CLOSED),
    "closed in the body": raw(cut, Ending.CLOSED),
    "reset in the body": raw(cut, Ending.RESET),
    "closed before the last chunk": raw(chunked(b"BODY"), Ending.CLOSED),
    "chunk without a size": raw(chunked(b"BODY", b"what\r\n"), Ending.CLOSED),
    "chunk shorter than its size": raw(chunked(b"ffff\r\n{}"), Ending.CLOSED),
    "body that is not gzip": body(lambda content: content, GZIP),
    "gzip ends early": body(lambda content: gzip.compress(content)[:-9], GZIP),
    "gzip with wrong bytes": body(lambda content: gzip.compress(content)[:12] + b"\xff" * 9, GZIP),
    "body that is not deflate": body(lambda content: content, ("Content-Encoding", "deflate")),
    "UTF-16": body(
        lambda content: content.decode("utf-8", "replace").encode("utf-16"), content_type="application/json"
    ),
    "not UTF-8": body(lambda content: content.replace(b'"', b'"\xff\xfe', 3)),
    "without Content-Type": body(lambda content: content, content_type=""),
    "as text": body(lambda content: content, content_type=TEXT),
    "as HTML": body(lambda content: content, content_type=HTML),
    "no HTTP": raw(lambda reply: b"SSH-2.0-OpenSSH_9.6\r\n", Ending.CLOSED),
    "unknown status": raw(lambda reply: b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", Ending.KEPT),
    "status that is not a number": raw(lambda reply: b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", Ending.CLOSED),
    "a header of 100 KB": raw(lambda reply: reply.head(("X", "x" * 100_000)) + reply.body, Ending.CLOSED),
    "300 headers": raw(lambda reply: reply.head(*[("X", "x")] * 300) + reply.body, Ending.CLOSED),
    "Content-Length is not a number": raw(
        lambda reply: reply.head(("Content-Length", "x")) + reply.body, Ending.CLOSED
    ),
}
#: The same, but the client waits for the rest until its timeout.
STALLS: dict[str, t.Callable[[Reply], Wire]] = {
    "stalled before the response": raw(lambda reply: b"", Ending.STALLED),
    "stalled in the body": raw(cut, Ending.STALLED),
}
ORDER, STALE = "repeated, late or undone", "stale reads"
#: Deliveries that are not those of HTTP, with genuine responses or none.
DELIVERIES = (
    Fault(ORDER, "delivered twice", delivery=Delivery.TWICE),
    Fault(ORDER, "delivered twice, response lost", BROKEN["closed before the response"], Delivery.TWICE),
    Fault(ORDER, "delivered after the run", BROKEN["closed before the response"], Delivery.LATE),
    Fault(ORDER, "acknowledged, not stored", delivery=Delivery.UNDONE),
    Fault(STALE, "two stale reads", delivery=Delivery.ONCE, stale_reads=2),
    Fault(STALE, "stale reads until the end", delivery=Delivery.ONCE, stale_reads=FOREVER),
    Fault(STALE, "response lost, two stale reads", BROKEN["closed before the response"], Delivery.ONCE, 2),
    Fault(STALE, "not delivered, two stale reads", BROKEN["closed before the response"], Delivery.NEVER, 2),
)


def faults_of_replies(delivery: Delivery, *tables: t.Mapping[str, Reply]) -> t.Iterator[Fault]:
    for table in tables:
        for name, reply in table.items():
            yield Fault(kind_of(name, reply), name, canned(reply), delivery)


def kind_of(name: str, reply: Reply) -> str:
    if name in LIMITS:
        return "rate limit"
    if name in REFUSALS:
        return "error in an odd form"
    kinds = {2: "success that is not the API's", 3: "redirect", 4: "error of a proxy", 5: "error of a server"}
    return kinds[reply.status // 100]


def faults_of_bytes(
    kind: str, delivery: Delivery, table: t.Mapping[str, t.Callable[[Reply], Wire]]
) -> t.Iterator[Fault]:
    for name, respond in table.items():
        yield Fault(kind, name, respond, delivery)


LOST = {name: respond for name, respond in BROKEN.items() if "before the response" in name}
CUT, STALL = "broken connection or encoding", "stalled connection"
WRITE_FAULTS = (
    *faults_of_replies(Delivery.NEVER, LIMITS, FOREIGN, REFUSALS),
    *faults_of_replies(Delivery.ONCE, FOREIGN),
    *faults_of_bytes(CUT, Delivery.NEVER, LOST),
    *faults_of_bytes(CUT, Delivery.ONCE, BROKEN),
    *faults_of_bytes(STALL, Delivery.ONCE, STALLS),
    *DELIVERIES,
)
EMPTY_LIST = "an empty list"


def empty_list(reply: Reply) -> Wire:
    """Answer with no objects, in the form of the endpoint. Other responses stay."""
    answer = json.loads(reply.body) if reply.status == 200 and "json" in reply.content_type else None
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), list):
        return Wire(reply.encode())
    info = {"page": 1, "per_page": 100, "count": 0, "total_count": 0, "total_pages": 0}
    content = envelope(result=[], **({"result_info": info} if answer.get("result_info") else {}))
    return Wire(Reply(200, content, headers=reply.headers).encode())


READ_FAULTS = (
    Fault(STALE, EMPTY_LIST, empty_list, Delivery.ONCE),
    *faults_of_replies(Delivery.NEVER, LIMITS, FOREIGN, REFUSALS),
    *faults_of_bytes(CUT, Delivery.ONCE, BROKEN),
    *faults_of_bytes(STALL, Delivery.ONCE, STALLS),
)

#: Acknowledgments of a write in a form of the API, although it was not stored.
FALSE_ACKNOWLEDGMENTS = (
    "acknowledged, not stored",
    *(f"200, success {rest}, not delivered" for rest in RESULTS),
)

#: One fault of each kind, which is also tried on all attempts of a request.
LASTING = (
    "429",
    "429, Retry-After: 3600",
    "400 with code 971",
    "409 with code 10035",
    "403, HTML",
    "404, HTML",
    "404, empty",
    "500, HTML",
    "502, empty",
    "503, success",
    "301, redirect",
    "200, HTML",
    "200, empty",
    "204",
    "200, null",
    "200, []",
    "200, success without a result",
    "200, success is null",
    "400, errors contain null",
    "403 with an error of the API",
    "405 with an error of the API",
    "reset before the response",
    "closed in the headers",
    "closed in the body",
    "chunk shorter than its size",
    "body that is not gzip",
    "not UTF-8",
    "stalled in the body",
    "acknowledged, not stored",
)

#: Responses below 400 that are not the API's.
BELIEVABLE = tuple(name for name, reply in FOREIGN.items() if reply.status < 400)

#: Responses that an endpoint without an envelope may give: any bytes can be the value of a key or the code of a Worker.
ANY_BYTES = (
    *(name for name, reply in FOREIGN.items() if 200 <= reply.status < 300 and reply.content_type != HTML),
    *("as text", "without Content-Type", "not UTF-8", "UTF-16"),
)
