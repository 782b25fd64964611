# Copyright: Contributors to the tenantry.cloudflare_workers project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet costs: this collection, alchemy, wrangler, a loop over a module and a bare client, side by side on the local edge: run by make bench.

It prints what it measured and which targets were reached, and leaves both in a JSON file; with --docs also in a page and its plot.
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
    AtOnce,
    Bare,
    Contender,
    Customers,
    Filed,
    Idle,
    Listed,
    Loop,
    Secretive,
    Wrangler,
    bindings,
    worker,
)
from edge_process import Edge
from foreign_clients import ROOT
from measuring import Failed, TooLong, measure
from targets import Record, Results

RESULT = ROOT / ".cache" / "bench" / "fleets.json"
#: How many customers are changed before an operation; the others are what they were.
CHANGED = {"one changed": 1, "all changed": sys.maxsize}
LIFE = ("create", "no change", "one changed", "all changed", "drifted", "destroy")
#: So much that nothing is ever held back.
UNLIMITED = (1_000_000, 300)


@dataclass(frozen=True)
class Scenario:
    """Contenders that live through the same operations with the same number of customers, in turn, some rounds of it.

    C(quota) is the budget of the API, requests in seconds, C(latency) milliseconds before each of its answers.
    """

    name: str
    count: int
    contenders: tuple[type[Contender], ...]
    operations: tuple[str, ...] = LIFE
    rounds: int = 1
    quota: tuple[int, int] = UNLIMITED
    latency: int = 0


SCENARIOS = (
    Scenario("floor", 0, (Idle,), ("no change",), rounds=5),
    Scenario("ten", 10, (Listed, Filed, Alchemy, AtOnce, Loop)),
    Scenario("ten", 10, (Wrangler,), LIFE[:-1]),
    Scenario("hundred", 100, (Listed, Filed, Alchemy, AtOnce), rounds=5),
    Scenario("thousand", 1000, (Listed, Filed), ("create", *["no change"] * 5, *LIFE[2:])),
    Scenario("ten thousand", 10_000, (Filed,), ("create", *["no change"] * 3, *LIFE[2:])),
    Scenario("secrets", 10_000, (Filed, Secretive), ("create", "no change")),
    Scenario("far ten", 10, (Filed, Alchemy, AtOnce), latency=100),
    Scenario("far hundred", 100, (Filed, Alchemy, AtOnce), latency=100),
    Scenario("far thousand", 1000, (Listed, Bare), ("create",), rounds=5, latency=100),
    Scenario("far thousand", 1000, (Filed,), latency=100),
    Scenario("budget", 120, (Listed,), ("create", "no change"), quota=(40, 10)),
    Scenario("hundred", 100, (Loop,)),
)


def live(scenario: Scenario, kind: type[Contender], folder: Path) -> Iterator[Record]:
    """Bring customers to a platform of their own, change them and take it down, and see each time that it was done."""
    edge = Edge(folder / "data", "--rate-limit", "{}/{}".format(*scenario.quota), "--latency-ms", str(scenario.latency))
    try:
        contender = kind(folder / kind.name, edge)
        customers = {f"customer-{number}": ["feature1", "feature2"] for number in range(scenario.count)}
        for turn, operation in enumerate(scenario.operations):
            for customer in list(customers)[: CHANGED.get(operation, 0)]:
                customers[customer] = ["feature1", f"release{turn}"]
            if operation == "drifted":
                tamper(edge)
            gone = operation == "destroy"
            if not gone:
                contender.declare(customers)
            measured = measure(
                contender.destroy() if gone else contender.deploy(),
                contender.folder,
                contender.environment,
                edge,
                contender.limit,
            )
            check(edge, {} if gone else customers, contender.types)
            yield Record(scenario.name, kind.name, scenario.count, operation, scenario.quota, measured)
    finally:
        edge.stop()


def tamper(edge: Edge) -> None:
    """Configure the first customer otherwise, as somebody would who knows of no playbook."""
    settings = {"bindings": bindings("customer-0", ["drifted"])}
    edge.call(
        "PATCH",
        f"{SCRIPTS}/{worker('customer-0')}/settings",
        files={"settings": (None, json.dumps(settings), "application/json")},
    )


def check(edge: Edge, customers: Customers, types: list[str]) -> None:
    """Refuse a contender that did not do it: all Workers must be there, and the first and the last one configured as they should be."""
    found = there(edge)
    if found != {worker(customer) for customer in customers}:
        raise Failed(f"{len(found)} Workers are there instead of {len(customers)}")
    for customer in [*customers][:1] + [*customers][-1:]:
        held = edge.call("GET", f"{SCRIPTS}/{worker(customer)}/settings")["bindings"]
        open_ones = [binding for binding in held if binding["type"] == "json"]
        if sorted(binding["type"] for binding in held) != types or open_ones != bindings(customer, customers[customer]):
            raise Failed(f"{customer} is configured with {held}")


def there(edge: Edge) -> set[str]:
    """The names of all Workers."""
    names: set[str] = set()
    more: dict[str, str] | None = {}
    while more is not None:
        page = edge.session.get(f"{edge.account}{SCRIPTS}", params=more).json()
        names.update(script["id"] for script in page["result"] or [])
        cursor = (page.get("result_info") or {}).get("cursor")
        more = {"cursor": cursor} if cursor else None
    return names


def chosen(only: Set[str], most: int, rounds: int | None) -> Iterator[tuple[Scenario, type[Contender]]]:
    """The lives to live, those of a round in turn, so that a noisy machine disturbs all alike. C(only) holds names of scenarios, contenders, operations."""
    for scenario in SCENARIOS:
        for _round in range(rounds or scenario.rounds):
            for kind in scenario.contenders:
                wanted = [only <= {scenario.name, kind.name, operation} for operation in scenario.operations]
                if any(wanted):
                    # What comes before is needed to come there.
                    last = len(wanted) - wanted[::-1].index(True)
                    yield (
                        replace(scenario, count=min(scenario.count, most), operations=scenario.operations[:last]),
                        kind,
                    )


def main() -> None:
    """Print each operation as it ends, and in the end the medians. The exit status says whether somebody failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = sorted(
        {
            *LIFE,
            *(scenario.name for scenario in SCENARIOS),
            *(kind.name for scenario in SCENARIOS for kind in scenario.contenders),
        }
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=names,
        help="a scenario, a contender or an operation; several narrow it down",
    )
    parser.add_argument("--most", type=int, default=sys.maxsize, help="no more customers than so many")
    parser.add_argument("--rounds", type=int, help="as many of each")
    parser.add_argument("--result", type=Path, default=RESULT, help="the JSON file")
    parser.add_argument("--docs", type=Path, help="the folder of benchmarks.md, which is updated with its plot")
    told = parser.parse_args()
    records: list[Record] = []
    failed = False
    for scenario, kind in chosen(set(told.only), told.most, told.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            try:
                for record in live(scenario, kind, Path(scratch)):
                    records.append(record)
                    print(report.line(record), flush=True)
            except Failed as error:
                failed |= not isinstance(error, TooLong)
                print(f"{scenario.name}: {kind.name} {scenario.count}: {error}", flush=True)
            except KeyboardInterrupt:  # what was measured until then is told
                failed = True
                break
    results = Results(records)
    print(report.tables(results))
    told.result.parent.mkdir(parents=True, exist_ok=True)
    told.result.write_text(json.dumps(report.result(results), indent=1))
    if told.docs:
        report.document(results, told.docs)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
