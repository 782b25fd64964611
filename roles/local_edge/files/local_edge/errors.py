# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exception for API errors, and the errors that several products share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """An error of the API: an entry of `errors` with its HTTP status."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        chain: Sequence[tuple[int, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.chain, self.headers = chain, dict(headers or {})

    def entry(self) -> dict[str, Any]:
        """Return the error as an entry of `errors` in the envelope."""
        entry: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.chain:
            entry["error_chain"] = [{"code": code, "message": message} for code, message in self.chain]
        return entry


def route_not_found(path: str) -> ApiError:
    return ApiError(
        404,
        7003,
        f"Could not route to {path}, perhaps your object identifier is invalid?",
        chain=[(7000, "No route for that URI")],
    )


def method_not_allowed(method: str) -> ApiError:
    return ApiError(405, 10405, f"{method} method not allowed for this endpoint")


def bad_body(why: str) -> ApiError:
    return ApiError(400, 10026, f"Could not parse request body: {why}")


def bad_parameter(name: str, why: str) -> ApiError:
    return ApiError(400, 10004, f"Malformed URL parameter {name}: {why}")


def unsupported_content(expected: str) -> ApiError:
    return ApiError(400, 10001, f"Unsupported or unexpected Content-Type: this endpoint takes {expected}")


def worker_missing() -> ApiError:
    return ApiError(404, 10007, "This Worker does not exist on your account.")


def namespace_missing() -> ApiError:
    return ApiError(404, 100119, "The specified dispatch namespace does not exist on this account.")


def conflict() -> ApiError:
    """Build the error of a write that conflicts with a concurrent write."""
    return ApiError(409, 10035, "Multiple attempts to modify a resource occurred at the same time. Please retry.")


def invalid(message: str) -> ApiError:
    """Build the validation error of an upload."""
    return ApiError(400, 10021, message)
