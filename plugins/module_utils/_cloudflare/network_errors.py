# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a request got no response: the server, a proxy of the environment, or the CA certificates of the environment."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

with contextlib.suppress(ImportError):  # the front end reports it
    import requests
    import urllib3

from .api_url import proxies
from .errors import AmbiguousResult, CloudflareError, ConnectError, SettingsError

# All errors of requests are OSErrors. Some of urllib3 pass through it.
ERRORS = (OSError, ValueError, *([urllib3.exceptions.HTTPError] if "urllib3" in globals() else []))
TIMEOUT = (10, 120)  # seconds to connect, seconds between two bytes of the response
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # those that requests reads, the first one first
UNUSED_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # those of OpenSSL, which requests does not read
PROXY_URL = re.compile(r"(?s)(?:(.*)://)?(?:(.*)@)?(.*)")  # scheme, credentials, host; matches any text
PROXY_REFUSAL = re.compile(r"Tunnel connection failed: (\d+[^'\")]*)")
PROXY_REMEDIES = {  # by status
    "403": "Have the proxy allow this host",
    "407": "Set its user and password in the variable, as in http://user:password@host:port",
}
BROKEN_TLS = re.compile("EOF|BAD_RECORD_MAC|DECRYPTION_FAILED|RECORD_LAYER_FAILURE")  # after the connection was made
PROXY_CLOSED = "it closed the connection"
PROXY_PROBLEMS = {  # a part of the error's text, and the problem
    "refused": "nothing accepts connections at this address",
    "resolve": "its host name has no address",
    "only use HTTP": "it accepts no TLS, so its URL must begin with http://",
    "timed out": f"no connection within {TIMEOUT[0]} s",
}


@dataclass(frozen=True)
class Proxy:
    """A proxy of the environment. ``address`` is without credentials."""

    variable: str
    address: str
    has_credentials: bool

    @classmethod
    def for_url(cls, url: str) -> Proxy | None:
        """Return the proxy for requests to this URL, or None if they are sent directly."""
        value = requests.utils.select_proxy(
            url, requests.utils.get_environ_proxies(url, no_proxy=proxies(url).get("no_proxy"))
        )
        if not value:
            return None
        variables = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
        names = [name for name in os.environ if name.lower() in variables and os.environ[name] == value]
        scheme, credentials, host = t.cast("re.Match[str]", PROXY_URL.fullmatch(value)).groups()
        return cls(names[0] if names else "the system's settings", f"{scheme or 'http'}://{host}", bool(credentials))

    def __str__(self) -> str:
        return f"the proxy {self.address} ({self.variable})"

    def refusal(self, url: str, answer: str) -> ConnectError:
        """Return the error for a response of the proxy itself, such as ``407 Proxy Authentication Required``."""
        remedy = PROXY_REMEDIES.get(answer[:3], "Check the proxy")
        kind = ConnectError if answer.startswith("5") else SettingsError  # a retry may help
        return kind(f"{self.variable}: {self} answered {answer}. {remedy}, or {self._bypass(url)}.")

    def failure(self, url: str, error: Exception) -> ConnectError:
        """Return the error for a proxy that was not reached, or that did not open a connection to the server."""
        text = str(error)
        if refused := PROXY_REFUSAL.search(text):
            return self.refusal(url, refused[1].strip())
        problem = next((problem for part, problem in PROXY_PROBLEMS.items() if part in text), PROXY_CLOSED)
        return ConnectError(
            f"{self.variable}: no connection through {self}: {problem}. Correct the variable, or {self._bypass(url)}."
        )

    def _bypass(self, url: str) -> str:
        return f"add {urlsplit(url).hostname} to NO_PROXY"


def read_body(response: requests.Response) -> None:
    """Read the whole body. Raise one of ``ERRORS`` if it is incomplete or cannot be decoded."""
    size = len(response.content)
    # urllib3 1 does not check the length.
    if missing := getattr(response.raw, "length_remaining", None):
        raise requests.exceptions.ChunkedEncodingError(f"{missing} bytes are missing after {size}")


def explain_body(error: Exception, url: str, request: str) -> AmbiguousResult:
    """Return the error for a response without its whole body."""
    if isinstance(error, requests.exceptions.ContentDecodingError):
        problem = "cannot be decoded"
    elif "timed out" in str(error):
        problem = f"stopped for {TIMEOUT[1]} s"
    else:
        problem = "ended before its end"
    return AmbiguousResult(f"The response of {url}{_via(Proxy.for_url(url))} {problem}. Run again. {request}")


