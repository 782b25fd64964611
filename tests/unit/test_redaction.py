# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets are redacted from texts in every common encoding, and from arguments by the option that holds them."""

from __future__ import annotations

import base64
import html
import json
import random
import string
import textwrap
import typing as t
from urllib.parse import quote, quote_plus, urlencode

import pytest
import requests
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import printable
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._redaction import REDACTED, Redactor
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._secret_options import (
    NO_LOG_PLACEHOLDER,
    iter_secrets,
    mask_arguments,
)
from harness import Runner
from local_edge.testing import Edge
from tenant import WORKER

SECRETS = {
    "a token": "dGhpc-is_A.token0123456789",
    "punctuation": "p\"a'ss\\w/o&r<d>+%41 =100%",
    "control characters": "p\x1bss\x00w\xa0rd\r\nends",
    "letters beyond ASCII": "pässwörd-ключ-🔑-ende",
    "several lines": "-----BEGIN KEY-----\nMIIEvQIBADANBg/kqhki+EFAASC\nBKcwggSjAgEAAoIB\n-----END KEY-----\n",
    "JSON": '{"user": "admin", "password": "h\\u00e9ll/o"}',
}
Encoder = t.Callable[[str], str]


def json_text(text: str, **options: t.Any) -> str:
    return json.dumps(text, **options)[1:-1]


