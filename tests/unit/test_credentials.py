# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials from options and environment, and their validation."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.credentials import (
    Credentials,
    first_env,
)
from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._cloudflare.errors import CloudflareError

KEY = {"CLOUDFLARE_API_KEY": "key", "CLOUDFLARE_EMAIL": "mail"}
TOKEN = {"CLOUDFLARE_API_TOKEN": "token"}
WITH_TOKEN = {"Authorization": "Bearer token"}
WITH_KEY = {"X-Auth-Key": "key", "X-Auth-Email": "mail"}


@pytest.mark.parametrize(
    ("given", "environ", "headers"),
    [
        (("token", None, None), KEY, WITH_TOKEN),
        ((" token\n", None, "mail"), {}, WITH_TOKEN),
        ((None, None, None), {**TOKEN, **KEY}, WITH_TOKEN),
        ((None, "key", "mail"), TOKEN, WITH_KEY),
        ((None, "key", None), {**TOKEN, **KEY}, WITH_KEY),
        ((None, None, "mail"), {"CLOUDFLARE_API_KEY": "key", "CLOUDFLARE_EMAIL": "other"}, WITH_KEY),
        (("", "", ""), KEY, WITH_KEY),
    ],
)
def test_credentials_are_resolved_in_order(
    given: tuple[str | None, str | None, str | None], environ: dict[str, str], headers: dict[str, str]
) -> None:
    assert Credentials.resolve(*given, environ).headers == headers


@pytest.mark.parametrize(
    ("given", "named"),
    [
        *((("token", "key", None), "api_key"), ((None, "key", None), "email"), ((None, None, "mail"), "api_token")),
        *(
            (("to ken", None, None), "api_token"),
            (("to\nken", None, None), "api_token"),
            ((" ", None, None), "api_token"),
        ),
        *(((None, "k\x7fy", "mail"), "api_key"), ((None, "key", "mäil"), "email")),
    ],
)
def test_credentials_invalid_are_refused_without_their_value(
    given: tuple[str | None, str | None, str | None], named: str
) -> None:
    with pytest.raises(CloudflareError, match=f"^{named}: ") as raised:
        Credentials.resolve(*given, {})
    assert not any(
        value in str(raised.value) for value in given if value and value not in ("key", "mail", "token", " ")
    )


def test_credentials_secrets_and_digest() -> None:
    token, key = (Credentials.resolve(*given, {}) for given in (("token", None, None), (None, "key", "mail")))
    assert (token.secrets, key.secrets) == (["token"], ["key"])
    assert token.digest != key.digest and "token" not in token.digest + repr(token)
    assert token.digest == Credentials.resolve("token", None, None, {}).digest


def test_first_env_skips_empty_variables() -> None:
    assert first_env({"A": "", "B": "b", "C": "c"}, ("A", "B", "C")) == "b" and first_env({"A": ""}, ("A", "B")) is None
