"""Generate the table of content types from the npm package that wrangler bundles: media_types.py FOLDER > TABLE

FOLDER is the unpacked package, as ``npm pack mime@4.0.7`` and ``tar -xf`` leave it. TABLE is
plugins/module_utils/_worker/media_types.py. The version is named in wrangler-dist/cli.js of the npm package wrangler.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import textwrap

HEADER = '''# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content types by file extension, those of the npm package mime {version}, which wrangler uses.

tests/tools/media_types.py generates this file.
"""

from __future__ import annotations

import typing as t

# Per type of media: its subtypes, each with its extensions.
SUBTYPES: t.Mapping[str, str] = {{
'''
FOOTER = """}

#: The content type of each extension.
MEDIA_TYPES: t.Mapping[str, str] = {
    extension: f"{media}/{subtype}"
    for media, subtypes in SUBTYPES.items()
    for subtype, _separator, extensions in (entry.partition(":") for entry in subtypes.split())
    for extension in extensions.split(",")
}
"""
ENTRY = re.compile(r"'([^'/]+)/([^']+)': \[([^\]]*)\]")

package = pathlib.Path(sys.argv[1])
subtypes: dict[str, list[str]] = {}
for table in ("standard", "other"):
    for media, subtype, listed in ENTRY.findall((package / f"dist/types/{table}.js").read_text()):
        # A star marks an extension whose content type is another one.
        extensions = [name for name in re.findall(r"'([^']+)'", listed) if not name.startswith("*")]
        if extensions:
            subtypes.setdefault(media, []).append(f"{subtype}:{','.join(extensions)}".lower())
print(HEADER.format(version=json.loads((package / "package.json").read_text())["version"]), end="")
for media, entries in sorted(subtypes.items()):
    indented = textwrap.indent(
        textwrap.fill(" ".join(sorted(entries)), 112, break_long_words=False, break_on_hyphens=False), " " * 8
    )
    print(f'    "{media}": """\n{indented}\n    """,')
print(FOOTER, end="")
