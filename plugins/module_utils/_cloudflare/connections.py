# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP connections: a pool of sessions, and requests whose response is read as a whole."""

from __future__ import annotations

import contextlib
import typing as t

try:
    import requests

    HAS_REQUESTS = True
except ImportError:  # the front end reports it
    HAS_REQUESTS = False

from . import network_errors
from .api_url import proxies
from .network_errors import TIMEOUT


class Connections:
    """Sessions with the same headers. Threads may share them: each request in flight has its own."""

    def __init__(self, headers: t.Mapping[str, str]) -> None:
        self._headers = headers
        self._idle: list[requests.Session] = []

    def send(self, method: str, url: str, path: str, request_kwargs: t.Mapping[str, t.Any]) -> requests.Response:
        """Send one request to a path of the API at ``url``, and read the response. It is not followed elsewhere.

        Raise AmbiguousResult if the request may have had an effect, and ConnectError if it was not sent.
        """
        defaults = {"timeout": TIMEOUT, "allow_redirects": False, "stream": True, "proxies": proxies(url)}
        kwargs = {**defaults, **request_kwargs}
        request = f"[{method} {url}{path}]"
        # Errors are not chained: the text of one may contain the credentials of a proxy.
        with self.session() as session:
            try:
                response = session.request(method, url + path, **kwargs)
            except network_errors.ERRORS as error:
                raise network_errors.explain(error, url, request) from None
            try:
                network_errors.read_body(response)
            except network_errors.ERRORS as error:
                raise network_errors.explain_body(error, url, request) from None
        return response

    @contextlib.contextmanager
    def session(self) -> t.Iterator[requests.Session]:
        """Take a session from the pool: the latest one returned, whose connection is the most likely to be open."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = requests.Session()
            session.auth = lambda request: request  # otherwise ~/.netrc would replace the Authorization header
            # Otherwise requests would parse the target of a redirect, though it does not follow it.
            session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
            session.headers.update({**self._headers, "User-Agent": "tenantry.cloudflare_workers"})
        try:
            yield session
        finally:
            self._idle.append(session)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