def _via(proxy: Proxy | None) -> str:
    return f" through {proxy}" if proxy else ""


def explain(error: Exception, url: str, request: str) -> CloudflareError:
    """Return the error for a request to the API at ``url`` that got no response. ``request`` is its text in messages.

    The text of ``error`` may contain the credentials of a proxy.
    """
    proxy = Proxy.for_url(url)
    via = _via(proxy)
    match error:
        case requests.exceptions.ProxyError() if proxy:
            return proxy.failure(url, error)
        case requests.exceptions.ConnectTimeout():
            return proxy.failure(url, error) if proxy else _timeout(url, request)
        case requests.exceptions.SSLError() if not BROKEN_TLS.search(str(error)):
            return _untrusted(error, url, via)
        case requests.exceptions.ConnectionError() if not proxy and re.search("refused|resolve", str(error)):
            return ConnectError(
                f"No server responds at {url}. Check api_url (CLOUDFLARE_API_BASE_URL)."
                f" If it is the local edge, start it with 'make edge' or the role local_edge. {request}"
            )
        case requests.exceptions.ConnectionError():
            return AmbiguousResult(f"The connection to {url}{via} was closed before the response. Run again. {request}")
        case requests.exceptions.Timeout():
            return AmbiguousResult(f"{url} did not respond{via} within {TIMEOUT[1]} s. Run again. {request}")
        case urllib3.exceptions.HTTPError():
            return explain_body(error, url, request)
        case requests.exceptions.InvalidHeader() if isinstance(error.args[0], urllib3.exceptions.HTTPError):
            return explain_body(error, url, request)
        case requests.exceptions.RequestException():
            reason = type(error).__name__ if proxy and proxy.has_credentials else error
            return SettingsError(
                f"The request cannot be sent: {reason}. Check api_url{f' and {proxy}' if proxy else ''}."
            )
    return _unusable_certificates(error) or SettingsError(f"The request cannot be sent: {error}. {request}")


def _timeout(url: str, request: str) -> ConnectError:
    return ConnectError(f"No connection to {url} within {TIMEOUT[0]} s. Check the network and api_url. {request}")


def _ca_bundle() -> tuple[str, str]:
    """Return the variable that names the CA certificates, and its value; empty without one."""
    return next(((name, os.environ[name]) for name in CA_VARIABLES if os.environ.get(name)), ("", ""))


def _unusable_certificates(error: Exception) -> SettingsError | None:
    """Return the error for CA certificates that do not exist. None if ``error`` has another cause."""
    variable, path = _ca_bundle()
    if not variable or path not in str(error):
        return None
    return SettingsError(
        f"{variable}: {path} does not exist. Correct the path, or remove the variable to trust the CA certificates of"
        " the Python package certifi."
    )


def _untrusted(error: OSError, url: str, via: str) -> SettingsError:
    variable, path = _ca_bundle()
    source = f"in {path} ({variable})" if variable else "of the Python package certifi"
    remedy = "Check api_url and these certificates"
    if not variable:
        remedy = f"Check api_url. If a proxy inspects TLS, set {CA_VARIABLES[0]} to a file with its CA certificate"
    if unused := [name for name in UNUSED_CA_VARIABLES if os.environ.get(name) and not variable]:
        remedy += f"; the variable {unused[0]} has no effect on the modules"
    cause = re.sub(r"^.*\(Caused by (.*)\)$", r"\1", str(error))
    return SettingsError(f"No trusted connection to {url}{via}, by the CA certificates {source}: {cause}. {remedy}.")


def not_an_api_response(url: str) -> str:
    """Return the remedy for a response that is not one of the API."""
    proxy = Proxy.for_url(url)
    return f"not an API response; check api_url{f' and {proxy}' if proxy else ''}"


def check_not_from_proxy(response: t.Any, url: str) -> None:
    """Raise SettingsError if a proxy requires credentials. The API never answers with status 407."""
    proxy = Proxy.for_url(url) if response.status_code == 407 else None
    if proxy:
        raise proxy.refusal(url, f"407 {response.reason}")
