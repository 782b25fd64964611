"""Run integration tests of the collection with several versions of ansible-core and Python, and print a table.

Each cell has a virtual environment, a log and a JUnit file below .cache/matrix. Arguments select cells, such as `2.21`
or `2.16-3.10`; those after `--` replace the tests.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).parents[2]
LOCKS = ROOT / "requirements/matrix"
FOLDER = ROOT / ".cache/matrix"
PYTHONS = {  # those that each ansible-core supports on the controller
    "2.16": ("3.10", "3.11", "3.12"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.21": ("3.12", "3.13", "3.14"),
}
COLLECTION = "tests/integration/collection"
TESTS = [  # the parts of the collection that depend on ansible-core
    f"{COLLECTION}/test_{name}.py"
    for name in ("execution_modes", "quickstart", "module_defaults", "output", "interruption", "secrets")
]
SECONDS = 1800  # until a cell counts as failed


@dataclass
class Cell:
    """One version of ansible-core with one version of Python, and the outcome of its tests."""

    core: str
    python: str
    outcome: str = "Python not installed"
    seconds: float = 0.0
    has_failed: bool = False

    @property
    def name(self) -> str:
        return f"{self.core}-{self.python}"

    def file(self, kind: str) -> pathlib.Path:
        """Return the path of the cell's `log`, `xml` or `venv`."""
        return FOLDER / f"core-{self.core}-python-{self.python}.{kind}"

    def row(self) -> str:
        return f"{self.core:<14}{self.python:<9}{self.seconds:>6.0f} s  {self.outcome}"


def find_python(version: str) -> str | None:
    """Return the path of a Python, from pyenv or PATH. None if it is not installed."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python3"), key=lambda path: len(str(path)))
    candidates = [*map(str, reversed(installed)), shutil.which(f"python{version}")]
    return next((path for path in candidates if path and runs(path)), None)


def runs(python: str) -> bool:
    """Return whether a command is a Python; it can be a launcher of pyenv without one."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def prepare(cell: Cell, python: str, log: t.IO[str]) -> None:
    """Install the locked requirements into the virtual environment of the cell, unless they are installed."""
    lock, venv = LOCKS / f"{cell.core}.txt", cell.file("venv")
    stamp = venv / f"installed-{hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()[:12]}"
    if stamp.exists():
        return
    install = [venv / "bin/pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", lock]
    for command in ([python, "-m", "venv", "--clear", venv], install):
        subprocess.run(command, check=True, stdout=log, stderr=log)
    stamp.touch()


def run_tests(cell: Cell, tests: list[str], log: t.IO[str]) -> None:
    """Run the tests with the Python and the ansible-core of the cell, and record the outcome."""
    venv, results = cell.file("venv"), cell.file("xml")
    results.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_HOME": str(FOLDER / "ansible"),
    }
    command = [venv / "bin/pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}", *tests]
    subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, timeout=SECONDS, check=False)
    suite = xml.etree.ElementTree.parse(results).getroot()[0]
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    cell.outcome, cell.has_failed = f"{passed} passed, {failed} failed{skipped}", bool(failed or not passed)


def run(cell: Cell, tests: list[str]) -> None:
    """Prepare and test one cell, if its Python is installed."""
    python = find_python(cell.python)
    if python is None:
        return
    print(f"ansible-core {cell.core} with Python {cell.python} ...", flush=True)
    start = time.monotonic()
    with cell.file("log").open("w") as log:
        try:
            prepare(cell, python, log)
            run_tests(cell, tests, log)
        except (OSError, subprocess.SubprocessError, xml.etree.ElementTree.ParseError) as error:
            cell.outcome, cell.has_failed = f"{type(error).__name__}, see the log", True
    cell.seconds = time.monotonic() - start
    if cell.has_failed:
        print("\n".join(cell.file("log").read_text().splitlines()[-40:]))


def main(arguments: list[str]) -> int:
    """Test the selected cells. Return 1 if one failed, or if no Python is installed."""
    selected, tests = arguments, TESTS
    if "--" in arguments:
        selected, tests = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    cells = [Cell(core, python) for core, pythons in PYTHONS.items() for python in pythons]
    cells = [cell for cell in cells if not selected or {cell.core, cell.name} & set(selected)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        run(cell, tests or TESTS)
    print("\n".join(("", "ansible-core  Python      time  tests", *(cell.row() for cell in cells))))
    return int(any(cell.has_failed for cell in cells) or not any(cell.seconds for cell in cells))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
