# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two workerd configurations, written into a private folder together with their JavaScript."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local_edge.runtime.folder import Folder

SCRIPTS = Path(__file__).parent / "js"
#: The second flag allows events other than `fetch` to be sent to Workers.
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
#: Headers added to each visitor's request, as on Cloudflare. Each one costs time at every hop, so the list is short.
INJECTED_HEADERS = '(name = "CF-Connecting-IP", value = "127.0.0.1"), (name = "X-Forwarded-Proto", value = "{scheme}")'
#: The fetcher of the edge's own D1 binding. Only the class of that binding is used, so it leads nowhere.
D1_FETCHER = '(name = "fetcher", service = (name = "main", entrypoint = "NoEgress"))'
#: A queue that discards its messages: the runtime serializes messages to the V8 format only when it sends them.
SERIALIZER = '(name = "SERIALIZER", queue = (name = "main", entrypoint = "Serialized"))'
#: The unique key of a class names the folder of its objects, so it must never change.
OBJECTS = """  durableObjectNamespaces = [
    (className = "ObjectHost", uniqueKey = "objects", enableSql = true),
    (className = "Database", uniqueKey = "databases", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),"""


#: The service that stores responses put into the edge's own Cache API.
CACHE = """
  cacheApiOutbound = (name = "main", entrypoint = "CacheStore"),"""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both in PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class RuntimeConfig:
    """The settings that differ between runs."""

    folder: Folder
    api: str
    egress: str
    max_isolates: int
    #: The folder of Durable Objects and D1 databases.
    objects: Path
    #: A secret in the head of each log entry, so that Workers cannot forge entries.
    log: str
    #: The certificate of the TLS port, None without one.
    tls: KeyPair | None = None


def quoted(text: str) -> str:
    """Return a Cap'n Proto string literal. Its escapes are a superset of those of JSON."""
    return json.dumps(text)


def render(
    main: str, modules: tuple[str, ...], services: list[str], sockets: list[str], bindings: list[str], rest: str = ""
) -> str:
    """Return one configuration. The main module comes first."""
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
    """Return a binding with the modules that are embedded in each Worker's isolate."""
    texts = {path.name: path.read_text() for path in sorted((SCRIPTS / "shims").glob("*.js"))}
    return f'(name = "SHIMS", json = {quoted(json.dumps(texts))})'


def visitor_sockets(tls: KeyPair | None) -> list[str]:
    """Return the sockets for visitors: HTTP and, if there is a certificate, HTTPS."""

    def options(scheme: str) -> str:
        return f"injectRequestHeaders = [{INJECTED_HEADERS.format(scheme=scheme)}]"

    plain = f'(name = "http", http = ({options("http")}), service = "main")'
    if not tls:
        return [plain]
    pair = f"privateKey = {quoted(tls.key)}, certificateChain = {quoted(tls.certificate)}"
    encrypted = f"https = (options = ({options('https')}), tlsOptions = (keypair = ({pair})))"
    return [plain, f'(name = "https", {encrypted}, service = "main")']


def edge(run: RuntimeConfig) -> str:
    """Return the configuration of the edge.

    It reaches the control plane over a Unix socket. Workers reach public addresses or none, depending on `egress`, and
    always the local API under the host name of Cloudflare's API.
    """
    services = [
        f'(name = "control", external = (address = {quoted(f"unix:{run.folder.control}")}, http = ()))',
        f'(name = "cloudflare", external = (address = {quoted(urlsplit(run.api).netloc)}, http = ()))',
        '(name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true)))',
        f'(name = "objects", disk = (path = {quoted(str(run.objects))}, writable = true))',
    ]
    sockets = [
        *visitor_sockets(run.tls),
        '(name = "admin", http = (), service = (name = "main", entrypoint = "Admin"))',
    ]
    bindings = [
        '(name = "LOADER", workerLoader = ())',
        '(name = "CONTROL", service = "control")',
        '(name = "CLOUDFLARE", service = "cloudflare")',
        '(name = "STORAGE", service = "objects")',
        f'(name = "API", text = {quoted(run.api)})',
        f'(name = "EGRESS", text = {quoted(run.egress)})',
        f'(name = "MAX_ISOLATES", json = "{run.max_isolates}")',
        f'(name = "LOG", text = {quoted(run.log)})',
        shim_modules(),
        '(name = "OBJECTS", durableObjectNamespace = "ObjectHost")',
        '(name = "DATABASES", durableObjectNamespace = "Database")',
        SERIALIZER,
        f'(name = "D1", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [{D1_FETCHER}]))',
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


def write(run: RuntimeConfig) -> None:
    """Write the configurations and the JavaScript into the folder of the run."""
    shutil.copytree(SCRIPTS, run.folder.path, dirs_exist_ok=True)
    for name, text in (("edge", edge(run)), ("validator", validator())):
        run.folder.config(name).write_text(text)
