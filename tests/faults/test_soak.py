# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few steps of C(make soak). Their number is fixed, so a slow machine takes longer and does not fail."""

from __future__ import annotations

import pathlib

from soak import NAMESPACE, start_soak

STEPS = 12


def test_platform_under_rate_limit_stays_as_declared(tmp_path: pathlib.Path) -> None:
    soak = start_soak(tmp_path, tenants=40, quota="90/20")
    try:
        report = soak.run(lambda report: sum(report.steps.values()) <= STEPS)
        assert not report.wrong, report.wrong
        assert sum(report.steps.values()) == STEPS + 1
        # The checks notice a tenant that is not as declared.
        soak.edge.call("DELETE", f"/workers/dispatch/namespaces/{NAMESPACE}/scripts/{min(soak.declared)}")
        soak.visit(min(soak.declared))
        assert len(report.wrong) == 1
    finally:
        soak.edge.stop()
