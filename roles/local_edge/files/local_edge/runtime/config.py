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

from local_edge.runtime.folder import Folder

SCRIPTS = Path(__file__).parent / "js"
#: Beside what is experimental: events of other kinds than `fetch` can be sent to Workers.
FLAGS = ("experimental", "service_binding_extra_handlers")
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
#: What every visitor's request says beside its own, as on Cloudflare. It does so on each further step, and costs there: no more than is asked for.
VISITOR = '(name = "CF-Connecting-IP", value = "127.0.0.1"), (name = "X-Forwarded-Proto", value = "http")'
#: Behind the D1 binding of the edge, which lends its class to those of Workers: the way nowhere.
LENT = '(name = "fetcher", service = (name = "main", entrypoint = "Blocked"))'
#: A queue that keeps nothing: by it the runtime shows how it writes a message in V8's own format.
SERIALIZER = '(name = "SERIALIZER", queue = (name = "main", entrypoint = "Serialized"))'
#: The key of a class names the folder of its objects: it stays.
OBJECTS = """  durableObjectNamespaces = [
    (className = "ObjectHost", uniqueKey = "objects", enableSql = true),
    (className = "Database", uniqueKey = "databases", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),"""


#: Where the edge's own Cache API puts things.
CACHE = """
  cacheApiOutbound = (name = "main", entrypoint = "CacheStore"),"""


@dataclass(frozen=True)
class Surroundings:
    """What differs from one run to the next."""

    folder: Folder
    api: str
    egress: str
    max_isolates: int
    #: Where Durable Objects and D1 databases are.
    objects: Path
    #: By which an entry of the log is known to be none that a Worker forged.
    log: str


def quoted(text: str) -> str:
    """A Cap'n Proto string; JSON's escapes are a part of its."""
    return json.dumps(text)


def render(
    main: str, modules: tuple[str, ...], services: list[str], sockets: list[str], bindings: list[str], rest: str = ""
) -> str:
    """One configuration; the main module comes first."""
    entries = [f'(name = "{name}", esModule = embed "{name}")' for name in (main, *modules)]

    def block(lines: list[str]) -> str:
        return "\n".join(f"    {line}," for line in lines)

    return TEMPLATE.format(
        services=block(services),
        sockets=block(sockets),
        modules=block(entries),
        bindings=block(bindings),
        date=DATE,
        flags=", ".join(quoted(flag) for flag in FLAGS),
        rest=rest,
    )


def shim_modules() -> str:
    """The modules that are put into each Worker's isolate, as a binding."""
    texts = {path.name: path.read_text() for path in sorted((SCRIPTS / "shims").glob("*.js"))}
    return f'(name = "SHIMS", json = {quoted(json.dumps(texts))})'


def edge(around: Surroundings) -> str:
    """The edge: its way to the control plane is a socket in a folder of ours; its way out is public addresses or none, and always the API,
    which is what Workers reach under the name of Cloudflare's."""
    services = [
        f'(name = "control", external = (address = {quoted(f"unix:{around.folder.control}")}, http = ()))',
        f'(name = "cloudflare", external = (address = {quoted(urlsplit(around.api).netloc)}, http = ()))',
        '(name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true)))',
        f'(name = "objects", disk = (path = {quoted(str(around.objects))}, writable = true))',
    ]
    sockets = [
        f'(name = "http", http = (injectRequestHeaders = [{VISITOR}]), service = "main")',
        '(name = "admin", http = (), service = (name = "main", entrypoint = "Admin"))',
    ]
    bindings = [
        '(name = "LOADER", workerLoader = ())',
        '(name = "CONTROL", service = "control")',
        '(name = "CLOUDFLARE", service = "cloudflare")',
        '(name = "STORAGE", service = "objects")',
        f'(name = "API", text = {quoted(around.api)})',
        f'(name = "EGRESS", text = {quoted(around.egress)})',
        f'(name = "MAX_ISOLATES", json = "{around.max_isolates}")',
        f'(name = "LOG", text = {quoted(around.log)})',
        shim_modules(),
        '(name = "OBJECTS", durableObjectNamespace = "ObjectHost")',
        '(name = "DATABASES", durableObjectNamespace = "Database")',
        SERIALIZER,
        f'(name = "D1", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [{LENT}]))',
    ]
    modules = (
        path.relative_to(SCRIPTS).as_posix()
        for path in sorted([*SCRIPTS.glob("*.js"), *SCRIPTS.glob("backends/*.js"), SCRIPTS / "shims/bytes.js"])
    )
    return render(
        "edge.js",
        tuple(name for name in modules if name not in ("edge.js", "validator.js")),
        services,
        sockets,
        bindings,
        rest=OBJECTS + CACHE,
    )


def validator() -> str:
    services = ['(name = "nowhere", network = (allow = []))']
    sockets = ['(name = "http", http = (), service = "main")']
    return render(
        "validator.js",
        ("worker.js", "bindings.js", "request_cf.js"),
        services,
        sockets,
        ['(name = "LOADER", workerLoader = ())', shim_modules()],
        rest='  globalOutbound = "nowhere",',
    )


def write(around: Surroundings) -> None:
    """Write everything into the folder of the run."""
    shutil.copytree(SCRIPTS, around.folder.path, dirs_exist_ok=True)
    for name, text in (("edge", edge(around)), ("validator", validator())):
        around.folder.config(name).write_text(text)
