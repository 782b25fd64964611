# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of all tests."""

from __future__ import annotations

import signal
import typing as t

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background processes of a shell
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def rate_limit_state(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[None]:
    """Keep the rate limit state of the tests apart from the user's own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        yield
