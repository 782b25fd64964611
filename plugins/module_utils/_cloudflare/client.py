# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to speak to the Cloudflare v4 API: envelope, paging, retries, account and zone lookup.

Nothing here knows a resource, or Ansible.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import random
import re
import threading
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote

try:
    import requests

    HAS_REQUESTS = True
except ImportError:  # reported by the front end, in Ansible's words
    HAS_REQUESTS = False

from .credentials import Credentials, first_env
from .errors import NOT_AN_API_RESPONSE, AmbiguousResult, ApiError, CloudflareError, ConnectError, parse_errors
from .rate_limit_state import InFlightRequest, retry_after
from .rate_limiter import MAX_WAIT, RateLimiter

DEFAULT_URL = "https://api.cloudflare.com/client/v4"
URL_VARIABLES = ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL")
ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID")
IDEMPOTENT_METHODS = (
    "GET",
    "PUT",
    "DELETE",
)  # doing it twice is doing it once; a POST or PATCH is never repeated blindly
ATTEMPTS = 4
BACKOFF = 0.5  # seconds before the second attempt; doubled each time
TIMEOUT = (10, 120)  # seconds to connect, seconds between two bytes of the answer
CODE_CONFLICT = 10035  # refused before anything was done, as 429 is


@dataclass(frozen=True)
class ApiResponse:
    """What came back: C(result) and C(info) of the envelope; C(content) and C(content_type) where the body is none."""

    result: t.Any = None
    info: t.Mapping[str, t.Any] = field(default_factory=dict)
    content: bytes = b""
    content_type: str = ""
    not_found_code: int = 0


