#!/usr/bin/env python3
"""Run the tests and end with one line, `N passed, N failed`; exit status 0 only when nothing failed.

    run_tests.py [--build DIR] [--suite NAME]... [-k TEXT] [-j JOBS] [--command 'INTERPRETER ARGS'] [--list]

A suite is a folder of tests/. A test is NAME.script with one or more of
    NAME.out   its exact standard output          NAME.re    expressions for its lines (see match_patterns)
    NAME.err   its exact standard error           NAME.exit  its exit status (default 0)
    NAME.in    standard input                     NAME.args  arguments, one shell-like line
A script with none of the first four is a helper module, not a test. check_*.py in a suite is a driver: it gets the
interpreter's command line as arguments and passes with status 0, or counts in a last line like ours.
Three more suites are not folders of scripts: `unit` and `embed` (the programs tests/unit/test_* and tests/embed/* of the
build folder) and `checks` (scripts/check_*.py: include order, symbols, headers). A suite's file SKIP lists what is left out, and why.

With --command an interpreter other than build/release/ouro runs the scripts, CPython for one.
"""
import argparse
import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
EXPECTED = (".out", ".re", ".err", ".exit")
NOT_SUITES = {"bench", "cpython", "fuzz", "unit", "embed"}
IN_FOLDER = {"errors"}  # suites whose scripts run in their own folder under a relative name: tracebacks show it
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$")


def any_order(patterns, lines):
    """Match patterns and lines one to one (augmenting paths); returns a pattern left over, or None."""
    owner = {}

    def place(i, tried):
        for j, line in enumerate(lines):
            if j in tried or not re.fullmatch(patterns[i], line):
                continue
            tried.add(j)
            if j not in owner or place(owner[j], tried):
                owner[j] = i
                return True
        return False

    return next((patterns[i] for i in range(len(patterns)) if not place(i, set())), None)


def match_patterns(text, printed):
    """Each line of the .re file must match a whole line; after a line `...` the rest matches in any order."""
    patterns, lines = text.splitlines(), printed.splitlines()
    at = patterns.index("...") if "..." in patterns else len(patterns)
    head, tail = patterns[:at], patterns[at + 1:]
    if len(lines) != len(head) + len(tail):
        return f"{len(lines)} lines, expected {len(head) + len(tail)}\n{printed[-600:]}"
    for pattern, line in zip(head, lines):
        if not re.fullmatch(pattern, line):
            return f"{line!r} does not match {pattern!r}"
    left = any_order(tail, lines[len(head):])
    return left and f"no line matches {left!r}"


def difference(kind, want, got):
    if want == got:
        return None
    lines = list(difflib.unified_diff(want.splitlines(), got.splitlines(), f"expected {kind}", f"printed {kind}", n=2, lineterm=""))
    if not lines:
        return f"{kind} differs in line ends only: expected {want[-40:]!r}, printed {got[-40:]!r}"
    more = [f"({len(lines) - 60} more lines)"] if len(lines) > 60 else []
    return "\n".join(lines[:60] + more)


def normalise(data, folder):
    """What is printed, without what differs from machine to machine: the script's folder and addresses."""
    text = data.decode("utf-8", "replace").replace(f"{folder}{os.sep}", "")
    return re.sub(r"\b0x[0-9a-f]{6,16}\b(?=>)", "0x...", text)


def environment(given):
    keep = ("PATH", "HOME", "USER", "LD_LIBRARY_PATH") + tuple(k for k in os.environ if k.startswith("PYENV_"))
    env = {k: os.environ[k] for k in keep if k in os.environ}
    env.update({k: v for k, v in os.environ.items() if k.startswith("OURO_")})
    env.update(LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC", NO_COLOR="1", COLUMNS="80", PYTHONDONTWRITEBYTECODE="1",
               PYTHONHASHSEED="0", OURO_LEAKCHECK="1")
    if given.sanitized:
        env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:exitcode=98:allocator_may_return_null=1:" + os.environ.get("ASAN_OPTIONS", "")
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=98"
    return env


def execute(command, cwd, env, stdin, timeout):
    """-> (status or None when it ran out of time, stdout bytes, stderr bytes); the whole process group is ended."""
    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = child.communicate(stdin, timeout)
        return child.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        return None, out, err


def status_text(code):
    if code is None:
        return "no end in time"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}" + {98: " (sanitizer)", 99: " (leaked)"}.get(code, "")


class Test:
    """One thing to run: `run()` returns (passed, failed, report)."""

    def __init__(self, suite, name, given):
        self.suite, self.name, self.given = suite, name, given
        self.seconds = 0.0

    def run(self):
        began = time.monotonic()
        try:
            return self.attempt()
        except OSError as problem:
            return 0, 1, str(problem)
        finally:
            self.seconds = time.monotonic() - began


