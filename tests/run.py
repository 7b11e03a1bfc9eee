"""Everything that CI runs, stage by stage, with the time each took. `make test` calls this.

python tests/run.py [--only STAGE ...] [--list]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest"]
PARALLEL = ["-n", "2"]  # what stays together: tests/conftest.py
STAGES = {
    "lint": [[sys.executable, "-m", "ruff", "check", "."], [sys.executable, "-m", "ruff", "format", "--check", "."]],
    "unit": [[*PYTEST, *PARALLEL, "-m", "not slow and not site and not sandbox and not sm90"]],
    "slow": [[*PYTEST, *PARALLEL, "-m", "(slow or sm90) and not site and not sandbox"]],
    "grader": [[*PYTEST, *PARALLEL, "-m", "sandbox and not site"]],
    "book": [[sys.executable, "book/build.py"]],
    "site": [[sys.executable, "book/build.py"], [*PYTEST, *PARALLEL, "-m", "site"]],
}


def counts(report):
    """Read how many tests passed, failed and were skipped from a junit file."""
    if not report.exists():
        return 0, 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    return total - failed - skipped, failed, skipped


def run_stage(name, folder):
    """Run one stage's commands; say whether all went well, how long it took, and the tests it counted."""
    started = time.monotonic()
    report = folder / f"{name}.xml"
    good = True
    for command in STAGES[name]:
        extra = [f"--junitxml={report}"] if "pytest" in command else []
        # Two processes share the cores already, and must not both build the site that was built just before.
        own = {"OMP_NUM_THREADS": "1", "SEQLAB_SITE_AS_IT_IS": "1"} if "-n" in command else {}
        good &= subprocess.run([*command, *extra], cwd=ROOT, env=own | os.environ).returncode == 0
    return good, time.monotonic() - started, counts(report)


def main():
    """Run the stages in order; a red stage does not stop the later ones, but the exit status tells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES), help="run these stages alone")
    parser.add_argument("--list", action="store_true", help="print the stages and their commands, run nothing")
    arguments = parser.parse_args()
    if arguments.list:
        for name, commands in STAGES.items():
            print(f"{name:8}", *(" ".join(["python", *c[1:]]) for c in commands), sep="  ")
        return 0
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    totals, lines = [0, 0, 0], []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            print(f"\n=== {name} ===", flush=True)
            good, seconds, tests = run_stage(name, Path(folder))
            totals = [a + b for a, b in zip(totals, tests, strict=True)]
            lines.append((good, f"{name:8} {'ok' if good else 'RED':4} {seconds:7.1f} s"))
    print("\n" + "\n".join(text for _, text in lines))
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 0 if all(good for good, _ in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
