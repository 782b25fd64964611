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

    CAN_SPEAK = True
except ImportError:  # reported by the front end, in Ansible's words
    CAN_SPEAK = False

from .budget import Flight, retry_after
from .credentials import Credentials, first_of
from .errors import NO_ENVELOPE, ApiError, CloudflareError, LostAnswer, Unreachable, read_errors
from .pacing import LONGEST_WAIT, Pacer

DEFAULT_URL = "https://api.cloudflare.com/client/v4"
URL_VARIABLES = ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL")
ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID")
REPEATABLE = ("GET", "PUT", "DELETE")  # doing it twice is doing it once; a POST or PATCH is never repeated blindly
ATTEMPTS = 4
BACKOFF = 0.5  # seconds before the second attempt; doubled each time
TIMEOUT = (10, 120)  # seconds to connect, seconds between two bytes of the answer
CONCURRENT_CHANGE = 10035  # refused before anything was done, as 429 is


@dataclass(frozen=True)
class Answer:
    """What came back: C(result) and C(info) of the envelope; C(content) and C(content_type) where the body is none."""

    result: t.Any = None
    info: t.Mapping[str, t.Any] = field(default_factory=dict)
    content: bytes = b""
    content_type: str = ""
    absent: int = 0


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
        pacer: Pacer | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.credentials = credentials
        self.pacer = pacer or Pacer.of(self.url, credentials.digest)
        self._account_id = account_id
        self._ahead = 0.0
        self._idle: list[requests.Session] = []
        self._reading = threading.Lock()
        self._listings: dict[tuple[str, str], list[t.Any]] = {}
        self._zones: dict[str, dict[str, t.Any]] = {}

    # -- one request ---------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, repeatable: bool | None = None, **how: t.Any) -> Answer:
        """Send one request, in as many attempts as are safe. C(how) is what C(requests) takes: C(params), C(json), C(files), ...

        C(repeatable) says of a request whether doing it twice is doing it once, where the method does not tell.

        Raises ApiError when the answer is no, LostAnswer when what happened is unknown, Unreachable when nothing was sent.
        """
        for attempt in range(1, ATTEMPTS + 1):
            flight = self.pacer.take()
            try:
                return self._once(flight, method, path, how)
            except (ApiError, LostAnswer, Unreachable) as error:
                delay = self._delay(method in REPEATABLE if repeatable is None else repeatable, error, attempt)
                if delay is None:
                    raise
                self.pacer.pause(delay)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _delay(self, repeatable: bool, error: CloudflareError, attempt: int) -> float | None:
        """Return how many seconds to wait before the next attempt, or None where there must be none."""
        if attempt == ATTEMPTS:
            return None
        backoff = BACKOFF * 2 ** (attempt - 1) * random.uniform(1, 1.2)
        if isinstance(error, ApiError):
            refused = error.status == 429 or error.code in (971, CONCURRENT_CHANGE)
            return max(error.retry_after, backoff) if refused and error.retry_after <= LONGEST_WAIT else None
        return backoff if isinstance(error, Unreachable) or repeatable else None

    def _once(self, flight: Flight, method: str, path: str, how: t.Mapping[str, t.Any]) -> Answer:
        said: tuple[t.Any, ...] = ()
        try:
            response = self._send(method, path, how)
            said = (response.status_code, response.headers)
        finally:
            self.pacer.land(flight, *said)
        if date := email.utils.parsedate_tz(response.headers.get("Date")):
            self._ahead = email.utils.mktime_tz(date) - time.time()
        return self._read(method, path, response)

    def _send(self, method: str, path: str, how: t.Mapping[str, t.Any]) -> requests.Response:
        where = f"{method} {self.url}{path}"
        try:
            with self._session() as session:
                return session.request(method, self.url + path, **{"timeout": TIMEOUT, "allow_redirects": False, **how})
        except requests.exceptions.ConnectTimeout as error:
            raise Unreachable(
                f"No answer from {self.url} in {TIMEOUT[0]} s: check the network and api_url. [{where}]"
            ) from error
        except requests.exceptions.SSLError as error:
            raise CloudflareError(
                f"No trusted connection to {self.url}: {error}. Check api_url and the CA certificates."
            ) from error
        except requests.exceptions.ConnectionError as error:
            if "refused" in str(error) or "resolve" in str(error):
                raise Unreachable(
                    f"Nothing answers at {self.url}: check api_url (CLOUDFLARE_API_BASE_URL)."
                    f" If it is the local edge, start it with 'make edge' or the role local_edge. [{where}]"
                ) from error
            raise LostAnswer(f"The connection to {self.url} broke before the answer. [{where}]") from error
        except requests.exceptions.Timeout as error:
            raise LostAnswer(f"{self.url} did not answer within {TIMEOUT[1]} s. [{where}]") from error
        except requests.exceptions.RequestException as error:
            raise CloudflareError(f"Not a request that can be sent: {error}. Check api_url. [{where}]") from error

    @contextlib.contextmanager
    def _session(self) -> t.Iterator[requests.Session]:
        """Lend a session that nobody else uses: the one that was used last, whose connection is likely to be open still."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
            session.auth = lambda request: request  # else ~/.netrc would replace our Authorization header
            session.headers.update({**self.credentials.headers, "User-Agent": "tenantry.cloudflare_workers"})
        try:
            yield session
        finally:
            self._idle.append(session)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _read(self, method: str, path: str, response: requests.Response) -> Answer:
        kind, ray = response.headers.get("Content-Type", ""), response.headers.get("CF-Ray", "")
        envelope = json_of(response.content) if "json" in kind else None
        if isinstance(envelope, dict) and "success" in envelope:
            if envelope["success"] and response.ok:
                return Answer(envelope.get("result"), envelope.get("result_info") or {}, response.content, kind)
            code, message = read_errors(envelope)
        elif response.ok and "text/html" not in kind:
            return Answer(envelope, {}, response.content, kind)
        else:
            code, message = NO_ENVELOPE, f"{response.reason or 'an error'}, and no answer of the API: check api_url"
        if response.status_code >= 500:
            raise LostAnswer(
                f"Cloudflare answered {response.status_code}: {message}. Run again. [{method} {path}, ray {ray or 'none'}]"
            )
        raise ApiError(
            method, path, response.status_code, code, message, ray, retry_after=retry_after(response.headers)
        )

    # -- reading -------------------------------------------------------------------------------------------------------

    def look(self, path: str, method: str = "GET", **how: t.Any) -> Answer:
        """Read one object, also by a POST that only asks. Where there is none, C(absent) of the answer is the code that says so."""
        try:
            return self.call(method, path, repeatable=True, **how)
        except ApiError as error:
            if error.absent:
                return Answer(absent=error.code or error.status)
            raise

    def find(self, path: str, **how: t.Any) -> Answer | None:
        """Read one object; None where there is none."""
        answer = self.look(path, **how)
        return None if answer.absent else answer

    def listing(self, path: str, **params: t.Any) -> list[t.Any]:
        """Read a collection to its last page, whichever of Cloudflare's paging styles it has. Remembered until a write.

        Raises ApiError also where the collection's parent does not exist.
        """
        key = (path, repr(sorted(params.items())))
        with self._reading:  # who wants what another thread is reading waits for it
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

    def listed(self, path: str, **params: t.Any) -> list[t.Any] | None:
        """Read a collection as C(listing) does; None where its parent does not exist."""
        try:
            return self.listing(path, **params)
        except ApiError as error:
            if error.absent:
                return None
            raise

    def write(self, method: str, path: str, **how: t.Any) -> Answer:
        """Send a request that changes something, and forget every listing."""
        try:
            # What is gone when it is to be deleted is what was wanted: the first of two attempts may have done it.
            return self.look(path, method, **how) if method == "DELETE" else self.call(method, path, **how)
        finally:
            self.forget()

    def now(self) -> float:
        """Return the time where the API is, in seconds since 1970: this machine's clock may be wrong."""
        return time.time() + self._ahead

    def forget(self) -> None:
        """Forget what was listed, so that the next look is a real one."""
        self._listings = {}

    # -- where things live ---------------------------------------------------------------------------------------------

    @property
    def account_id(self) -> str:
        """The account that was given, else the only one that these credentials see."""
        if not self._account_id:
            accounts = self.listing("/accounts", per_page=50)
            if len(accounts) != 1:
                seen = (
                    ", ".join(f"{account['id']} ({account.get('name', 'no name')})" for account in accounts) or "none"
                )
                raise CloudflareError(
                    f"account_id is needed: the credentials see {len(accounts)} accounts: {seen}. Set account_id or CLOUDFLARE_ACCOUNT_ID."
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
            found = [zone for zone in self.listing("/zones", name=name, per_page=50, **mine) if zone["name"] == name]
            if not found:
                return None
            self._zones[name] = found[0]
        return str(self._zones[name]["id"])

    def zone_of(self, host: str) -> str | None:
        """Return the id of the zone with the longest name that C(host) ends in; None where there is none."""
        labels = host.lstrip("*.").rstrip(".").split(".")
        candidates = (".".join(labels[first:]) for first in range(len(labels) - 1))
        return next((zone_id for name in candidates if (zone_id := self.zone_id(name))), None)


_clients: dict[tuple[str, str, str], Client] = {}


def connect(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Client:
    """Return this process's client for these options: the same one for the same URL, credentials and account."""
    environ = os.environ if environ is None else environ
    credentials = Credentials.resolve(options.get("api_token"), options.get("api_key"), options.get("email"), environ)
    url = options.get("api_url") or first_of(environ, URL_VARIABLES) or DEFAULT_URL
    if not re.match(r"https?://[^/]", url):
        raise CloudflareError(
            f"api_url is {url!r}: it must begin with https:// (or http:// for a local edge) and end in /client/v4."
        )
    account_id = options.get("account_id") or first_of(environ, ACCOUNT_VARIABLES) or ""
    key = (url, credentials.digest, account_id)
    if key not in _clients:
        _clients[key] = Client(credentials, url=url, account_id=account_id)
    return _clients[key]


def disconnect() -> None:
    """Forget every client of this process, and close its connections."""
    while _clients:
        _clients.popitem()[1].close()


os.register_at_fork(after_in_child=_clients.clear)  # a connection cannot be shared with the parent


def json_of(content: bytes) -> t.Any:
    """Return what JSON says; None where it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _next_page(answer: Answer) -> dict[str, t.Any] | None:
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
