#!/usr/bin/env python3
"""The command line: options, ways to give a program, exit statuses, standard input, the prompt.

    check_command_line.py INTERPRETER [ARGS]            compares with expected.json; the last line counts
    check_command_line.py --record PYTHON               writes expected.json from CPython 3.13

Each case is run in a fresh folder with the files of FILES, twice: with the end that frees every byte (OURO_LEAKCHECK) and with
the quick one. Words like PYTHONX=y before its arguments go to the environment. Paths of the folder and of the interpreter are replaced.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHOW = "import sys\nprint(__name__, __package__, __spec__ and __spec__.name, __file__, sys.argv, sys.path[0], sys.orig_argv[1:])\n"
FILES = {
    "show.py": SHOW,
    "folder/linked.py": SHOW,
    "package/__init__.py": "print('package', __name__, __package__)\n",
    "package/__main__.py": SHOW + "from . import helper\nfrom .helper import where\nprint(where())\n",
    "package/helper.py": "def where():\n    return __name__, __package__, __file__\n",
    "package/module.py": "from .helper import where\nprint(__name__, __package__, where())\n",
    "package/inner/__init__.py": "print('inner')\n",
    "package/inner/deep.py": "from ..helper import where\nprint(__name__, __package__, where()[0])\n",
    "nomain/__init__.py": "print('nomain')\n",
    "space/part.py": "print(__name__, __package__, __spec__.parent)\n",
    "withmain/__main__.py": SHOW + "import other\nprint(other.value, __package__ == '')\n",
    "withmain/other.py": "value = 5\n",
    "bom.py": b'\xef\xbb\xbfprint("bom")\r\nif 1:\r\n    print("crlf")\r\ns = """a\r\nb"""\r\nprint(repr(s))',
    "noend.py": 'print("no newline at the end")',
    "error.py": "def f():\n  1/0\nf()",
    "syntax.py": "def f(:\n  1/0\nf()",
    "empty.py": "",
    "notutf8.py": b'x = 1\nprint("\xff")\n',
    "latin.py": b'# coding: latin-1\nprint(ascii("\xff"))\n',
    "badname.py": "# coding: foo\nprint(1)\n",
    "status.py": "import sys; sys.exit(3)\n",
    "signal_self.py": "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    import time; time.sleep(5)\n"
                      "finally:\n    print('finally')\n",
}
ARGS = "import sys; print(sys.argv, repr(sys.path[0]), __name__, __spec__, sys.orig_argv[1:])"
D = "class D:\n def __init__(s, name): s.name = name\n def __del__(s): print('del', s.name)\n"
CASES = [  # arguments, standard input
    # files and folders
    ["show.py a -x"], ["./show.py"], ["package/../show.py"], ["link"], ["show.py -- -h"], ["-- show.py b"],
    ["nosuch.py"], ["nosuch/x.py"], ["withmain q"], ["withmain/"], ["nomain"],
    ["bom.py"], ["noend.py"], ["error.py"], ["syntax.py"], ["empty.py"], ["notutf8.py"], ["latin.py"], ["badname.py"],
    ["status.py"], ["signal_self.py"],
    # -c
    ["-c", ARGS, "a", "-b"], ["-cprint(1)"], ["-c", "print(1);1/0"], ["-c", "def f():\n  1/0\nf()"], ["-c", ""], ["-c"],
    # -m
    ["-m package a"], ["-m package.module"], ["-m package.__main__"], ["-m package.inner.deep"], ["-mshow x"], ["-m show -c x"],
    ["-m space.part"], ["-m nomain"], ["-m nosuch"], ["-m nosuch.x"], ["-m package.nosuch"], ["-m sys"], ["-m status"],
    ["-m .show"], ["-m", ""], ["-m"],
    # standard input
    ["-", None, "import sys; print(sys.argv, repr(sys.path[0]), __name__)"],
    ["- a b", None, "import sys\nprint(sys.argv)\n1/0"],
    ["", None, "import sys; print(sys.argv, repr(sys.path[0]))\nprint(__file__)"],
    ["-", None, "def f():\n  return 1/0\nf()\n"], ["-", None, "x = (\n"], ["-", None, ""],
    ["-c", "x = input('p> '); print(x)", None, "hello\n"], ["-c", "import sys; print(sys.stdin.read())", None, "abc"],
    ["-c", "input()", None, ""],
    # exit statuses
    *([["-c", code] for code in (
        "raise SystemExit", "raise SystemExit(None)", "raise SystemExit('msg')", "raise SystemExit(True)", "raise SystemExit(256 + 7)",
        "raise SystemExit(-1)", "raise SystemExit((1, 2))", "raise SystemExit(1.5)", "import sys; sys.exit([])", "exit(4)", "quit()",
        "raise KeyboardInterrupt", "raise KeyboardInterrupt('x')", "import os; os._exit(9)", "import os; os.abort()",
        "import sys; sys.stdout.write('x'); sys.exit('bye')", "class E(SystemExit):\n def __init__(s): s.code=5\nraise E",
        "raise BaseExceptionGroup('g', [SystemExit(3)])",
        "import atexit,sys; atexit.register(lambda: print('atexit')); sys.exit(2)",
        "import sys; sys.stderr=None; 1/0", "import sys; sys.stderr=None; sys.exit('text')", "import sys; sys.excepthook=None; 1/0",
        "import sys; del sys.excepthook; 1/0", "import sys\ndef h(*a): raise KeyError(3)\nsys.excepthook=h; 1/0",
        "import sys\ndef h(*a): raise SystemExit(6)\nsys.excepthook=h; 1/0")]),
    # the end of the program: what is left runs, in order, and what was written arrives
    *([["-c", code] for code in (
        D + "a = D('global'); _b = D('private'); a.me = a",
        D + "import sys; sys.kept = D('sys'); sys.kept.me = sys.kept",
        D + "import builtins; builtins.kept = D('builtins')",
        D + "import types, sys; m = types.ModuleType('m'); sys.modules['m'] = m; m.d = D('module'); m.m = m",
        D + "import atexit; d = D('object'); atexit.register(print, 'atexit'); raise ValueError('bye')",
        D + "import weakref; d = D('referent'); d.me = d; weakref.finalize(d, print, 'finalize')",
        D + "import threading, time; t = threading.Thread(target=lambda d: (time.sleep(.05), print('thread')), args=(D('argument'),)); "
            "t.start(); print('main')",
        D + "def g():\n try: yield D('local')\n finally: print('closed')\nx = g(); next(x)",
        D + "import asyncio\nasync def f():\n try: await asyncio.sleep(9)\n finally: print('task')\n"
            "async def main(): global t; t = asyncio.create_task(f()); await asyncio.sleep(0); d = D('local')\nasyncio.run(main())",
        "f = open('out.txt', 'w'); f.write('kept'); import atexit, subprocess; print(open('out.txt').read())",
        "import sys, os; sys.stdout.write('no newline'); sys.stderr.write('x'); sys.exit(0)",
        "import os\nif os.fork() == 0: print('child')\nelse: os.wait(); print('parent')")]),
    # options
    ["-u", "-c", "print(1)"], ["-B -E -s -S -q -c", "print(1)"], ["-BucPASS=1;print(PASS)"], ["-Z"], ["--nosuch"], ["-W"], ["-X"],
    ["-W ignore -c", "import sys, warnings; warnings.warn('x'); print(sys.warnoptions)"],
    ["-Werror -c", "import warnings; warnings.warn('x')"],
    ["-Wd -c", "import warnings; warnings.warn('x', DeprecationWarning)"],
    ["-W error -W ignore -c", "import warnings; warnings.warn('x')"],
    ["-X dev -c", "import sys; print(sys._xoptions, sys.flags.dev_mode)"], ["-Xa=b -X c -c", "import sys; print(sys._xoptions)"],
    ["-O -c", "assert 0; print(__debug__); import sys; print(sys.flags.optimize)"],
    ["-OO -c", "def f():\n 'doc'\nprint(f.__doc__, __debug__)"], ["-O -c", "exec(compile('assert 0', 's', 'exec', optimize=0))"],
    ["-P -c", "import sys; print(sys.path[:1] == [''], sys.flags.safe_path)"], ["-I -c", "import sys; print(sys.path[:1] == [''])"],
    # the environment
    ["PYTHONWARNINGS=ignore::UserWarning,,error::DeprecationWarning -Wd -c", "import sys, warnings; print(sys.warnoptions, warnings.filters[:2])"],
    ["PYTHONWARNINGS=error -E -c", "import sys; print(sys.warnoptions)"], ["PYTHONWARNINGS=error -c", "import warnings; warnings.warn('x')"],
    ["PYTHONWARNINGS= -c", "import sys; print(sys.warnoptions)"], ["PYTHONWARNINGS=bad -c", "import sys; print(sys.warnoptions)"],
    ["PYTHONDEVMODE=1 -We -c", "import sys; print(sys.flags.dev_mode, sys.warnoptions)"],
    ["PYTHONDEVMODE=1 -I -c", "import sys; print(sys.flags.dev_mode)"],
    ["PYTHONUNBUFFERED=1 -c", "import os, sys; sys.stdout.write('x'); os._exit(0)"],
    ["PYTHONUNBUFFERED= -c", "import os, sys; sys.stdout.write('x'); os._exit(0)"],
    # the prompt
    ["-i -c x=5", None, "print(x)\nx\n_+1\n1/0\nx\n"], ["-i error.py", None, "f.__name__\nimport sys\nsys.last_exc\nsys.last_type\n"],
    ["-i status.py", None, "print(1)\n"], ["-i -c 1/0", None, "exit(4)\n"],
    ["-q -i", None, "1+1\nif 1:\n print(2)\n\nx=\n3\n'abc'\nNone\n# comment\n\n"],
    ["-i -c", "import sys; sys.ps1='P1 '; sys.ps2='P2 '", None, "1\nif 1:\n  2\n\n"],
    ["-i -q", None, "def f(): return x y\n1\nfor i in range(2):\n  i\nelse:\n  9\n\n  5\nclass A:\n  def f(self):\n    pass\n\n\n"
                    "A.__name__\nraise SystemExit(7)\n"],
    ["-i -q", None, "def f():\n  return 1/0\n\ndef g():\n  return f()\n\ng()\n"],
]


def arguments(case):
    """-> argv, stdin: the first word list is split, what follows stands as it is, after a None comes standard input."""
    case = list(case)
    stdin = None
    if None in case:
        at = case.index(None)
        stdin = case[at + 1]
        case = case[:at]
    return (case[0].split() if "(" not in case[0] else [case[0]]) + case[1:], stdin


def run(command, args, stdin, **settings):
    with tempfile.TemporaryDirectory(prefix="ouro-cli-") as folder:
        folder = os.path.realpath(folder)
        for name, text in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.symlink("folder/linked.py", Path(folder, "link"))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "OURO_COLOR"))}
        env.update(PYTHONDONTWRITEBYTECODE="1", NO_COLOR="1", **settings)
        while args and re.match("PYTHON[A-Z]+=", args[0]):
            name, value = args[0].split("=", 1)
            env[name] = value
            args = args[1:]
        done = subprocess.run(command + args, input=(stdin or "").encode(), capture_output=True, cwd=folder, env=env, timeout=60)
        texts = []
        for data in (done.stdout, done.stderr):
            text = data.decode("utf-8", "replace").replace(folder, "FOLDER").replace(command[0], "EXE")
            text = re.sub(r"^usage: .*\nTry .*\n", "USAGE\n", text, flags=re.M)
            text = re.sub(r'^  File "<frozen runpy>".*\n', "", text, flags=re.M)
            texts.append(text)
        return [done.returncode] + texts


def main():
    path = HERE / "expected.json"
    record = sys.argv[1] == "--record"
    command = sys.argv[2:] if record else sys.argv[1:]
    found = {}
    for case in CASES:
        args, stdin = arguments(case)
        key = json.dumps([args, stdin])
        found[key] = run(command, args, stdin, OURO_LEAKCHECK="1")
        quick = found[key] if record else run(command, args, stdin, OURO_LEAKCHECK="")
        if quick != found[key]:
            found[key] = ["the end frees all:", *found[key], "the end is quick:", *quick]
    if record:
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
        path.write_text("{\n" + lines + "\n}\n")
        return 0
    expected = json.loads(path.read_text())
    failed = 0
    for key, result in found.items():
        if expected.get(key) != result:
            failed += 1
            print(f"--- {key}\nexpected {expected.get(key)}\nprinted  {result}")
    print(f"{len(found) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
