# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client of the Cloudflare v4 API: envelope, paging, retries, account and zone lookup.

It is independent of resources and of Ansible.
"""

from __future__ import annotations

import contextlib
import email.utils
import os
import random
import threading
import time
import typing as t
from urllib.parse import quote

from . import network_errors, shapes
from .api_url import DEFAULT_URL, resolve_url
from .connections import Connections
from .credentials import Credentials, first_env
from .errors import (
    AmbiguousResult,
    ApiError,
    CloudflareError,
    ConnectError,
    MalformedResponse,
    SettingsError,
)
from .hostnames import to_ascii, to_unicode
from .interruption import Interrupted, Interruption
from .paging import Pages
from .rate_limit_state import InFlightRequest
from .rate_limiter import MAX_WAIT, RateLimiter
from .responses import ApiResponse, apply_shape, read_response

if t.TYPE_CHECKING:
    import requests

ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID")
READING_METHODS = ("GET", "HEAD")
IDEMPOTENT_METHODS = ("GET", "PUT", "DELETE")
MAX_ATTEMPTS = 4
MAX_CLOCK_SKEW = 400 * 86_400  # seconds: with a clock further off, no certificate would be valid
BACKOFF = 0.5  # seconds before the second attempt, doubled for each further one
CODE_CONFLICT = 10035  # like status 429, it means that the request had no effect
REFUSED_CONTENT = (400, 413)  # statuses of a request that asks for something the server does not return


def join(*parts: str) -> str:
    """Build a path of the API from unquoted segments, which may contain slashes.

    Raise CloudflareError for segments that would address the parent instead, such as "..".
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise CloudflareError(f"{part!r} is not a valid name or id. The path of a request cannot contain it.")
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Client:
    """A client for one set of credentials. Threads may share it, since each request in flight has its own connection.

    Lists and lookups are cached until the next write of this process, so that items of a loop share them.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        url: str = DEFAULT_URL,
        account_id: str | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.credentials = credentials
        self.interruption = Interruption()
        self.rate_limiter = rate_limiter or RateLimiter.for_credentials(
            self.url, credentials.digest, self.interruption.sleep
        )
        self._account_id = account_id
        self._clock_skew = 0.0
        self._connections = Connections(credentials.headers)
        self._list_lock = threading.Lock()
        self._listings: dict[tuple[str, str], list[t.Any] | CloudflareError] = {}
        self._indexes: dict[tuple[str, str, str], tuple[list[t.Any], frozenset[str]]] = {}
        self._zones: dict[str, dict[str, t.Any]] = {}
        self._unsupported: set[str] = set()  # endpoints that were answered by "method not allowed"

    # -- one request ---------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, idempotent: bool | None = None, **request_kwargs: t.Any) -> ApiResponse:
        """Send one request, and return its response in the shape of the endpoint. See ``call_unshaped``.

        Raise CloudflareError for a response to a read that lacks a required key. After a write, that is an
        AmbiguousResult.
        """
        return apply_shape(method, path, self.call_unshaped(method, path, idempotent, **request_kwargs))

    def call_unshaped(
        self, method: str, path: str, idempotent: bool | None = None, **request_kwargs: t.Any
    ) -> ApiResponse:
        """Send one request, and retry it if that is safe. ``request_kwargs`` are passed to ``requests``.

        ``idempotent`` overrides the default for the method, such as for a POST that only reads.

        Raise ApiError for an error response, AmbiguousResult if the request may have had an effect, and ConnectError if
        it was not sent.
        """
        is_idempotent = method in IDEMPOTENT_METHODS if idempotent is None else idempotent
        if method in READING_METHODS or (method == "POST" and is_idempotent):
            return self._call(method, path, is_idempotent, request_kwargs)
        with self.interruption.writing(f"{method} {path}"):
            return self._call(method, path, is_idempotent, request_kwargs)

    def _call(self, method: str, path: str, idempotent: bool, request_kwargs: t.Mapping[str, t.Any]) -> ApiResponse:
        ambiguous: AmbiguousResult | None = None
        delay: float | None = 0.0
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                if delay:
                    self.rate_limiter.sleep(delay)
                return self._send_once(self.rate_limiter.acquire(), method, path, request_kwargs)
            except Interrupted as interrupted:
                raise (ambiguous or interrupted) from None  # an earlier attempt may have had an effect
            except (ApiError, AmbiguousResult, ConnectError) as error:
                ambiguous = error if isinstance(error, AmbiguousResult) else ambiguous
                delay = self._delay(idempotent, error, attempt)
                if delay is None:
                    self._note_unsupported(method, path, error)
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _note_unsupported(self, method: str, path: str, error: CloudflareError) -> None:
        shape = shapes.find(method, path)
        if shape and isinstance(error, ApiError) and error.is_method_not_allowed:
            self._unsupported.add(str(shape))

    def supports(self, method: str, path: str) -> bool:
        """Return whether the API has this method, as far as earlier responses showed."""
        return str(shapes.find(method, path)) not in self._unsupported

    def _delay(self, idempotent: bool, error: CloudflareError, attempt: int) -> float | None:
        """Return the seconds to wait before the next attempt, or None if a retry is not safe."""
        if attempt == MAX_ATTEMPTS or isinstance(error, SettingsError):
            return None
        backoff = BACKOFF * 2 ** (attempt - 1) * random.uniform(1, 1.2)
        if isinstance(error, ApiError):
            had_no_effect = error.status == 429 or error.code in (971, CODE_CONFLICT)
            return max(error.retry_after, backoff) if had_no_effect and error.retry_after <= MAX_WAIT else None
        return backoff if isinstance(error, ConnectError) or idempotent else None

    def _send_once(
        self, in_flight: InFlightRequest, method: str, path: str, request_kwargs: t.Mapping[str, t.Any]
    ) -> ApiResponse:
        status_and_headers: tuple[t.Any, ...] = ()
        try:
            self.interruption.check()
            response = self._send(method, path, request_kwargs)
            status_and_headers = (response.status_code, response.headers)
        finally:
            self.rate_limiter.release(in_flight, *status_and_headers)
        self._adjust_clock(response.headers.get("Date"))
        return read_response(method, path, response, self.url)

    def _adjust_clock(self, date_header: str | None) -> None:
        with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):  # a date that cannot be parsed
            date = email.utils.parsedate_tz(date_header)
            skew = email.utils.mktime_tz(date) - time.time() if date else self._clock_skew
            self._clock_skew = skew if abs(skew) <= MAX_CLOCK_SKEW else self._clock_skew

    def _send(self, method: str, path: str, request_kwargs: t.Mapping[str, t.Any]) -> requests.Response:
        with self.interruption.sending(f"{method} {path}"):
            response = self._connections.send(method, self.url, path, request_kwargs)
        network_errors.check_not_from_proxy(response, self.url)
        return response

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def get_or_not_found(self, path: str, method: str = "GET", **request_kwargs: t.Any) -> ApiResponse:
        """Send an idempotent request. The response has a ``not_found_code`` if the object does not exist."""
        try:
            return self.call(method, path, idempotent=True, **request_kwargs)
        except ApiError as error:
            if error.is_not_found:
                return ApiResponse(not_found_code=error.code or error.status)
            raise

    def get_or_refused(self, path: str, method: str = "GET", **request_kwargs: t.Any) -> ApiResponse | None:
        """Send an idempotent request like ``get_or_not_found``. Return None if its content is refused (400, 413)."""
        try:
            return self.get_or_not_found(path, method, **request_kwargs)
        except ApiError as error:
            if error.status in REFUSED_CONTENT:
                return None
            raise

    def get_or_none(self, path: str, **request_kwargs: t.Any) -> ApiResponse | None:
        """Read one object. Return None if it does not exist."""
        response = self.get_or_not_found(path, **request_kwargs)
        return None if response.not_found_code else response

    def list_all(self, path: str, headers: t.Mapping[str, str] | None = None, /, **params: t.Any) -> list[t.Any]:
        """Read all pages of a collection, in any of Cloudflare's paging styles.

        Raise ApiError if the request fails, or if the parent of the collection does not exist. Until a write, the list
        is cached, and so is an error: a listing that many objects need is not requested again for each of them.
        """
        key = (path, repr((headers, sorted(params.items()))))
        with self._list_lock:  # threads that need the same list wait for it
            listings = self._listings  # a write replaces it, so that a list from before is not cached
            if key not in listings:
                try:
                    listings[key] = self._read_pages(path, headers, params)
                except (ApiError, AmbiguousResult, MalformedResponse) as error:
                    listings[key] = error
            found = listings[key]
        if isinstance(found, CloudflareError):
            raise found
        return found

    def list_unshaped(self, path: str, params: t.Mapping[str, t.Any]) -> list[t.Any]:
        """Read all pages of a collection as the API returns them. Raise CloudflareError if it is not a list."""
        return list(self._iterate(self.call_unshaped, path, None, params))

    def iterate(self, path: str, /, **params: t.Any) -> t.Iterator[t.Any]:
        """Yield the objects of a collection, as they are now and not cached. Further pages are read when needed."""
        return self._iterate(self.call, path, None, params)

    def _read_pages(self, path: str, headers: t.Mapping[str, str] | None, params: t.Mapping[str, t.Any]) -> list[t.Any]:
        return list(self._iterate(self.call, path, headers, params))

    @staticmethod
    def _iterate(
        call: t.Callable[..., ApiResponse],
        path: str,
        headers: t.Mapping[str, str] | None,
        params: t.Mapping[str, t.Any],
    ) -> t.Iterator[t.Any]:
        pages = Pages(path, params)
        page_params: dict[str, t.Any] | None = {}
        while page_params is not None:
            page_params = pages.add(call("GET", path, params={**params, **page_params}, headers=headers))
            yield from pages.latest

    def list_or_none(self, path: str, /, **params: t.Any) -> list[t.Any] | None:
        """Read a collection like ``list_all``. Return None if its parent does not exist."""
        try:
            return self.list_all(path, **params)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    def list_if_allowed(
        self, path: str, headers: t.Mapping[str, str] | None = None, /, **params: t.Any
    ) -> list[t.Any] | None:
        """Read a collection like ``list_all``. Return None if the API refuses, such as without the permission."""
        try:
            return self.list_all(path, headers, **params)
        except (ApiError, AmbiguousResult, MalformedResponse):
            return None

    def values_if_allowed(
        self, key: str, path: str, headers: t.Mapping[str, str] | None = None, /, **params: t.Any
    ) -> frozenset[str] | None:
        """Return the values of a key in a collection as texts. Return None if the API refuses.

        They are collected once per listing, since thousands of objects may look for one of them.
        """
        listing = self.list_if_allowed(path, headers, **params)
        if listing is None:
            return None
        slot = (key, path, repr((headers, sorted(params.items()))))
        if slot not in self._indexes or self._indexes[slot][0] is not listing:
            self._indexes[slot] = (listing, frozenset(str(item.get(key)) for item in listing))
        return self._indexes[slot][1]

    def write(self, method: str, path: str, **request_kwargs: t.Any) -> ApiResponse:
        """Send a request that changes an object, and invalidate the cached lists."""
        try:
            # An object that does not exist is deleted: an earlier attempt may have succeeded.
            return (
                self.get_or_not_found(path, method, **request_kwargs)
                if method == "DELETE"
                else self.call(method, path, **request_kwargs)
            )
        finally:
            self.invalidate()

    def server_time(self) -> float:
        """Return the time of the server, in seconds since 1970, since the clock of this machine may be wrong."""
        return time.time() + self._clock_skew

    def invalidate(self) -> None:
        """Drop the cached lists, so that the next read sends requests."""
        self._listings = {}

    # -- accounts and zones --------------------------------------------------------------------------------------------

    @property
    def account_id(self) -> str:
        """The account of the options, or else the only one that the credentials have access to.

        Raise CloudflareError if they have access to none or to several.
        """
        if not self._account_id:
            accounts = self.list_all("/accounts", per_page=50)
            if len(accounts) != 1:
                accounts_text = (
                    ", ".join(f"{account['id']} ({account.get('name', 'no name')})" for account in accounts) or "none"
                )
                raise CloudflareError(
                    f"account_id: it is required, since the credentials have access to {len(accounts)} accounts:"
                    f" {accounts_text}. Set account_id or CLOUDFLARE_ACCOUNT_ID."
                )
            self._account_id = str(accounts[0]["id"])
        return self._account_id

    def account(self, *parts: str) -> str:
        """Build a path below the account."""
        return join("accounts", self.account_id, *parts)

    def zone_id(self, name: str) -> str | None:
        """Return the id of the zone with exactly this name, or None if the credentials have access to none."""
        name = to_ascii(name.rstrip("."))
        account_filter = {"account.id": self._account_id} if self._account_id else {}
        for spelling in dict.fromkeys((to_unicode(name), name)):  # the API finds international names in Unicode
            if name not in self._zones:
                zones = self.list_all("/zones", name=spelling, per_page=50, **account_filter)
                self._zones.update((name, zone) for zone in zones if to_ascii(zone["name"]) == name)
        return str(self._zones[name]["id"]) if name in self._zones else None

    def zone_id_for_host(self, host: str) -> str | None:
        """Return the id of the most specific zone of a host name, or None if the credentials have access to none."""
        labels = host.lstrip("*.").rstrip(".").split(".")
        candidates = (".".join(labels[first:]) for first in range(len(labels) - 1))
        return next((zone_id for name in candidates if (zone_id := self.zone_id(name))), None)


_clients: dict[tuple[str, str, str], Client] = {}


def get_client(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Client:
    """Return the client for these options. Calls in one process with the same URL, credentials and account share it.

    Raise CloudflareError if the credentials or ``api_url`` are not valid.
    """
    environ = os.environ if environ is None else environ
    credentials = Credentials.resolve(options.get("api_token"), options.get("api_key"), options.get("email"), environ)
    url = resolve_url(options.get("api_url"), environ)
    account_id = options.get("account_id") or first_env(environ, ACCOUNT_VARIABLES) or ""
    key = (url, credentials.digest, account_id)
    if key not in _clients or _clients[key].interruption.reason:  # its threads may still wait for responses
        _clients[key] = Client(credentials, url=url, account_id=account_id)
    return _clients[key]


def close_clients() -> None:
    """Close and drop all clients of this process."""
    while _clients:
        _clients.popitem()[1].close()


os.register_at_fork(after_in_child=_clients.clear)  # a connection cannot be shared with the parent
