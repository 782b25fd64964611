# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools under comparison. Each deploys the quickstart's Workers, with different features per customer."""

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
    """Return the name of a customer's Worker."""
    return f"{customer}-worker"


def config(customer: str, features: list[str]) -> dict[str, Any]:
    """Return the configuration of a customer's Worker."""
    return {"customerId": customer, "features": features}


def bindings(customer: str, features: list[str]) -> list[dict[str, Any]]:
    """Return the configuration as a binding."""
    return [{"name": "CONFIG", "type": "json", "json": config(customer, features)}]


class Contender(ABC):
    """A tool that deploys customers to a platform, with its files in a folder."""

    name: ClassVar[str]
    #: The types of the bindings of each Worker.
    types: ClassVar[list[str]] = ["json"]
    #: Time limit of each operation, in seconds.
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
        """Write the files that are the same for all customers."""
        shutil.copytree(ROOT / "examples" / "quickstart" / "src", self.folder / "src")

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file in the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))

    @abstractmethod
    def declare(self, customers: Customers) -> None:
        """Write the list of customers."""

    @abstractmethod
    def deploy(self) -> list[str]:
        """Return the command that deploys the customers."""

    def destroy(self) -> list[str]:
        """Return the command that removes everything."""
        raise NotImplementedError(f"{self.name} does not support removal")


class Playbook(Contender):
    """A playbook."""

    def deploy(self) -> list[str]:
        return ["ansible-playbook", "-i", "localhost,", "site.yml"]

    def play(self, **content: Any) -> None:
        """Write the playbook, which is the same for all customers."""
        self.environment["ANSIBLE_PYTHON_INTERPRETER"] = sys.executable
        self.write("site.yml", [{"hosts": "localhost", "connection": "local", "gather_facts": False, **content}])


class EmptyPlay(Playbook):
    """An empty play, to measure Ansible itself."""

    name = "idle"

    def prepare(self) -> None:
        self.play(tasks=[])

    def declare(self, customers: Customers) -> None:
        pass


class TenantsList(Playbook):
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


class TenantsFile(TenantsList):
    """The role, with the tenants in a file."""

    name = "file"
    tenants = {"platform_tenants_file": "tenants.json"}

    def declare(self, customers: Customers) -> None:
        self.write("tenants.json", [self.tenant(*one) for one in customers.items()])


class TenantsFileWithSecrets(TenantsFile):
    """The role, with the tenants in a file and a secret per tenant."""

    name = "secret file"
    types = ["json", "secret_text"]

    def prepare(self) -> None:
        super().prepare()
        self.environment["CLOUDFLARE_FINGERPRINT_KEY"] = "a key by which values are compared"

    def tenant(self, customer: str, features: list[str]) -> dict[str, Any]:
        return {**super().tenant(customer, features), "secrets": {"API_KEY": f"the secret of {customer}"}}


class Alchemy(Contender):
    """The TypeScript program from alchemy's documentation, over all customers."""

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


class AlchemyConcurrent(Alchemy):
    """The same program, deploying all customers concurrently."""

    name = "alchemy at once"

    def prepare(self) -> None:
        super().prepare()
        self.environment["AT_ONCE"] = "yes"


class Bundled(Contender):
    """Tools without support for namespaces and bundling. Both are prepared for them."""

    def prepare(self) -> None:
        super().prepare()
        self.edge.call("POST", "/workers/dispatch/namespaces", json={"name": NAMESPACE})
        subprocess.run(
            ["esbuild", "--bundle", "--format=esm", "--outfile=index.js", "--log-level=error", "src/tenant-worker.ts"],
            cwd=self.folder,
            check=True,
        )

    def metadata(self, customers: Customers) -> dict[str, Any]:
        """Return the upload metadata by name of the Worker."""
        return {
            worker(customer): {
                "main_module": "index.js",
                "compatibility_date": DATE,
                "bindings": bindings(customer, features),
            }
            for customer, features in customers.items()
        }


class Wrangler(Bundled):
    """wrangler with one configuration per tenant, run sequentially."""

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
    """A loop over a custom module."""

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


class BareClient(Bundled):
    """A minimal client that uploads with as many threads as the collection."""

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