def join(*parts: str) -> str:
    """Build a path of the API from its parts, each quoted whole: a key may hold a slash, a name anything.

    What would turn the path into that of something else is refused: the parent of a thing holds all others.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise CloudflareError(f"{part!r} cannot be a name: no request can ask for it alone.")
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Client:
    """How one set of credentials speaks to the API. Threads may share it: each request in flight has a connection to itself.

    Listings and lookups are remembered until the next write of this process: items of a loop share them.
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
        self.rate_limiter = rate_limiter or RateLimiter.for_credentials(self.url, credentials.digest)
        self._account_id = account_id
        self._clock_skew = 0.0
        self._session_pool: list[requests.Session] = []
        self._list_lock = threading.Lock()
        self._listings: dict[tuple[str, str], list[t.Any]] = {}
        self._zones: dict[str, dict[str, t.Any]] = {}

    # -- one request ---------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, idempotent: bool | None = None, **request_kwargs: t.Any) -> ApiResponse:
        """Send one request, in as many attempts as are safe. C(how) is what C(requests) takes: C(params), C(json), C(files), ...

        C(idempotent) says of a request whether doing it twice is doing it once, where the method does not tell.

        Raises ApiError when the answer is no, LostAnswer when what happened is unknown, Unreachable when nothing was sent.
        """
        for attempt in range(1, ATTEMPTS + 1):
            in_flight = self.rate_limiter.acquire()
            try:
                return self._send_once(in_flight, method, path, request_kwargs)
            except (ApiError, AmbiguousResult, ConnectError) as error:
                delay = self._delay(method in IDEMPOTENT_METHODS if idempotent is None else idempotent, error, attempt)
                if delay is None:
                    raise
                self.rate_limiter.sleep(delay)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _delay(self, idempotent: bool, error: CloudflareError, attempt: int) -> float | None:
        """Return how many seconds to wait before the next attempt, or None where there must be none."""
        if attempt == ATTEMPTS:
            return None
        backoff = BACKOFF * 2 ** (attempt - 1) * random.uniform(1, 1.2)
        if isinstance(error, ApiError):
            refused = error.status == 429 or error.code in (971, CODE_CONFLICT)
            return max(error.retry_after, backoff) if refused and error.retry_after <= MAX_WAIT else None
        return backoff if isinstance(error, ConnectError) or idempotent else None

    def _send_once(
        self, in_flight: InFlightRequest, method: str, path: str, request_kwargs: t.Mapping[str, t.Any]
    ) -> ApiResponse:
        outcome: tuple[t.Any, ...] = ()
        try:
            response = self._send(method, path, request_kwargs)
            outcome = (response.status_code, response.headers)
        finally:
            self.rate_limiter.release(in_flight, *outcome)
        if date := email.utils.parsedate_tz(response.headers.get("Date")):
            self._clock_skew = email.utils.mktime_tz(date) - time.time()
        return self._read(method, path, response)

    def _send(self, method: str, path: str, request_kwargs: t.Mapping[str, t.Any]) -> requests.Response:
        where = f"{method} {self.url}{path}"
        try:
            with self._session() as session:
                return session.request(
                    method, self.url + path, **{"timeout": TIMEOUT, "allow_redirects": False, **request_kwargs}
                )
        except requests.exceptions.ConnectTimeout as error:
            raise ConnectError(
                f"No answer from {self.url} in {TIMEOUT[0]} s: check the network and api_url. [{where}]"
            ) from error
        except requests.exceptions.SSLError as error:
            raise CloudflareError(
                f"No trusted connection to {self.url}: {error}. Check api_url and the CA certificates."
            ) from error
        except requests.exceptions.ConnectionError as error:
            if "refused" in str(error) or "resolve" in str(error):
                raise ConnectError(
                    f"Nothing answers at {self.url}: check api_url (CLOUDFLARE_API_BASE_URL)."
                    f" If it is the local edge, start it with 'make edge' or the role local_edge. [{where}]"
                ) from error
            raise AmbiguousResult(f"The connection to {self.url} broke before the answer. [{where}]") from error
        except requests.exceptions.Timeout as error:
            raise AmbiguousResult(f"{self.url} did not answer within {TIMEOUT[1]} s. [{where}]") from error
        except requests.exceptions.RequestException as error:
            raise CloudflareError(f"Not a request that can be sent: {error}. Check api_url. [{where}]") from error

    @contextlib.contextmanager
    def _session(self) -> t.Iterator[requests.Session]:
        """Lend a session that nobody else uses: the one that was used last, whose connection is likely to be open still."""
        try:
            session = self._session_pool.pop()
        except IndexError:
            session = requests.Session()
            session.auth = lambda request: request  # else ~/.netrc would replace our Authorization header
            session.headers.update({**self.credentials.headers, "User-Agent": "tenantry.cloudflare_workers"})
        try:
            yield session
        finally:
            self._session_pool.append(session)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._session_pool:
            self._session_pool.pop().close()

    def _read(self, method: str, path: str, response: requests.Response) -> ApiResponse:
        kind, ray_id = response.headers.get("Content-Type", ""), response.headers.get("CF-Ray", "")
        envelope = parse_json(response.content) if "json" in kind else None
        if isinstance(envelope, dict) and "success" in envelope:
            if envelope["success"] and response.ok:
                return ApiResponse(envelope.get("result"), envelope.get("result_info") or {}, response.content, kind)
            code, message = parse_errors(envelope)
        elif response.ok and "text/html" not in kind:
            return ApiResponse(envelope, {}, response.content, kind)
        else:
            code, message = (
                NOT_AN_API_RESPONSE,
                f"{response.reason or 'an error'}, and no answer of the API: check api_url",
            )
        if response.status_code >= 500:
            raise AmbiguousResult(
                f"Cloudflare answered {response.status_code}: {message}. Run again. [{method} {path}, ray {ray_id or 'none'}]"
            )
        raise ApiError(
            method, path, response.status_code, code, message, ray_id, retry_after=retry_after(response.headers)
        )

    # -- reading -------------------------------------------------------------------------------------------------------

    def get_or_not_found(self, path: str, method: str = "GET", **request_kwargs: t.Any) -> ApiResponse:
        """Read one object, also by a POST that only asks. Where there is none, C(absent) of the answer is the code that says so."""
        try:
            return self.call(method, path, idempotent=True, **request_kwargs)
        except ApiError as error:
            if error.is_not_found:
                return ApiResponse(not_found_code=error.code or error.status)
            raise

    def get_or_none(self, path: str, **request_kwargs: t.Any) -> ApiResponse | None:
        """Read one object; None where there is none."""
        answer = self.get_or_not_found(path, **request_kwargs)
        return None if answer.not_found_code else answer

    def list_all(self, path: str, **params: t.Any) -> list[t.Any]:
        """Read a collection to its last page, whichever of Cloudflare's paging styles it has. Remembered until a write.

        Raises ApiError also where the collection's parent does not exist.
        """
        key = (path, repr(sorted(params.items())))
        with self._list_lock:  # who wants what another thread is reading waits for it
            listings = self._listings  # those of now: what a write overtakes is not remembered
            if key not in listings:
                listings[key] = self._pages(path, params)
            return listings[key]

    def _pages(self, path: str, params: t.Mapping[str, t.Any]) -> list[t.Any]:
        items: list[t.Any] = []
        more: dict[str, t.Any] | None = {}
        while more is not None:
            answer = self.call("GET", path, params={**params, **more})
            items += answer.result or []
            more = _next_page(answer)
        return items

    def list_or_none(self, path: str, **params: t.Any) -> list[t.Any] | None:
        """Read a collection as C(listing) does; None where its parent does not exist."""
        try:
            return self.list_all(path, **params)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    def write(self, method: str, path: str, **request_kwargs: t.Any) -> ApiResponse:
        """Send a request that changes something, and forget every listing."""
        try:
            # What is gone when it is to be deleted is what was wanted: the first of two attempts may have done it.
            return (
                self.get_or_not_found(path, method, **request_kwargs)
                if method == "DELETE"
                else self.call(method, path, **request_kwargs)
            )
        finally:
            self.invalidate()

    def server_time(self) -> float:
        """Return the time where the API is, in seconds since 1970: this machine's clock may be wrong."""
        return time.time() + self._clock_skew

    def invalidate(self) -> None:
        """Forget what was listed, so that the next look is a real one."""
        self._listings = {}

    # -- where things live ---------------------------------------------------------------------------------------------

    @property
    def account_id(self) -> str:
        """The account that was given, else the only one that these credentials see."""
        if not self._account_id:
            accounts = self.list_all("/accounts", per_page=50)
            if len(accounts) != 1:
                accounts_text = (
                    ", ".join(f"{account['id']} ({account.get('name', 'no name')})" for account in accounts) or "none"
                )
                raise CloudflareError(
                    f"account_id is needed: the credentials see {len(accounts)} accounts: {accounts_text}. Set account_id or CLOUDFLARE_ACCOUNT_ID."
                )
            self._account_id = str(accounts[0]["id"])
        return self._account_id

    def account(self, *parts: str) -> str:
        """Build a path below the account."""
        return join("accounts", self.account_id, *parts)

    def zone_id(self, name: str) -> str | None:
        """Return the id of the zone that has this very name; None where these credentials see none."""
        name = name.lower().rstrip(".")
        if name not in self._zones:
            mine = {"account.id": self._account_id} if self._account_id else {}
            found = [zone for zone in self.list_all("/zones", name=name, per_page=50, **mine) if zone["name"] == name]
            if not found:
                return None
            self._zones[name] = found[0]
        return str(self._zones[name]["id"])

    def zone_id_for_host(self, host: str) -> str | None:
        """Return the id of the zone with the longest name that C(host) ends in; None where there is none."""
        labels = host.lstrip("*.").rstrip(".").split(".")
        candidates = (".".join(labels[first:]) for first in range(len(labels) - 1))
        return next((zone_id for name in candidates if (zone_id := self.zone_id(name))), None)


