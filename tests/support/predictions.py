# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare predictions with results."""

from __future__ import annotations

import re
import typing as t

UNKNOWN = "(known after apply)"


def matches_prediction(predicted: t.Any, real: t.Any) -> bool:
    """Compare a prediction with the actual result. "(known after apply)" matches any text."""
    match predicted, real:
        case dict(), dict():
            return predicted.keys() == real.keys() and all(
                matches_prediction(predicted[key], real[key]) for key in predicted
            )
        case list(), list():
            return len(predicted) == len(real) and all(map(matches_prediction, predicted, real))
        case str(), _ if predicted == UNKNOWN:
            return True
        case str(), str():
            return bool(re.fullmatch(re.escape(predicted).replace(re.escape(UNKNOWN), "[^/]+"), real))
    return bool(predicted == real)