class ScriptTest(Test):
    def __init__(self, suite, path, given):
        super().__init__(suite, str(path.relative_to(TESTS / suite).with_suffix("")), given)
        self.path = path

    def text(self, suffix):
        path = self.path.with_suffix(suffix)
        return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else None

    def attempt(self):
        args = shlex.split(self.text(".args") or "")
        stdin = self.text(".in")
        timeout = float(self.text(".timeout") or 60) * self.given.slow
        with tempfile.TemporaryDirectory(prefix="ouro-test-") as folder:
            in_folder = self.suite in IN_FOLDER
            name = self.path.name if in_folder else str(self.path)
            code, out, err = execute(self.given.command + [name] + args, self.path.parent if in_folder else folder,
                                     environment(self.given), stdin and stdin.encode(), timeout)
            left = os.listdir(folder)
        out, err = normalise(out, self.path.parent), normalise(err, self.path.parent)
        problems = []
        want = int(self.text(".exit") or 0)
        if code != want:
            problems.append(f"{status_text(code)}, expected {want}")
        if left:
            problems.append(f"left files behind: {left}")
        expected = self.text(".out")
        if expected is not None:
            problems.append(difference("stdout", expected, out))
        patterns = self.text(".re")
        if patterns is not None:
            problems.append(match_patterns(patterns, out))
        expected = self.text(".err")
        if expected is not None:
            problems.append(difference("stderr", expected, err))
        elif code != want:
            problems.append(err[-1500:].rstrip())
        problems = [p for p in problems if p]
        return (0, 1, "\n".join(problems)) if problems else (1, 0, "")


class ProgramTest(Test):
    """A driver, a unit test or a check: status 0 passes, unless its last line counts for itself."""

    def __init__(self, suite, name, command, given):
        super().__init__(suite, name, given)
        self.command = command

    def attempt(self):
        with tempfile.TemporaryDirectory(prefix="ouro-test-") as folder:
            code, out, err = execute(self.command, folder, environment(self.given), None, 900 * self.given.slow)
        text = (out + err).decode("utf-8", "replace")
        lines = out.decode("utf-8", "replace").splitlines()
        counts = COUNTS.match(lines[-1]) if lines else None
        passed, failed = (int(counts[1]), int(counts[2])) if counts else (int(code == 0), int(code != 0))
        if code != 0 and not failed:
            failed = 1
        return passed, failed, f"{status_text(code)}\n{text[-4000:].rstrip()}" if failed else ""


def skip_list(folder):
    path = folder / "SKIP"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split(None, 1)[0]: line.split(None, 1)[1] for line in lines if line.strip() and not line.startswith("#")}


def discover(given):
    """-> [Test], [(suite, name, reason)] left out"""
    tests, skipped = [], []

    def wanted(suite):
        return (not given.suite or suite in given.suite) and suite not in given.without

    for folder in sorted(p for p in TESTS.iterdir() if p.is_dir() and p.name not in NOT_SUITES):
        suite = folder.name
        if not wanted(suite):
            continue
        skip = skip_list(folder)
        for path in sorted(folder.rglob("*.script")):
            if not any(path.with_suffix(s).exists() for s in EXPECTED):
                continue
            test = ScriptTest(suite, path, given)
            if test.name in skip:
                skipped.append((suite, test.name, skip[test.name]))
            else:
                tests.append(test)
        for path in sorted(folder.glob("check_*.py")):
            if path.stem in skip:
                skipped.append((suite, path.stem, skip[path.stem]))
            else:
                tests.append(ProgramTest(suite, path.stem, [sys.executable, str(path)] + given.command, given))
    for suite, pattern in (("unit", "test_*"), ("embed", "*")):
        if given.foreign or not wanted(suite):
            continue
        for path in sorted((given.build / "tests" / suite).glob(pattern)):
            if path.is_file() and os.access(path, os.X_OK):
                tests.append(ProgramTest(suite, path.name, [str(path)], given))
    if not given.foreign and wanted("checks"):
        for path in sorted((ROOT / "scripts").glob("check_*.py")):
            tests.append(ProgramTest("checks", path.stem, [sys.executable, str(path), str(given.build)], given))
    return [t for t in tests if given.k in f"{t.suite}/{t.name}"], skipped


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--suite", action="append", default=[])
    parser.add_argument("--without", action="append", default=[], help="leave out a suite")
    parser.add_argument("-k", default="", help="only tests whose suite/name contains this")
    parser.add_argument("-j", type=int, default=min(os.cpu_count() or 2, 8))
    parser.add_argument("--command", type=shlex.split)
    parser.add_argument("--sanitized", action="store_true", help="a build with ASan and UBSan: slower, status 98 on a finding")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--times", action="store_true", help="show the ten slowest")
    parser.add_argument("-q", action="store_true", help="one line for each failure, without its report")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and tests would inherit that
    given.build = given.build.resolve()
    given.foreign = given.command is not None
    given.command = given.command or [str(given.build / "ouro")]
    given.slow = 6 if given.sanitized else 1

    tests, skipped = discover(given)
    if given.list:
        print("\n".join(f"{t.suite}/{t.name}" for t in tests))
        return 0
    totals, good, bad = {}, 0, 0
    with ThreadPoolExecutor(given.j) as pool:
        for test, (passed, failed, report) in zip(tests, pool.map(Test.run, tests)):
            have = totals.setdefault(test.suite, [0, 0])
            have[0] += passed
            have[1] += failed
            good, bad = good + passed, bad + failed
            if failed:
                print(f"--- {test.suite}/{test.name}" + ("" if given.q else f"\n{report}"), flush=True)
    for suite, name, reason in skipped:
        print(f"left out {suite}/{name}: {reason}")
    if given.times:
        for test in sorted(tests, key=lambda t: -t.seconds)[:10]:
            print(f"{test.seconds:7.2f} s {test.suite}/{test.name}")
    for suite, (passed, failed) in totals.items():
        print(f"{suite:14} {passed:5} passed {failed:5} failed")
    print(f"{good} passed, {bad} failed")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
