"""Run make targets one after the other, time them, and count: pytest's tests one by one, any other target as one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter

OUTCOME = {
    "passed": "passed",
    "failed": "failed",
    "error": "failed",
    "errors": "failed",
    "skipped": "skipped",
    "xfailed": "passed",
    "xpassed": "failed",
}
CLOSING = re.compile(r"=+ (.+) in [\d.]+s.* =+")


def run(target: str) -> Counter[str]:
    """Run a make target, print its output, and return the number of tests by outcome."""
    closing = None
    with subprocess.Popen(
        ["make", "--no-print-directory", target], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            closing = CLOSING.fullmatch(line.strip()) or closing
    count: Counter[str] = Counter()
    for number, outcome in re.findall(r"(\d+) (\w+)", closing[1] if closing else ""):
        count[OUTCOME.get(outcome, "ignored")] += int(number)
    if process.returncode and not count["failed"]:
        count["failed"] = 1
    return count if closing else Counter({"failed" if process.returncode else "passed": 1})


total: Counter[str] = Counter()
for target in sys.argv[1:]:
    print(f"\n=== make {target}", flush=True)
    start = time.monotonic()
    count = run(target)
    total += count
    print(f"=== {target}: {'FAILED' if count['failed'] else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)

print(
    f"\n{total['passed']} passed, {total['failed']} failed"
    + (f", {total['skipped']} skipped" if total["skipped"] else "")
)
sys.exit(bool(total["failed"]))
