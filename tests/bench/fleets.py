# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Benchmark fleets on the local edge: this collection, alchemy, wrangler, a module in a loop and a bare client.

Run by make bench.

Print the measurements and the targets, and write them to a JSON file. With --docs, also update the page and its plot.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

sys.path += [
    str(Path(__file__).parents[2] / folder) for folder in ("tests/support", "tests/contract", "roles/local_edge/files")
]
sys.path += os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)
import report
from contenders import (
    SCRIPTS,
    Alchemy,
    AlchemyConcurrent,
    BareClient,
    Contender,
    Customers,
    EmptyPlay,
    Loop,
    TenantsFile,
    TenantsFileWithSecrets,
    TenantsList,
    Wrangler,
    bindings,
    worker,
)
from edge_process import Edge
from foreign_clients import ROOT
from measuring import CommandError, CommandTimeout, measure
from targets import Record, Results

RESULT = ROOT / ".cache" / "bench" / "fleets.json"
#: Number of customers that are changed before an operation.
CHANGED = {"one changed": 1, "all changed": sys.maxsize}
LIFECYCLE = ("create", "no change", "one changed", "all changed", "drifted", "destroy")
#: A rate limit that is never reached.
UNLIMITED = (1_000_000, 300)


@dataclass(frozen=True)
class Scenario:
    """A comparison: each contender runs the same operations with the same number of customers, for some rounds.

    C(quota) is the rate limit of the API as (requests, seconds). C(latency) delays each response, in milliseconds.
    """

    name: str
    count: int
    contenders: tuple[type[Contender], ...]
    operations: tuple[str, ...] = LIFECYCLE
    rounds: int = 1
    quota: tuple[int, int] = UNLIMITED
    latency: int = 0


SCENARIOS = (
    Scenario("floor", 0, (EmptyPlay,), ("no change",), rounds=5),
    Scenario("ten", 10, (TenantsList, TenantsFile, Alchemy, AlchemyConcurrent, Loop)),
    Scenario("ten", 10, (Wrangler,), LIFECYCLE[:-1]),
    Scenario("hundred", 100, (TenantsList, TenantsFile, Alchemy, AlchemyConcurrent), rounds=5),
    Scenario("thousand", 1000, (TenantsList, TenantsFile), ("create", *["no change"] * 5, *LIFECYCLE[2:])),
    Scenario("ten thousand", 10_000, (TenantsFile,), ("create", *["no change"] * 3, *LIFECYCLE[2:])),
    Scenario("secrets", 10_000, (TenantsFile, TenantsFileWithSecrets), ("create", "no change")),
    Scenario("far ten", 10, (TenantsFile, Alchemy, AlchemyConcurrent), latency=100),
    Scenario("far hundred", 100, (TenantsFile, Alchemy, AlchemyConcurrent), latency=100),
    Scenario("far thousand", 1000, (TenantsList, BareClient), ("create",), rounds=5, latency=100),
    Scenario("far thousand", 1000, (TenantsFile,), latency=100),
    Scenario("budget", 120, (TenantsList,), ("create", "no change"), quota=(40, 10)),
    Scenario("hundred", 100, (Loop,)),
)


def run_scenario(scenario: Scenario, kind: type[Contender], folder: Path) -> Iterator[Record]:
    """Run the operations of a scenario on a new edge. Check and measure each one."""
    edge = Edge(folder / "data", "--rate-limit", "{}/{}".format(*scenario.quota), "--latency-ms", str(scenario.latency))
    try:
        contender = kind(folder / kind.name, edge)
        customers = {f"customer-{number}": ["feature1", "feature2"] for number in range(scenario.count)}
        for turn, operation in enumerate(scenario.operations):
            for customer in list(customers)[: CHANGED.get(operation, 0)]:
                customers[customer] = ["feature1", f"release{turn}"]
            if operation == "drifted":
                change_externally(edge)
            removing = operation == "destroy"
            if not removing:
                contender.declare(customers)
            measurement = measure(
                contender.destroy() if removing else contender.deploy(),
                contender.folder,
                contender.environment,
                edge,
                contender.limit,
            )
            check(edge, {} if removing else customers, contender.types)
            yield Record(scenario.name, kind.name, scenario.count, operation, scenario.quota, measurement)
    finally:
        edge.stop()


