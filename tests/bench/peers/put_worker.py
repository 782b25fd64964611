# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A typical handwritten module for one Worker in a dispatch namespace: read, compare, upload."""

from __future__ import annotations

import json
import os
from pathlib import Path

import requests
from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Read the settings, and upload the Worker if its bindings differ."""
    module = AnsibleModule(
        {
            "scripts": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "path": {"type": "path"},
            "metadata": {"type": "dict"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        }
    )
    url = f"{module.params['scripts']}/{module.params['name']}"
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {os.environ['CLOUDFLARE_API_TOKEN']}"
    found = session.get(f"{url}/settings", timeout=60)
    if module.params["state"] == "absent":
        if found.ok:
            session.delete(url, timeout=60).raise_for_status()
        module.exit_json(changed=found.ok)
    metadata = module.params["metadata"]
    if found.ok and found.json()["result"]["bindings"] == metadata["bindings"]:
        module.exit_json(changed=False)
    code = Path(module.params["path"]).read_text()
    parts = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "index.js": ("index.js", code, "application/javascript+module"),
    }
    session.put(url, files=parts, timeout=60).raise_for_status()
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