_clients: dict[tuple[str, str, str], Client] = {}


def get_client(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Client:
    """Return this process's client for these options: the same one for the same URL, credentials and account."""
    environ = os.environ if environ is None else environ
    credentials = Credentials.resolve(options.get("api_token"), options.get("api_key"), options.get("email"), environ)
    url = options.get("api_url") or first_env(environ, URL_VARIABLES) or DEFAULT_URL
    if not re.match(r"https?://[^/]", url):
        raise CloudflareError(
            f"api_url is {url!r}: it must begin with https:// (or http:// for a local edge) and end in /client/v4."
        )
    account_id = options.get("account_id") or first_env(environ, ACCOUNT_VARIABLES) or ""
    key = (url, credentials.digest, account_id)
    if key not in _clients:
        _clients[key] = Client(credentials, url=url, account_id=account_id)
    return _clients[key]


def close_clients() -> None:
    """Forget every client of this process, and close its connections."""
    while _clients:
        _clients.popitem()[1].close()


os.register_at_fork(after_in_child=_clients.clear)  # a connection cannot be shared with the parent


def parse_json(content: bytes) -> t.Any:
    """Return what JSON says; None where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _next_page(answer: ApiResponse) -> dict[str, t.Any] | None:
    info = answer.info
    if info.get("cursor"):
        return {"cursor": info["cursor"]}
    # D1 says how many there are, and not how many pages they fill.
    pages = info.get("total_pages") or (
        -(-int(info.get("total_count") or 0) // int(info["per_page"])) if info.get("per_page") else 1
    )
    if answer.result and int(info.get("page") or 1) < int(pages):
        return {"page": int(info["page"]) + 1}
    return None
