"""Inputs that are too deep, too long, or no text at all: an exception or a syntax error with status 1, or plain success;
never a signal, a hang, or memory without bound.

    check_limits.py COMMAND...      (run_tests.py calls it; the last line counts)

Each case is a generated file. It says what may come out: the names of exceptions on the last line of stderr, or
"ok" for a run that must succeed with the given standard output.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile

MEMORY = 3 << 30  # address space for the child; a sanitizer's shadow needs far more, so not there
SECONDS = 60
SANITIZED = "ASAN_OPTIONS" in os.environ
DEPTH = ("RecursionError", "MemoryError", "SyntaxError")
N = 100_000
STACK = resource.getrlimit(resource.RLIMIT_STACK)[0]
ROOMY = not SANITIZED and (STACK == resource.RLIM_INFINITY or STACK >= 8 << 20)
DEEP = 9_000 if ROOMY else 300  # what CPython still takes; what fits into a small C stack


def deep(opening, closing="", middle="1"):
    return opening * N + middle + closing * N


CASES = {
    # name: (source, allowed exceptions or "ok", expected stdout)
    "dotted name of an import": ("import " + "a." * N + "b", ("RecursionError", "ModuleNotFoundError")),
    "dotted name at run time": ("__import__('a.' * 200_000 + 'b')", ("RecursionError", "ModuleNotFoundError")),
    "from a dotted name": ("from " + "a." * N + "b import c as d", ("RecursionError", "ModuleNotFoundError")),
    "descriptor without bounds": ("import asyncio\nasyncio.new_event_loop().add_reader(10 ** 9, print)", ("OSError",)),
    "keywords without number": ("def f(**k): return len(k)\nprint(f(" + ",".join(f"k{i}=1" for i in range(2 * N)) + "))", "ok", "200000\n"),
    "attributes without number": ("class A:\n    def f(self):\n" + "".join(f"        self.a{i * 7919 % N} = 1\n" for i in range(N)) +
                                  "print(len(A.__static_attributes__))", "ok", "100000\n"),
    "sum of many terms": ("print(" + "1 + " * DEEP + "1)", "ok", f"{DEEP + 1}\n"),
    "many elifs": ("a = 1\nif a == 0: pass\n" + "elif a == 0: pass\n" * (DEEP // 2) + "else: print('else')", "ok", "else\n"),
    "deep list": (f"a = b = []\nfor i in range({DEEP}): a = [a]; b = [b]\nprint(len(repr(a)), a == b, a < b)", "ok", f"{2 * DEEP + 2} True False\n"),
    "recursion": ("def f(): return f()\nf()", ("RecursionError",)),
    "recursion caught": ("def f(n): return f(n + 1)\nfor i in range(3):\n    try: f(0)\n    except RecursionError as e: print(e)", "ok", "maximum recursion depth exceeded\n" * 3),
    "recursion by method": ("class C:\n    def m(self): return self.m()\nC().m()", ("RecursionError",)),
    "recursion by property": ("class C:\n    @property\n    def p(self): return self.p\nC().p", ("RecursionError",)),
    "recursion by repr": ("class C:\n    def __repr__(self): return repr(self)\nrepr(C())", ("RecursionError",)),
    "recursion by str": ("class C:\n    def __str__(self): return f'{self}'\nprint(C())", ("RecursionError",)),
    "recursion by eq": ("class C:\n    def __eq__(self, o): return self == o\nC() == 1", ("RecursionError",)),
    "recursion by hash": ("class C:\n    def __hash__(self): return hash(self)\n{C(): 1}", ("RecursionError",)),
    "recursion by getattr": ("class C:\n    def __getattr__(self, n): return getattr(self, n + 'x')\nC().a", ("RecursionError",)),
    "recursion by getattribute": ("class C:\n    def __getattribute__(self, n): return self.n\nC().a", ("RecursionError",)),
    "recursion by call": ("class C: pass\nC.__call__ = lambda s: s()\nC()()", ("RecursionError",)),
    "recursion by call of itself": ("class C: pass\nC.__call__ = C()\nC()()", ("RecursionError",)),
    "recursion by add": ("class C:\n    def __add__(self, o): return self + o\nC() + 1", ("RecursionError",)),
    "recursion by iter": ("class C:\n    def __iter__(self): return iter(self)\nlist(C())", ("RecursionError",)),
    "recursion by init": ("class C:\n    def __init__(self): C()\nC()", ("RecursionError",)),
    "recursion by new": ("class C:\n    def __new__(c): return C()\nC()", ("RecursionError",)),
    "recursion by generator": ("def g(): yield from g()\nlist(g())", ("RecursionError",)),
    "recursion by for": ("def g():\n    for x in g(): yield x\nlist(g())", ("RecursionError",)),
    "recursion by coroutine": ("async def c(): await c()\ntry: c().send(None)\nexcept RecursionError: print('caught')", "ok", "caught\n"),
    "recursion by comprehension": ("def f(): return [f() for _ in (1,)]\nf()", ("RecursionError",)),
    "recursion by lambda": ("f = lambda: f()\nf()", ("RecursionError",)),
    "recursion by map": ("def f(x): return list(map(f, [x]))\nf(1)", ("RecursionError",)),
    "recursion by sorted key": ("def f(x): return sorted([x], key=f)\nf(1)", ("RecursionError",)),
    "recursion by exec": ("s = 'exec(s)'\nexec(s)", ("RecursionError",)),
    "recursion by eval": ("s = 'eval(s)'\neval(s)", ("RecursionError",)),
    "recursion by decorator class": ("class D:\n    def __get__(self, o, t): return o.x\nclass C: x = D()\nC().x", ("RecursionError",)),
    "recursion by isinstance": ("class M(type):\n    def __instancecheck__(c, x): return isinstance(x, c)\nclass C(metaclass=M): pass\nisinstance(1, C)", ("RecursionError",)),
    "recursion by index": ("class C:\n    def __index__(self): return int(self)\nint(C())", ("RecursionError",)),
    "recursion by bool": ("class C:\n    def __bool__(self): return not self\nbool(C())", ("RecursionError",)),
    "recursion by len": ("class C:\n    def __len__(self): return len(self)\nlen(C())", ("RecursionError",)),
    "recursion by with": ("class C:\n    def __enter__(self):\n        with self: pass\n    def __exit__(self, *a): pass\nwith C(): pass", ("RecursionError",)),
    "recursion by except": ("def f():\n    try: f()\n    finally: f\nf()", ("RecursionError",)),
    "recursion in handler": ("def f():\n    try: 1 / 0\n    except ZeroDivisionError: f()\nf()", ("RecursionError",)),
    "recursion by init_subclass": ("class C:\n    def __init_subclass__(cls): type('S', (cls,), {})\nclass D(C): pass", ("RecursionError",)),
    "recursion by missing": ("class D(dict):\n    def __missing__(s, k): return s[k]\nD()[1]", ("RecursionError",)),
    "recursion by format": ("class C:\n    def __format__(self, s): return format(self, s)\nformat(C())", ("RecursionError",)),
    "recursion by contains": ("class C:\n    def __contains__(self, x): return x in self\n1 in C()", ("RecursionError",)),
    "recursion by del": ("class C:\n    def __del__(self): C()\nimport sys\nn = 0\nclass D:\n    def __del__(self):\n        global n\n        n += 1\n        if n < 10000: D()\nD()\nprint(n > 100)", "ok", "True\n"),
    "many calls after overflow": ("def f(): f()\nfor i in range(50):\n    try: f()\n    except RecursionError: pass\nprint('alive')", "ok", "alive\n"),
    "setrecursionlimit": ("import sys\nsys.setrecursionlimit(50)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(30))\nf(60)", ("RecursionError",)),
    "parentheses": (deep("(", ")"), DEPTH),
    "square brackets": (deep("[", "]"), DEPTH),
    "braces": (deep("{", "}"), DEPTH),
    "unclosed": ("(" * N, DEPTH),
    "calls": (deep("f(", ")"), DEPTH),
    "subscripts": (deep("a[", "]"), DEPTH),
    "unary minus": ("x = " + deep("-"), DEPTH),
    "not": ("x = " + deep("not "), DEPTH),
    "tilde": ("x = " + deep("~"), DEPTH),
    "power": ("x = " + "1**" * N + "1", DEPTH),
    "lambda": ("x = " + deep("lambda: "), DEPTH),
    "conditional": ("x = " + "1 if 1 else " * N + "1", DEPTH + ("ok",)),
    "await chain": ("async def f(): return " + deep("await ", "", "x"), DEPTH),
    "sum of many": ("x = " + "1+" * N + "1\nprint('ok')", DEPTH + ("ok",)),
    "and of many": ("x = " + "1 and " * N + "1\nprint('ok')", DEPTH + ("ok",)),
    "comparison of many": ("x = " + "1 < " * N + "1\nprint('ok')", DEPTH + ("ok",)),
    "strings of many": ("x = " + "'a' " * N + "\nprint(len(x))", DEPTH + ("ok",)),
    "attribute chain": ("x = a" + ".b" * N, DEPTH + ("NameError",)),
    "call chain": ("x = a" + "()" * N, DEPTH + ("NameError",)),
    "subscript chain": ("x = a" + "[0]" * N, DEPTH + ("NameError",)),
    "assignment chain": ("x = " * N + "1\nprint(x)", DEPTH + ("ok",)),
    "elif chain": ("x = 5\nif x == 0: pass\n" + "".join("elif x == %d: pass\n" % i for i in range(10, 20000)) + "print('ok')", DEPTH + ("ok",)),
    "nested ifs": ("".join(" " * i + "if 1:\n" for i in range(150)) + " " * 150 + "pass", ("IndentationError",)),
    "nested functions": ("".join(" " * i + "def f():\n" for i in range(90)) + " " * 90 + "pass\nprint('ok')", DEPTH + ("ok", "IndentationError")),
    "nested loops": ("".join(" " * i + "for x in (1,):\n" for i in range(60)) + " " * 60 + "pass", DEPTH + ("ok",)),
    "nested f-strings": ("x = " + "f'{" * 1000 + "1" + "}'" * 1000, DEPTH),
    "nested comprehensions": ("x = " + "[" * 150 + "1" + " for a in (1,)]" * 150, DEPTH + ("ok",)),
    "pattern depth": ("match 1:\n case " + deep("[", "]", "x") + ": pass", DEPTH),
    "target depth": (deep("(", ",)", "x") + " = 1", DEPTH),
    "ten megabyte name": ("x" * (10 << 20) + " = 1\nprint('ok')", "ok", "ok\n"),
    "ten megabyte line": ("x = '" + "y" * (10 << 20) + "'\nprint(len(x))", "ok", f"{10 << 20}\n"),
    "ten megabyte comment": ("#" + "c" * (10 << 20) + "\nprint('ok')", "ok", "ok\n"),
    "ten megabyte of spaces": ("x = 1" + " " * (10 << 20) + "\nprint('ok')", "ok", "ok\n"),
    "ten megabyte number": ("x = " + "1" * (10 << 20), ("SyntaxError", "ValueError")),
    "long hexadecimal": ("x = 0x" + "f" * 1_000_000 + "\nprint(x.bit_length())", "ok", "4000000\n"),
    "hundred thousand elements": ("x = [" + "1," * N + "]\nprint(len(x))", "ok", f"{N}\n"),
    "hundred thousand names": ("a = 1\nx = [" + "a," * N + "]\nprint(len(x))", "ok", f"{N}\n"),
    "hundred thousand pairs": ("x = {" + "".join("%d:%d," % (i, i) for i in range(N)) + "}\nprint(len(x))", "ok", f"{N}\n"),
    "hundred thousand arguments": ("def f(*a): print(len(a))\nf(" + "1," * N + ")", DEPTH + ("ok",)),
    "thousands of parameters": ("def f(" + ",".join("a%d" % i for i in range(5000)) + "): return a4999\nprint(f(*range(5000)))", DEPTH + ("ok",)),
    "thousands of locals": ("def f():\n" + "".join(" v%d = %d\n" % (i, i) for i in range(10000)) + " return v9999\nprint(f())", DEPTH + ("ok",)),
    "hundred thousand lines": ("x = 0\n" + "x += 1\n" * N + "print(x)", "ok", f"{N}\n"),
    "thousands of constants": ("x = [" + ",".join("'c%d'" % i for i in range(70000)) + "]\nprint(len(set(x)))", "ok", "70000\n"),
    "thousands of functions": ("".join("def f%d(): return %d\n" % (i, i) for i in range(5000)) + "print(f4999())", "ok", "4999\n"),
    "long jump": ("def f(x):\n    while x:\n        x -= 1\n" + "        y = x + 1\n" * 30000 + "    return 'ok'\nprint(f(2))", "ok", "ok\n"),
    "big exec": ("exec('x = [' + '1, ' * 100000 + ']')\nprint(len(x))", "ok", f"{N}\n"),
    "big eval": ("print(len(eval('(' + 'None, ' * 100000 + ')')))", "ok", f"{N}\n"),
    "deep eval": ("for s in ('(' * 100000, '[' * 99999 + ']' * 99999, '-' * 100000 + '1', 'a' + '.b' * 100000):\n    try: eval(s)\n    except (SyntaxError, MemoryError, RecursionError, NameError) as e: print('refused')", "ok", "refused\n" * 4),
    "deep list repr": ("x = []\nfor i in range(100000): x = [x]\ntry: repr(x)\nexcept RecursionError: print('refused')", "ok", "refused\n"),
    "deep list compare": ("x, y = [], []\nfor i in range(100000): x, y = [x], [y]\ntry: x == y\nexcept RecursionError: print('refused')", "ok", "refused\n"),
    "deep tuple hash": ("x = ()\nfor i in range(100000): x = (x,)\ntry: hash(x); print('ok')\nexcept RecursionError: print('ok')", "ok", "ok\n"),
    "deep list freed": ("x = []\nfor i in range(1000000): x = [x]\ndel x\nprint('freed')", "ok", "freed\n"),
    "deep dict freed": ("x = {}\nfor i in range(300000): x = {1: x}\ndel x\nprint('freed')", "ok", "freed\n"),
    "deep instances freed": ("class N: pass\nx = None\nfor i in range(300000):\n    n = N(); n.next = x; x = n\ndel x, n\nprint('freed')", "ok", "freed\n"),
    "deep closures freed": ("f = None\ndef wrap(g): return lambda: g\nfor i in range(100000): f = wrap(f)\ndel f\nprint('freed')", "ok", "freed\n"),
    "deep cause chain": ("e = None\nfor i in range(20000):\n    n = ValueError(i); n.__cause__ = e; e = n\ndel e, n\nprint('freed')", "ok", "freed\n"),
    "deep iterators freed": ("i = iter([])\nfor _ in range(100000): i = iter(map(str, i))\ndel i\nprint('freed')", "ok", "freed\n"),
    "deep map chain": ("i = iter([1])\nfor _ in range(100000): i = map(lambda x: x, i)\ntry: print(next(i))\nexcept RecursionError: print(1)", "ok", "1\n"),
    "deep generators": ("def g(i):\n    yield from i\ni = iter([1])\nfor _ in range(100000): i = g(i)\ntry: print(next(i))\nexcept RecursionError: print(1)", "ok", "1\n"),
    "huge repetition": ("for e in ('\"a\" * (1 << 62)', '[0] * (1 << 61)', 'b\"a\" * (1 << 62)', '(1,) * (1 << 60)', 'bytearray(1 << 62)', '[None] * (1 << 62)', '\"x\".ljust(1 << 62)', '\" \".join([\"\"] * 9).zfill(1 << 62)', '\"%%%dd\" % (1 << 62) % 1'):\n    try: eval(e); print('made')\n    except (MemoryError, OverflowError, ValueError): print('refused')", "ok", "refused\n" * 9),
    "huge shift": ("try: 1 << (1 << 62)\nexcept (MemoryError, OverflowError): print('refused')", "ok", "refused\n"),
    "huge format width": ("for s in ('{:1000000000000000000}', '{:.1000000000000000000f}'):\n    try: s.format(1.5); print('made')\n    except (ValueError, MemoryError, OverflowError): print('refused')", "ok", "refused\n" * 2),
    "null byte": (b"x = 1\0\nprint(x)", ("SyntaxError",)),
    "null byte in a string": (b"x = 'a\0b'", ("SyntaxError",)),
    "null byte in a comment": (b"# \0\nx = 1", ("SyntaxError",)),
    "only null bytes": (b"\0" * 1000, ("SyntaxError",)),
    "invalid utf-8": (b"x = '\xff\xfe'", ("SyntaxError",)),
    "invalid utf-8 in a comment": (b"# \xc3\x28\nx = 1", ("SyntaxError",)),
    "invalid utf-8 in a name": (b"x\x80 = 1", ("SyntaxError",)),
    "overlong utf-8": (b"x = '\xc0\xaf'", ("SyntaxError",)),
    "surrogate in utf-8": (b"x = '\xed\xa0\x80'", ("SyntaxError",)),
    "utf-8 cut at the end": (b"x = '\xe2\x82", ("SyntaxError",)),
    "utf-16 file": ("x = 1\n".encode("utf-16"), ("SyntaxError",)),
    "random bytes": (bytes((i * 7919 + i * i * 31) % 256 for i in range(5000)), ("SyntaxError",)),
    "high bytes": (b"\xff" * 5000, ("SyntaxError",)),
    "byte order mark": (b"\xef\xbb\xbfprint('ok')", "ok", "ok\n"),
    "byte order mark alone": (b"\xef\xbb\xbf", "ok", ""),
    "bad coding cookie": (b"# coding: no-such\nx = 1", ("SyntaxError",)),
    "empty file": (b"", "ok", ""),
    "only newlines": (b"\n" * 100000, "ok", ""),
    "only carriage returns": (b"\r" * 100000, "ok", ""),
    "only backslashes": (b"\\" * 1000, ("SyntaxError",)),
    "only quotes": (b"'" * 100001, ("SyntaxError",)),
    "only spaces": (b" " * 100000, "ok", ""),
    "only tabs": (b"\t" * 1000 + b"x", ("IndentationError",)),
    "only semicolons": (b";" * 1000, ("SyntaxError",)),
    "only commas": (b"," * N, ("SyntaxError",)),
    "only dots": (b"." * N, ("SyntaxError",)),
    "only at signs": (b"@" * N, ("SyntaxError",)),
    "only colons": (b":" * N, ("SyntaxError",)),
    "only stars": (b"*" * N, ("SyntaxError",)),
    "control characters": (bytes(range(1, 32)), ("SyntaxError", "IndentationError")),
    "cut in a string": (b"x = 'abc", ("SyntaxError",)),
    "cut in a triple string": (b"x = '''abc\n", ("SyntaxError",)),
    "cut in a bracket": (b"x = [1, 2,\n", ("SyntaxError",)),
    "cut in an f-string": (b"x = f'{a", ("SyntaxError",)),
    "cut after def": (b"def f", ("SyntaxError",)),
    "cut after colon": (b"def f():\n", ("IndentationError",)),
    "cut after backslash": (b"x = 1 + \\", ("SyntaxError",)),
    "cut in an escape": (b"x = '\\x4", ("SyntaxError",)),
    "cut after decorator": (b"@d", ("SyntaxError",)),
    "cut in a number": (b"x = 0x", ("SyntaxError",)),
}
if ROOMY:
    CASES["deep recursion through natives"] = (
        "import functools, sys\nsys.setrecursionlimit(10**6)\n"
        "@functools.cache\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(4000))\n"
        "class N:\n    def __init__(self, k): self.k = k\n    def __repr__(self): return f'N({self.k!r})'\n    def __hash__(self): return hash(self.k)\n"
        "x = 1\nfor i in range(3000): x = N(x)\nprint(len(repr(x)), hash(x))", "ok", "4000\n9001 1\n")


def limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def attempt(command, folder, name, case):
    source, allowed, *rest = case
    path = os.path.join(folder, re.sub(r"\W", "_", name) + ".script")
    with open(path, "wb") as f:
        f.write(source if isinstance(source, bytes) else source.encode())
    try:
        done = subprocess.run(command + [path], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS * (5 if SANITIZED else 1), preexec_fn=limit)
    except subprocess.TimeoutExpired:
        return "no end in time"
    finally:
        os.remove(path)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    last = err.strip().splitlines()[-1] if err.strip() else ""
    if done.returncode == 0 and (allowed == "ok" or "ok" in allowed):
        return f"printed {out[-200:]!r}, expected {rest[0]!r}" if rest and out != rest[0] else None
    kind = re.split(r"[: ]", last)[0]
    if done.returncode == 1 and allowed != "ok" and kind in allowed:
        return None
    return f"status {done.returncode}, last line {last[:200]!r}, allowed {allowed}"


def truncations(command, folder):
    """A program cut after each of many bytes: only ever a syntax error, or a run."""
    source = ("# é\n@d\nasync def f(a, /, b=1, *c, d, **e) -> int:\n    '''doc'''\n    async with x as y, z: await w\n    try: return [i async for i in y if i]\n    except* E as e: raise\n"
              "    finally: del a[1:2]\nclass C[T: int](B, k=1):\n    x: int = 0x_1F + 1.5e-3j\n    s = f'a{x!r:>{w}}b' if rb'\\x00' else b''\nmatch p:\n    case {'k': [1, *_], **r} if q: pass\n"
              "lambda *a, k=1: (yield)\nx = (y := 3) if z else {**a, 'b': {*c}}\nwhile not x <= y is not z: break\nelse: global g; import a.b as c\nfrom . import (d as e, f)\n").encode()
    driver = os.path.join(folder, "driver.script")
    with open(driver, "w") as f:
        f.write(f"src = {source!r}\ngood = 0\nfor n in range(len(src)):\n    try: compile(src[:n], 'cut', 'exec')\n    except SyntaxError: pass\n    good += 1\n"
                "for n in range(len(src)):\n    for b in (0, 39, 40, 92, 123, 255):\n        try: compile(src[:n] + bytes([b]) + src[n + 1:], 'hit', 'exec')\n        except (SyntaxError, ValueError): pass\n        good += 1\nprint(good == 7 * len(src))\n")
    done = subprocess.run(command + [driver], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, preexec_fn=limit)
    return None if (done.returncode, done.stdout) == (0, "True\n") else f"status {done.returncode} {done.stdout[-100:]} {done.stderr[-300:]}"


def main():
    command = sys.argv[1:]
    only = os.environ.get("LIMITS_ONLY", "")
    good, bad = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        results = [(name, attempt(command, folder, name, case)) for name, case in CASES.items() if only in name]
        if only in "truncations":
            results.append(("truncations", truncations(command, folder)))
    for name, problem in results:
        if problem:
            print(f"{name}: {problem}")
    bad = sum(problem is not None for _, problem in results)
    print(f"{len(results) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
