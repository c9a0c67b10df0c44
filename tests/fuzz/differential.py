#!/usr/bin/env python3
"""Random small programs under two interpreters: what they print must be the same.

    differential.py [-n PROGRAMS] [-s SEED] [--reference COMMAND] COMMAND...

A program is made from its seed alone, so `-s SEED -n 1` repeats a finding; it is also written to /tmp/differential-SEED.script.
The programs keep to what is deterministic: no addresses, no sets of strings, no hashes, no time. Each statement runs in
a try, and the exception's type and text are printed.
"""
import argparse
import random
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

NAMES = "abcdxyz"


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.depth = 0
        self.in_function = self.in_loop = self.in_generator = self.in_async = False

    def pick(self, *xs):
        return self.r.choice(xs)

    def name(self):
        return self.r.choice(NAMES)

    def atom(self):
        r = self.r
        return r.choice([
            lambda: self.name(), lambda: self.name(), lambda: self.name(),
            lambda: str(r.randint(-5, 20)), lambda: r.choice(["0", "1", "-1", "2**31", "2**47", "2**63", "-2**47", "10**20"]),
            lambda: r.choice(["1.5", "-0.0", "2.0", "1e10", "0.1"]), lambda: r.choice(["'s'", "'abc'", "''", "'é日'", "b'xy'"]),
            lambda: r.choice(["None", "True", "False"]), lambda: r.choice(["[]", "()", "{}", "[1, 2, 3]", "(1, 'a')", "{'k': 1}", "range(4)", "{1, 2}"]),
        ])()

    def expr(self):
        self.depth += 1
        try:
            if self.depth > 4 or self.r.random() < 0.25:
                return self.atom()
            e, n, r = self.expr, self.name, self.r
            forms = [
                lambda: f"({e()} {r.choice(['+', '-', '*', '//', '%', '/', '&', '|', '^', '<<', '>>'])} {e()})" if r.random() < .9 else f"({e()} ** {r.randint(-2, 5)})",
                lambda: f"({e()} {r.choice(['+', '-', '*', '%'])} {r.randint(-3, 9)})",
                lambda: f"({e()} {r.choice(['<', '<=', '>', '>=', '==', '!=', 'in', 'not in'])} {e()})",
                lambda: f"({e()} {r.choice(['<', '==', '!='])} {e()} {r.choice(['<', '>=', '=='])} {e()})",
                lambda: f"({e()} {r.choice(['and', 'or'])} {e()})", lambda: f"(not {e()})", lambda: f"({r.choice('-+~')}{e()})",
                lambda: f"({e()} if {e()} else {e()})",
                lambda: f"[{e()}, {e()}]", lambda: f"({e()}, {e()})", lambda: f"[{e()}, *{self.iterable()}]", lambda: f"{{{self.key()}: {e()}, {self.key()}: {e()}}}",
                lambda: f"{self.iterable()}[{r.randint(-3, 3)}]", lambda: f"{e()}[{e()}]",
                lambda: f"{self.iterable()}[{self.maybe_int()}:{self.maybe_int()}:{r.choice(['', '', '2', '-1', '-2'])}]",
                lambda: f"[{self.tmp(e)} for {n()} in {self.iterable()}]", lambda: f"[{e()} for {n()} in {self.iterable()} if {e()}]",
                lambda: f"{{{self.key()}: {e()} for {n()} in {self.iterable()}}}", lambda: f"list({e()} for {n()} in {self.iterable()})",
                lambda: f"[{e()} for {n()} in {self.iterable()} for {n()} in {self.iterable()}]",
                lambda: f"(lambda {n()}: {e()})({e()})", lambda: f"(lambda {n()}={e()}, *{r.choice(['p', 'q'])}: {e()})()",
                lambda: f"f'{{{self.fsafe()}}} {{{self.fsafe()}!r}}'", lambda: f"f'{{{r.randint(-99, 99)}:{r.choice(['>5', '05', '<4', '^7', 'x', ',', '+', '.2f'])}}}'",
                lambda: f"({n()} := {e()})",
                lambda: f"{r.choice(['len', 'sum', 'sorted', 'list', 'tuple', 'min', 'max', 'any', 'all', 'str', 'repr', 'abs', 'bool', 'int', 'float', 'type', 'reversed', 'iter'])}({e()})",
                lambda: f"list({r.choice(['enumerate', 'reversed', 'iter'])}({self.iterable()}))", lambda: f"list(zip({self.iterable()}, {self.iterable()}))", lambda: f"list(map(str, {self.iterable()}))",
                lambda: f"({e()}).{r.choice(['upper()', 'split()', 'append(1)', 'index(1)', 'count(1)', 'get(1)', 'keys()', 'pop()', 'real', 'join([])', 'copy()', 'nothing', 'sort()', 'items()', 'strip()', 'find(chr(97))'])}",
                lambda: f"f{r.randint(0, 2)}({e()})", lambda: f"f{r.randint(0, 2)}({e()}, {e()})", lambda: f"f{r.randint(0, 2)}(*{self.iterable()})", lambda: f"f{r.randint(0, 2)}({n()}={e()})",
                lambda: f"list(g{r.randint(0, 1)}({e()}))", lambda: f"C({e()})", lambda: f"C({e()}).{r.choice(['v', 'm()', 'm(1)', 'p', 'w', 's(2)'])}", lambda: f"isinstance({e()}, {r.choice(['int', 'str', '(list, tuple)', 'C', 'object'])})",
                lambda: f"('%s %r' % ({e()}, {e()}))", lambda: f"next(iter({e()}), {e()})",
            ]
            return r.choice(forms)()
        finally:
            self.depth -= 1

    def tmp(self, e):
        return e()

    def fsafe(self):
        return self.r.choice([self.name(), str(self.r.randint(0, 9)), f"{self.name()} * 2", f"[{self.name()}]", f"len(str({self.name()}))"])

    def key(self):
        return self.r.choice([str(self.r.randint(0, 5)), "'k'", "'z'", "(1, 2)", "None", "1.5", "True"])

    def maybe_int(self):
        return self.r.choice(["", "", str(self.r.randint(-4, 6))])

    def iterable(self):
        return self.r.choice([lambda: f"range({self.r.randint(0, 5)})", lambda: "[3, 1, 2]", lambda: "'hey'", lambda: "(1, 2)", lambda: self.name(), lambda: "{'a': 1, 'b': 2}", lambda: f"[{self.expr()}]" if self.depth < 4 else "[]", lambda: f"g{self.r.randint(0, 1)}({self.r.randint(0, 4)})"])()

    def target(self):
        n = self.name
        return self.r.choice([n, n, n, n, lambda: f"{n()}, {n()}", lambda: f"{n()}, *{n()}", lambda: f"{n()}[{self.r.randint(-2, 2)}]", lambda: f"[{n()}, ({n()}, {n()})]", lambda: f"{n()}.at"])()

    def block(self, indent, n=None):
        return "".join(self.stmt(indent) for _ in range(n or self.r.randint(1, 3)))

    def stmt(self, i):
        r, e, n, pad = self.r, self.expr, self.name, "    " * i
        simple = [
            lambda: f"{self.target()} = {e()}\n", lambda: f"{self.target()} = {e()}\n", lambda: f"{n()} {r.choice(['+', '-', '*', '//', '%', '|', '&'])}= {e()}\n", lambda: f"show({e()})\n", lambda: f"show({e()})\n",
            lambda: f"{n()} = {n()} = {e()}\n", lambda: f"del {r.choice([n(), n() + '[0]', n() + '[1:]'])}\n", lambda: f"assert {e()}, {e()}\n", lambda: f"{n()}: int = {e()}\n", lambda: f"raise {r.choice(['ValueError', 'KeyError', 'E'])}({e()})\n",
            lambda: f"{n()}[{e()}] = {e()}\n", lambda: f"{n()}.append({e()})\n",
        ]
        if self.in_loop:
            simple += [lambda: "break\n", lambda: "continue\n"]
        if self.in_function:
            simple += [lambda: f"return {e()}\n"]
        if self.in_generator:
            simple += [lambda: f"{n()} = yield {e()}\n", lambda: f"yield from {self.iterable()}\n"]
        if i > 4 or r.random() < 0.6:
            return pad + r.choice(simple)()

        def loop(head):
            old, self.in_loop = self.in_loop, True
            body = self.block(i + 1)
            self.in_loop = old
            return pad + head + body + (f"{pad}else:\n{self.block(i + 1, 1)}" if r.random() < .3 else "")

        def safe_while():
            k = r.randint(0, 999)
            old, self.in_loop = self.in_loop, True
            body = self.block(i + 1)
            self.in_loop = old
            return f"{pad}w{k} = 0\n{pad}while w{k} < 4 and ({e()} or True):\n{pad}    w{k} += 1\n" + body

        def handlers():
            text = f"{pad}try:\n{self.block(i + 1)}"
            form = r.randint(0, 4)
            if form < 4:
                text += f"{pad}except {r.choice(['ValueError', '(TypeError, KeyError)', 'Exception', 'LookupError', 'ZeroDivisionError'])} as ex:\n{pad}    show(type(ex).__name__)\n{self.block(i + 1)}"
                if r.random() < .3:
                    text += f"{pad}else:\n{self.block(i + 1, 1)}"
            if form >= 3:
                text += f"{pad}finally:\n{self.block(i + 1, 1)}"
            return text

        def function():
            saved = self.in_function, self.in_loop, self.in_generator
            k = r.randint(0, 2)
            if r.random() < .35:
                self.in_function, self.in_loop, self.in_generator = True, False, True
                text = f"{pad}def g{r.randint(0, 1)}({n()}={e()}):\n{self.block(i + 1)}{pad}    yield {e()}\n"
            else:
                self.in_function, self.in_loop, self.in_generator = True, False, False
                ps = r.sample(NAMES, 3)
                text = f"{pad}def f{k}({ps[0]}, {ps[1]}={e()}, *{ps[2]}, **kw):\n"
                if r.random() < .3:
                    free = r.choice([x for x in NAMES if x not in ps])
                    text += f"{pad}    global {free}\n"
                text += self.block(i + 1) + f"{pad}    return {e()}\n"
            self.in_function, self.in_loop, self.in_generator = saved
            return text

        def matching():
            p = lambda: r.choice([lambda: str(r.randint(0, 3)), lambda: f"[{n()}, *_]", lambda: f"({n()}, {n()}x)", lambda: "{'k': kk, **rest}", lambda: "int() | float()", lambda: f"str() as {n()}", lambda: "None", lambda: "C(v=cv)", lambda: "[1, *rr]", lambda: "[]"])()
            return f"{pad}match {e()}:\n" + "".join(f"{pad}    case {p()}{' if ' + e() if r.random() < .3 else ''}:\n{self.block(i + 2, 1)}" for _ in range(r.randint(1, 3))) + f"{pad}    case _:\n{self.block(i + 2, 1)}"

        return r.choice([
            lambda: f"{pad}if {e()}:\n{self.block(i + 1)}" + (f"{pad}elif {e()}:\n{self.block(i + 1)}" if r.random() < .4 else "") + (f"{pad}else:\n{self.block(i + 1)}" if r.random() < .5 else ""),
            lambda: loop(f"for {r.choice([n(), n(), n() + ', ' + n()])} in {self.iterable()}:\n"), lambda: loop(f"for {n()} in {self.iterable()}:\n"), safe_while, handlers, handlers, function, function, matching,
            lambda: f"{pad}with CM({e()}) as {n()}:\n{self.block(i + 1)}",
        ])()

    def program(self):
        out = [PRELUDE]
        for k in range(3):
            out.append(f"def f{k}(a, b=2, *c, **d): return (a, b, c, sorted(d))\n")
        for _ in range(self.r.randint(4, 9)):
            body = self.stmt(1)
            if self.r.random() < .5:
                out.append(f"try:\n{body}except Exception as exc: fail(exc)\n")
            else:
                saved = self.in_function
                self.in_function = True
                body = self.stmt(1) + self.stmt(1)
                self.in_function = saved
                k = self.r.randint(0, 2)
                out.append(f"def f{k}({self.name()}=1, *{self.r.choice('pq')}, **kw):\n{body}try: show(f{k}({self.atom()}))\nexcept Exception as exc: fail(exc)\n")
            out.append("dump()\n")
        return "".join(out)


