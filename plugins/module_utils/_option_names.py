# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of a role's variables in messages, instead of the options of the module that the role runs."""

from __future__ import annotations

import re
import typing as t

OPTION_NAMES = "_option_names"  # the internal argument: name of the variable by option
OPTION_NAMES_VARIABLE = "tenantry_option_names"  # the variable of a role's task that holds them


def rename_options(message: str, names: t.Mapping[str, str]) -> str:
    """Replace the names of options in a message by ``names``.

    A name of one word is also an ordinary word. It is replaced where it begins a sentence or is set: ``prune: ...``.
    """
    compound = [re.escape(name) for name in names if "_" in name]
    single = [re.escape(name) for name in names if "_" not in name]
    patterns = [
        *([rf"(?<![\w.\[{{/'-])(?:{'|'.join(compound)})(?![\w/'-])"] if compound else []),
        *([rf"(?:^|(?<=[.:] )|(?<=[Ss]et ))(?:{'|'.join(single)})(?=: )"] if single else []),
    ]
    return re.sub("|".join(patterns), lambda match: names[match[0]], message) if patterns else message
