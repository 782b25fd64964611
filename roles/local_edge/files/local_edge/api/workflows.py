# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workflows, which the local edge does not run: there are none, and each request for one returns the reason."""

from __future__ import annotations

from local_edge.api.request import ApiRequest, ApiResponse
from local_edge.runtime.definition import unsupported_binding


async def list_workflows(_request: ApiRequest) -> ApiResponse:
    return ApiResponse([])


async def refuse(request: ApiRequest) -> ApiResponse:
    """Refuse with the error of an upload with a binding to the workflow."""
    raise unsupported_binding(f"workflow {request.params['workflow'].partition('/')[0]}", "workflow")
