# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content types of static assets, the same on every machine as those of wrangler.

Cloudflare stores the type with a file when it is uploaded. Earlier versions of this collection took the types from
Python's C(mimetypes), so files of some extensions must be uploaded again, and all others must not.
"""

from __future__ import annotations

import os
import re

from .media_types import MEDIA_TYPES

NO_CONTENT_TYPE = "application/null"  # served without a content type

# Frozen: the extensions for which earlier versions sent the type in MEDIA_TYPES, with every version of Python.
SAME_TYPE = """
    aac adts ai aif aifc aiff au avif bcpio bin cdf cpio csh css csv dll doc dot dvi eml eps etx exe gif gtar gz
    hdf heic heif htm html ief jpe jpeg jpg js json latex m1v m3u8 map md mht mhtml mjs mov movie mp2 mp3 mp4 mpe
    mpeg mpg nc oda otf p12 p7c pbm pdf pfx pgm png pnm pot ppm pps ppt ps qt ra ras rgb rtx sh shar snd so src
    sv4cpio sv4crc svg swf tar tcl tex texi texinfo tif tiff tsv ttf txt ustar vcf wasm webm webmanifest webp woff
    woff2 xbm xls xpm xsl xwd yaml yml zip
"""
# Frozen: extensions that have no type any more, and had one with some version of Python.
NO_TYPE_NOW = "3gpp2 a ass h5 ksh loas mpa nws o ppa pwz py pyc rst wiz xlb xpdl"
UNCHANGED, DROPPED = frozenset(SAME_TYPE.split()), frozenset(NO_TYPE_NOW.split())


def content_type(name: str) -> str:
    """Return the content type of a file, C(application/null) for a file that is served without one."""
    last = re.split(r"[/\\]", name)[-1].lower()
    extension = last.rpartition(".")[2]
    # A name that only begins with a dot has no extension.
    found = MEDIA_TYPES.get(extension) if len(extension) < len(last) - 1 else None
    if found is None:
        return NO_CONTENT_TYPE
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def earlier_extension(name: str) -> str:
    """Return the extension of a file as earlier versions determined it, in lower case and with its dot."""
    return os.path.splitext(name)[1].lower()


def has_earlier_type(name: str) -> bool:
    """Whether earlier versions sent the same content type for a file."""
    extension, kind = earlier_extension(name).removeprefix("."), content_type(name)
    if kind == NO_CONTENT_TYPE:
        return extension not in UNCHANGED and extension not in DROPPED
    return extension in UNCHANGED