PRELUDE = '''import sys
sys.setrecursionlimit(200)
class E(Exception): pass
class CM:
    def __init__(self, v): self.v = v
    def __enter__(self): print("enter"); return self.v
    def __exit__(self, t, v, tb): print("exit", t and t.__name__); return t is KeyError
class B:
    w = "inherited"
    def m(self, *a): return ("B.m", a)
class C(B):
    def __init__(self, v): self.v = v
    def m(self, *a): return ("C.m", self.v, super().m(*a))
    @property
    def p(self): return [self.v]
    @staticmethod
    def s(x): return x
    def __eq__(self, o): return isinstance(o, C) and self.v == o.v
    def __hash__(self): return 1
    def __repr__(self): return f"C({self.v!r})"
    def __add__(self, o): return C((self.v, o))
    def __len__(self): return 2
    def __getitem__(self, i): return (self.v, i)[i]
a, b, c, d, x, y, z = 1, "text", [1, 2, 3], {"k": 1}, 2.5, (1, 2), None
def g0(n=3):
    for i in range(n): yield i
def g1(n=2):
    r = yield from g0(n)
    yield r
def safe(v):
    t = type(v).__name__
    if t in ("int", "float", "str", "bool", "NoneType", "bytes", "range", "C"):
        try: s = repr(v)
        except ValueError as ex: s = str(ex)[:20]
        return s if len(s) < 200 else s[:90] + "..." + str(len(s))
    if t in ("list", "tuple"): return t + "(" + ", ".join(safe(i) for i in v[:20]) + ")"
    if t == "set": return "set of %d" % len(v)
    if t == "dict": return "{" + ", ".join(safe(k) + ": " + safe(v[k]) for k in list(v)[:20]) + "}"
    return "<" + t + ">"
def show(v):
    try: print(safe(v))
    except RecursionError: print("deep")
def fail(e):
    s = str(e)
    print("!", type(e).__name__, "..." if "0x" in s or isinstance(e, RecursionError) or len(s) > 150 else s)
def dump():
    for k in "abcdxyz":
        if k in globals(): show(globals()[k])
        else:
            print("no", k)
            globals()[k] = 5
'''