def change_externally(edge: Edge) -> None:
    """Change the configuration of the first customer through the API, as an external change."""
    settings = {"bindings": bindings("customer-0", ["drifted"])}
    edge.call(
        "PATCH",
        f"{SCRIPTS}/{worker('customer-0')}/settings",
        files={"settings": (None, json.dumps(settings), "application/json")},
    )


def check(edge: Edge, customers: Customers, types: list[str]) -> None:
    """Raise CommandError unless all Workers exist, and the first and the last one are configured correctly."""
    found = list_workers(edge)
    if found != {worker(customer) for customer in customers}:
        raise CommandError(f"{len(found)} Workers exist instead of {len(customers)}")
    for customer in [*customers][:1] + [*customers][-1:]:
        current_bindings = edge.call("GET", f"{SCRIPTS}/{worker(customer)}/settings")["bindings"]
        json_bindings = [binding for binding in current_bindings if binding["type"] == "json"]
        if sorted(binding["type"] for binding in current_bindings) != types or json_bindings != bindings(
            customer, customers[customer]
        ):
            raise CommandError(f"{customer} is configured with {current_bindings}")


def list_workers(edge: Edge) -> set[str]:
    """Return the names of all Workers."""
    names: set[str] = set()
    more: dict[str, str] | None = {}
    while more is not None:
        page = edge.session.get(f"{edge.account}{SCRIPTS}", params=more).json()
        names.update(script["id"] for script in page["result"] or [])
        cursor = (page.get("result_info") or {}).get("cursor")
        more = {"cursor": cursor} if cursor else None
    return names


def select_runs(only: Set[str], most: int, rounds: int | None) -> Iterator[tuple[Scenario, type[Contender]]]:
    """Select the scenarios and contenders to run. C(only) contains names of scenarios, contenders and operations.

    Contenders alternate within a round, so that noise on the machine affects all of them."""
    for scenario in SCENARIOS:
        for _round in range(rounds or scenario.rounds):
            for kind in scenario.contenders:
                matches = [only <= {scenario.name, kind.name, operation} for operation in scenario.operations]
                if any(matches):
                    # The earlier operations create the required state.
                    last = len(matches) - matches[::-1].index(True)
                    yield (
                        replace(scenario, count=min(scenario.count, most), operations=scenario.operations[:last]),
                        kind,
                    )


def main() -> None:
    """Print each operation when it ends, then the medians. The exit status is 1 if a contender failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = sorted(
        {
            *LIFECYCLE,
            *(scenario.name for scenario in SCENARIOS),
            *(kind.name for scenario in SCENARIOS for kind in scenario.contenders),
        }
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=names,
        help="a scenario, contender or operation; can be repeated to narrow the selection",
    )
    parser.add_argument("--most", type=int, default=sys.maxsize, help="maximum number of customers")
    parser.add_argument("--rounds", type=int, help="number of rounds of each scenario")
    parser.add_argument("--result", type=Path, default=RESULT, help="path of the JSON file")
    parser.add_argument("--docs", type=Path, help="folder of benchmarks.md; update the page and its plot")
    arguments = parser.parse_args()
    records: list[Record] = []
    failed = False
    for scenario, kind in select_runs(set(arguments.only), arguments.most, arguments.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            try:
                for record in run_scenario(scenario, kind, Path(scratch)):
                    records.append(record)
                    print(report.line(record), flush=True)
            except CommandError as error:
                failed |= not isinstance(error, CommandTimeout)
                print(f"{scenario.name}: {kind.name} {scenario.count}: {error}", flush=True)
            except KeyboardInterrupt:  # report the measurements up to now
                failed = True
                break
    results = Results(records)
    print(report.tables(results))
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(report.result(results), indent=1))
    if arguments.docs:
        report.update_page(results, arguments.docs)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
