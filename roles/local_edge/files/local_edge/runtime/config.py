# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What workerd is told: two configurations, written beside their JavaScript into a private folder."""
from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SCRIPTS = Path(__file__).parent / "js"
FLAGS = ("experimental",)
DATE = "2026-11-01"

TEMPLATE = """using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
{services}
  ],
  sockets = [
{sockets}
  ],
);

const main :Workerd.Worker = (
  modules = [
{modules}
  ],
  compatibilityDate = "{date}",
  compatibilityFlags = [{flags}],
  bindings = [
{bindings}
  ],
{rest}
);
"""


@dataclass(frozen=True)
class Surroundings:
    """What differs from one run to the next."""

    folder: Path
    control: Path
    api: str
    egress: str
    max_isolates: int


def quoted(text: str) -> str:
    """A Cap'n Proto string; JSON's escapes are a part of its."""
    return json.dumps(text)


def render(main: str, modules: tuple[str, ...], services: list[str], sockets: list[str], bindings: list[str], rest: str = "") -> str:
    """One configuration; the main module comes first."""
    entries = [f'(name = "{name}", esModule = embed "{name}")' for name in (main, *modules)]
    entries.append('(name = "shim.txt", text = embed "shim.js")')

    def block(lines: list[str]) -> str:
        return "\n".join(f"    {line}," for line in lines)
    return TEMPLATE.format(services=block(services), sockets=block(sockets), modules=block(entries), bindings=block(bindings),
                           date=DATE, flags=", ".join(quoted(flag) for flag in FLAGS), rest=rest)


def edge(around: Surroundings) -> str:
    """The edge: its way to the control plane is a socket in a folder of ours; its way out is public addresses or none, and always the API,
    which is what Workers reach under the name of Cloudflare's."""
    services = [f'(name = "control", external = (address = {quoted(f"unix:{around.control}")}, http = ()))',
                f'(name = "cloudflare", external = (address = {quoted(urlsplit(around.api).netloc)}, http = ()))',
                '(name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true)))']
    sockets = ['(name = "http", http = (), service = "main")',
               '(name = "admin", http = (), service = (name = "main", entrypoint = "Admin"))']
    bindings = ['(name = "LOADER", workerLoader = ())', '(name = "CONTROL", service = "control")',
                '(name = "CLOUDFLARE", service = "cloudflare")',
                f'(name = "API", text = {quoted(around.api)})', f'(name = "EGRESS", text = {quoted(around.egress)})',
                f'(name = "MAX_ISOLATES", json = "{around.max_isolates}")']
    return render("edge.js", ("tenants.js", "assets.js", "rules.js", "routes.js", "pages.js", "kv.js", "worker.js"), services, sockets, bindings)


def validator() -> str:
    services = ['(name = "nowhere", network = (allow = []))']
    sockets = ['(name = "http", http = (), service = "main")']
    return render("validator.js", ("worker.js",), services, sockets, ['(name = "LOADER", workerLoader = ())'],
                  rest='  globalOutbound = "nowhere",')


def write(around: Surroundings) -> dict[str, Path]:
    """Write everything; the paths of the configurations by the name of the child that takes it."""
    for script in SCRIPTS.glob("*.js"):
        shutil.copy(script, around.folder)
    texts = {"edge": edge(around), "validator": validator()}
    paths = {name: around.folder / f"{name}.capnp" for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name])
    return paths