def run(command, path):
    try:
        done = subprocess.run(command + [path], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        return done.returncode, done.stdout, done.stderr[-600:]
    except subprocess.TimeoutExpired:
        return "timeout", b"", b""


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("-s", type=int, default=1)
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("--reference", type=shlex.split, default=["python3.13", "-W", "ignore"])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    folder = tempfile.mkdtemp()

    def one(seed):
        text = Maker(seed).program()
        path = f"{folder}/{seed}.script"
        with open(path, "w") as f:
            f.write(text)
        want = run(given.reference, path)
        if want[0] != 0:
            return seed, None, text, want, want
        got = run(given.command, path)
        return seed, want[:2] == got[:2], text, want, got

    bad = skipped = 0
    with ThreadPoolExecutor(given.j) as pool:
        for seed, same, text, want, got in pool.map(one, range(given.s, given.s + given.n)):
            if same is None:
                skipped += 1
            elif not same:
                bad += 1
                with open(f"/tmp/differential-{seed}.script", "w") as f:
                    f.write(text)
                a, b = want[1].decode().splitlines(), got[1].decode("utf-8", "replace").splitlines()
                at = next((i for i, (p, q) in enumerate(zip(a, b)) if p != q), min(len(a), len(b)))
                print(f"--- seed {seed}: status {got[0]}, line {at + 1}: expected {a[at:at + 1]}, printed {b[at:at + 1]} {got[2].decode('utf-8', 'replace')[-300:]}")
    print(f"{given.n - bad - skipped} same, {bad} different, {skipped} not usable")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
