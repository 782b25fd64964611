# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who can bring customers to a platform, and how each is told which customers there are: the quickstart's Workers, with features of its own for each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.tenantry.cloudflare_workers.plugins.module_utils._resources.namespaced_workers import (
    NamespacedWorkers,
)
from edge_process import TOKEN, Edge
from foreign_clients import DATE, ROOT, Project

PEERS = Path(__file__).parent / "peers"
NAMESPACE, ZONE, DOMAIN = "customer-workers", "example.com", "platform.example.com"
SCRIPTS = f"/workers/dispatch/namespaces/{NAMESPACE}/scripts"

#: The features of each customer.
Customers = Mapping[str, list[str]]


def worker(customer: str) -> str:
    """The name of a customer's Worker."""
    return f"{customer}-worker"


def config(customer: str, features: list[str]) -> dict[str, Any]:
    """What a customer's Worker is configured with."""
    return {"customerId": customer, "features": features}


def bindings(customer: str, features: list[str]) -> list[dict[str, Any]]:
    """The same as a binding."""
    return [{"name": "CONFIG", "type": "json", "json": config(customer, features)}]


class Contender(ABC):
    """A way to bring customers to a platform, with its files in a folder."""

    name: ClassVar[str]
    #: The types of the bindings of each Worker.
    types: ClassVar[list[str]] = ["json"]
    #: Seconds that it may take for anything.
    limit: ClassVar[float] = 600

    def __init__(self, folder: Path, edge: Edge) -> None:
        self.folder, self.edge = folder, edge
        self.scripts = edge.account + SCRIPTS
        home = folder / "home"
        home.mkdir(parents=True, mode=0o700)
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "CLOUDFLARE_API_BASE_URL": edge.api,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": edge.ready["accounts"][0]["id"],
        }
        self.prepare()

    def prepare(self) -> None:
        """Write what is the same for all customers."""
        shutil.copytree(ROOT / "examples" / "quickstart" / "src", self.folder / "src")

    def write(self, name: str, content: Any) -> None:
        """A JSON file of its folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))

    @abstractmethod
    def declare(self, customers: Customers) -> None:
        """Write which customers there are."""

    @abstractmethod
    def deploy(self) -> list[str]:
        """The command that makes it so."""

    def destroy(self) -> list[str]:
        """The command that takes everything down."""
        raise NotImplementedError(f"{self.name} cannot take anything down")


class Playbook(Contender):
    """Ansible, in whichever way."""

    def deploy(self) -> list[str]:
        return ["ansible-playbook", "-i", "localhost,", "site.yml"]

    def play(self, **content: Any) -> None:
        """Write the playbook, which is the same for all customers."""
        self.environment["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
        self.write("site.yml", [{"hosts": "localhost", "connection": "local", "gather_facts": False, **content}])


class Idle(Playbook):
    """A play that does nothing: what Ansible itself takes."""

    name = "idle"

    def prepare(self) -> None:
        self.play(tasks=[])

    def declare(self, customers: Customers) -> None:
        pass


class Listed(Playbook):
    """The role, with the tenants in a variable."""

    name = "list"
    tenants: ClassVar[dict[str, Any]] = {"platform_tenants": "{{ tenants }}"}

    def prepare(self) -> None:
        super().prepare()
        self.play(
            roles=[
                {
                    "role": "tenantry.cloudflare_workers.platform",
                    "platform_namespace": NAMESPACE,
                    "platform_router": {"name": "platform-router", "entrypoint": "src/main-router.ts"},
                    "platform_routes": [
                        {"pattern": f"*.{DOMAIN}/*", "zone_id": self.edge.zone[ZONE].rpartition("/")[2]}
                    ],
                    "platform_tenant_defaults": {"entrypoint": "src/tenant-worker.ts", "compatibility_date": DATE},
                    **self.tenants,
                }
            ]
        )

    def tenant(self, customer: str, features: list[str]) -> dict[str, Any]:
        return {
            "name": worker(customer),
            "hostnames": [f"{customer}.{DOMAIN}"],
            "bindings": bindings(customer, features),
        }

    def declare(self, customers: Customers) -> None:
        self.write("group_vars/all.json", {"tenants": [self.tenant(*one) for one in customers.items()]})

    def destroy(self) -> list[str]:
        return [*self.deploy(), "-e", "platform_state=absent"]


class Filed(Listed):
    """The role, with the tenants in a file."""

    name = "file"
    tenants = {"platform_tenants_file": "tenants.json"}

    def declare(self, customers: Customers) -> None:
        self.write("tenants.json", [self.tenant(*one) for one in customers.items()])


class Secretive(Filed):
    """The same, with a secret for each tenant."""

    name = "secret file"
    types = ["json", "secret_text"]

    def prepare(self) -> None:
        super().prepare()
        self.environment["CLOUDFLARE_FINGERPRINT_KEY"] = "a key by which values are compared"

    def tenant(self, customer: str, features: list[str]) -> dict[str, Any]:
        return {**super().tenant(customer, features), "secrets": {"API_KEY": f"the secret of {customer}"}}


class Alchemy(Contender):
    """The program in TypeScript that its documentation has, over all customers."""

    name = "alchemy"

    def prepare(self) -> None:
        project = Project(self.folder / "project", self.edge)
        project.copy_from(ROOT / "tests" / "contract" / "projects" / "alchemy")
        project.copy_from(ROOT / "examples" / "quickstart")
        self.folder = project.folder
        self.environment |= project.environment

    def declare(self, customers: Customers) -> None:
        self.environment["FEATURES"] = json.dumps(customers)

    def deploy(self) -> list[str]:
        return ["node", "alchemy.run.ts"]

    def destroy(self) -> list[str]:
        return [*self.deploy(), "--destroy"]


class AtOnce(Alchemy):
    """The same program, awaiting all customers together."""

    name = "alchemy at once"

    def prepare(self) -> None:
        super().prepare()
        self.environment["AT_ONCE"] = "yes"


class Bundled(Contender):
    """What makes no namespace and bundles nothing is given both."""

    def prepare(self) -> None:
        super().prepare()
        self.edge.call("POST", "/workers/dispatch/namespaces", json={"name": NAMESPACE})
        subprocess.run(
            ["esbuild", "--bundle", "--format=esm", "--outfile=index.js", "--log-level=error", "src/tenant-worker.ts"],
            cwd=self.folder,
            check=True,
        )

    def metadata(self, customers: Customers) -> dict[str, Any]:
        """What is uploaded beside the code, by the name of the Worker."""
        return {
            worker(customer): {
                "main_module": "index.js",
                "compatibility_date": DATE,
                "bindings": bindings(customer, features),
            }
            for customer, features in customers.items()
        }


class Wrangler(Bundled):
    """A configuration for each tenant, deployed one after another."""

    name = "wrangler"

    def prepare(self) -> None:
        super().prepare()
        self.environment |= Project(self.folder / "project", self.edge).environment

    def declare(self, customers: Customers) -> None:
        for customer, features in customers.items():
            self.write(
                f"project/{customer}.json",
                {
                    "name": worker(customer),
                    "main": "../src/tenant-worker.ts",
                    "compatibility_date": DATE,
                    "vars": {"CONFIG": config(customer, features)},
                },
            )

    def deploy(self) -> list[str]:
        program = "node project/node_modules/wrangler/bin/wrangler.js"
        return [
            "bash",
            "-euc",
            f"for each in project/*.json; do {program} deploy --config $each --dispatch-namespace {NAMESPACE}; done",
        ]


class Loop(Bundled, Playbook):
    """A loop over a module of one's own."""

    name = "loop"
    limit = 300

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "library").mkdir()
        shutil.copy(PEERS / "put_worker.py", self.folder / "library")
        options = {
            "name": "{{ item.key }}",
            "metadata": "{{ item.value }}",
            "path": "{{ playbook_dir }}/index.js",
            "scripts": self.scripts,
            "state": "{{ state | default('present') }}",
        }
        self.play(tasks=[{"put_worker": options, "loop": "{{ workers | dict2items }}"}])

    def declare(self, customers: Customers) -> None:
        self.write("group_vars/all.json", {"workers": self.metadata(customers)})

    def destroy(self) -> list[str]:
        return [*self.deploy(), "-e", "state=absent"]


class Bare(Bundled):
    """Threads that upload, as many as the collection has."""

    name = "bare"

    def declare(self, customers: Customers) -> None:
        self.write("workers.json", self.metadata(customers))

    def deploy(self) -> list[str]:
        return [
            sys.executable,
            str(PEERS / "bare.py"),
            self.scripts,
            str(NamespacedWorkers.behavior_options["concurrency"]["default"]),
        ]