def go_json(text: str) -> str:
    return json_text(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003E")


WHOLE: dict[str, Encoder] = {
    "plain": str,
    "printable": lambda text: printable(text, len(text)),
    "JSON": json_text,
    "JSON in Unicode": lambda text: json_text(text, ensure_ascii=False),
    "JSON of Go": go_json,
    "JSON of PHP": lambda text: json_text(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: json_text(json_text(text)),
    "repr": lambda text: repr(text)[1:-1],
    "repr in double quotes": lambda text: repr(text + "'")[1:-1].removesuffix("\\'").removesuffix("'"),
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "URL": lambda text: quote(text, safe=""),
    "URL in lower case": lambda text: "".join(
        character if character.isalnum() and character.isascii() else quote(character, safe="").lower()
        for character in text
    ),
    "path": quote,
    "form": quote_plus,
    "JSON in a URL": lambda text: quote(json_text(text), safe=""),
    "URL in a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML": html.escape,
    "HTML without quotes": lambda text: html.escape(text, quote=False),
    "numeric entities": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(character):X};" for character in text),
    "JSON in HTML": lambda text: html.escape(json_text(text)),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "JSON in base64": lambda text: base64.b64encode(json_text(text).encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("encode", WHOLE.values(), ids=WHOLE)
def test_redact_encoded_secret_is_replaced_as_a_whole(encode: Encoder, secret: str) -> None:
    assert Redactor([secret])(f"before ({encode(secret)}), after") == f"before ({REDACTED}), after"


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("offset", range(6))
def test_redact_base64_of_longer_text_reveals_at_most_bits_of_the_ends(
    encode: t.Callable[[bytes], bytes], secret: str, offset: int
) -> None:
    longer = b'{"key"'[:offset] + secret.encode() + b'", "x": 1}'
    redacted = Redactor([secret])(encode(longer).decode())
    assert redacted.count(REDACTED) == 1
    left, right = redacted.split(REDACTED)
    assert len(left) <= -(-offset * 4 // 3) and len(right) <= 4 * (len(longer) - offset) // 3 - len(secret.encode())


def test_redact_lines_of_secret() -> None:
    secret = SECRETS["several lines"]
    for separator in ("\n", "\r\n  ", " | "):
        redacted = Redactor([secret])(separator.join(secret.splitlines()))
        assert redacted == separator.join([REDACTED] * 4)
    encoded = base64.b64encode(secret.encode() * 2).decode()
    for width in (64, 76):
        assert set(Redactor([secret * 2])("\n".join(textwrap.wrap(encoded, width))).split()) == {REDACTED}


@pytest.mark.parametrize("encode", [str, json_text, quote])
@pytest.mark.parametrize("ellipsis", ["...", "…"])
def test_redact_secret_that_is_cut(encode: Encoder, ellipsis: str) -> None:
    secret = "dGhpc-is_A-token0123456789"
    for length in range(4, len(secret) + 1):
        assert Redactor([secret])(f"got {encode(secret[:length])}{ellipsis}") == f"got {REDACTED}{ellipsis}"


@pytest.mark.parametrize("name", ["URL", "URL in a URL", "JSON", "repr", "HTML", "numeric entities", "base64"])
def test_redact_secret_that_is_cut_within_escape_sequence(name: str) -> None:
    secret = SECRETS["punctuation"] + "äö"
    encoded = WHOLE[name](secret)
    for length in range(len(WHOLE[name](secret[:6])), len(encoded)):
        redacted = Redactor([secret])(f"got {encoded[:length]}...")
        assert redacted.startswith(f"got {REDACTED}"), redacted
        assert len(redacted) <= len(f"got {REDACTED}%25C3%25A...")


def test_redact_overlapping_secrets_leave_nothing() -> None:
    assert Redactor(["hush-hush", "hush-hush-1", "1-bind"])("x hush-hush-1-bind y") == f"x {REDACTED} y"


def test_redact_short_secret_is_left() -> None:
    assert Redactor(["abc"])("abc") == "abc"
    assert Redactor(["abcdefg"], min_length=8)("abcdefg") == "abcdefg"


def test_redact_other_texts_are_unchanged() -> None:
    redactor = Redactor(SECRETS.values())
    for text in (
        "",
        "PUT /accounts/0123456789abcdef/a%2Fb",
        'The "value" of C:\\x is 100%... & more',
        "\\",
        "%",
        "&#;",
    ):
        assert redactor(text) == text


def test_redact_undecodable_escapes_are_no_error() -> None:
    generator, redactor = random.Random(4), Redactor([SECRETS["a token"], "\ud800 is no character"])
    characters = "\\ux0aU%&#;d8-\ud800…" + string.hexdigits
    for _text in range(2000):
        redactor("".join(generator.choices(characters, k=30)))


def test_redact_thousands_of_secrets_and_messages() -> None:
    secrets = [f"secret-of-tenant-{number:06}" for number in range(2000)]
    redactor = Redactor(secrets)
    for secret in secrets:
        assert redactor(f"workers: {secret}: the value is refused") == f"workers: {REDACTED}: the value is refused"


def test_redact_values_at_every_depth() -> None:
    secret, value = "hush-hush-1", urlencode({"q": "hush-hush-1 x"})
    assert Redactor([secret]).redact_values({"a": [{"b": secret}, (value, 1, None, True)], secret: "c"}) == {
        "a": [{"b": REDACTED}, [f"q={REDACTED}+x", 1, None, True]],
        REDACTED: "c",
    }


# -- arguments ---------------------------------------------------------------------------------------------------------

SPEC: dict[str, dict[str, t.Any]] = {
    "api_token": {"type": "str", "no_log": True},
    "api_url": {"type": "str"},
    "secrets": {"type": "dict", "no_log": True},
    "bindings": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "type": {"type": "str"}, "text": {"type": "str"}},
    },
    "upload_metadata": {"type": "dict"},
    "headers": {"type": "dict"},
    "body": {"type": "raw"},
    "workers": {"type": "list", "elements": "dict", "options": {"secrets": {"type": "dict", "no_log": True}}},
}
HUSH = "hush-hush-1"
BINDING = {"name": "KEY", "type": "secret_text", "text": HUSH}
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "no_log": {"api_token": HUSH},
    "dictionary": {"secrets": {"KEY": HUSH}},
    "dictionary as JSON": {"secrets": json.dumps({"KEY": HUSH})},
    "dictionary as text": {"secrets": f"KEY={HUSH}"},
    "list instead of a dictionary": {"secrets": [{"KEY": HUSH}]},
    "element": {"workers": [{"secrets": {"KEY": HUSH}}]},
    "element in a list of its own": {"workers": [[{"secrets": {"KEY": HUSH}}]]},
    "dictionary instead of a list": {"workers": {"secrets": {"KEY": HUSH}}},
    "secret binding": {"bindings": [BINDING]},
    "secret binding in other letters": {"bindings": [{**BINDING, "type": "Secret-Text"}]},
    "secret key": {"bindings": [{"name": "K", "type": "secret_key", "key_jwk": {"k": HUSH}}]},
    "secret binding in other options": {"bindings": [{**BINDING, "options": {"text": HUSH}}]},
    "secret binding of metadata": {"upload_metadata": {"bindings": [BINDING]}},
    "secret binding of a body": {"body": {"secrets": [BINDING]}},
    "credentials in a URL": {"api_url": f"https://user:{HUSH}@example.com/v4"},
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_secrets_are_masked_and_collected(arguments: dict[str, t.Any]) -> None:
    masked = mask_arguments(arguments, SPEC)
    assert HUSH not in json.dumps(masked) and NO_LOG_PLACEHOLDER in json.dumps(masked)
    assert HUSH in set(iter_secrets(arguments, SPEC))


def test_arguments_without_secrets_are_shown() -> None:
    arguments = {
        "bindings": [{"name": "A", "type": "plain_text", "text": "shown"}],
        "api_url": "https://example.com",
        "body": {"type": "secret", "text": "shown"},
        "headers": {"Accept": "application/json"},
        "secrets": None,
    }
    assert mask_arguments(arguments, SPEC) == arguments
    assert not set(iter_secrets(arguments, SPEC))


@pytest.mark.parametrize(
    ("arguments", "secrets"),
    [
        ({"api_token": {"token": HUSH}}, {HUSH}),
        ({"api_token": {HUSH: "x"}}, {HUSH, "x"}),
        ({"secrets": f"KEY={HUSH}"}, {HUSH, f"KEY={HUSH}"}),
        ({"secrets": f"{HUSH}="}, {HUSH, f"{HUSH}=", ""}),
    ],
)
def test_arguments_keys_that_are_not_names_are_secrets(arguments: dict[str, t.Any], secrets: set[str]) -> None:
    assert set(iter_secrets(arguments, SPEC)) == secrets


def test_arguments_headers_that_authenticate_are_secrets() -> None:
    headers = {"Authorization": f"Bearer {HUSH}", "CF-Access-Client-Secret": "hush-hush-2", "Accept": "text/html"}
    assert set(iter_secrets({"headers": headers}, SPEC)) == {f"Bearer {HUSH}", HUSH, "hush-hush-2"}


# -- modules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", WHOLE.values(), ids=WHOLE)
def test_module_error_of_server_that_quotes_secret_is_redacted(run: Runner, edge: Edge, encode: Encoder) -> None:
    run.ok("dispatch_namespace", name="tenants")
    secret = SECRETS["punctuation"]
    edge.fault(method="PUT", status=400, message=f"the value {encode(secret)} is refused")
    result = run("namespaced_worker", **WORKER, secrets={"KEY": secret})
    assert result["failed"] and f"the value {REDACTED} is refused" in result["msg"]


def test_module_error_of_server_that_cuts_secret_is_redacted(run: Runner, edge: Edge) -> None:
    run.ok("dispatch_namespace", name="tenants")
    edge.fault(method="PUT", status=400, message=f"the value {HUSH[:8]}...")
    assert f"the value {REDACTED}... [" in run("namespaced_worker", **WORKER, secrets={"KEY": HUSH})["msg"]


@pytest.mark.parametrize("module", ["namespaced_worker", "namespaced_workers"])
def test_module_refused_secret_binding_is_masked(run: Runner, module: str) -> None:
    options: dict[str, t.Any] = {**WORKER, "bindings": [BINDING]}
    if module == "namespaced_workers":
        options = {"dispatch_namespace": options.pop("dispatch_namespace"), "workers": [options]}
    result = run(module, **options)
    assert "Declare it in secrets" in result["msg"] and HUSH not in json.dumps(result)


def test_api_body_and_headers_are_masked(run: Runner) -> None:
    options = {"path": "/accounts", "body": {"value": HUSH}, "headers": {"X-Other": "hush-hush-2"}}
    for show_body in (None, False, True):
        shown = json.dumps(run.ok("api", **options, **({} if show_body is None else {"show_body": show_body})))
        assert (HUSH in shown) is bool(show_body) and "hush-hush-2" not in shown


def test_module_listed_value_that_contains_secret_is_redacted(run: Runner, edge: Edge) -> None:
    title = f"{json_text(edge.token)} {base64.b64encode(edge.token.encode()).decode()}"
    headers = {"Authorization": f"Bearer {edge.token}"}
    path = f"{edge.api}/accounts/{edge.account}/storage/kv/namespaces"
    requests.post(path, json={"title": title}, headers=headers, timeout=10).raise_for_status()
    (namespace,) = run.ok("kv_namespace_info")["kv_namespaces"]
    assert namespace["title"] == f"{REDACTED} {REDACTED}"
