"""Runs a script under CPython with Ouro's script modules in place of CPython's.

    under_cpython.py SCRIPT [ARGS]   run one script over stdlib/*.script
    under_cpython.py --check [DIR]   run every DIR/*.script (default: this folder) and compare it with its .out
    under_cpython.py --record [DIR]  write every missing or changed .out, using CPython's own modules

The modules that Ouro writes in C are taken from CPython under the names that Ouro gives them (natives() below).
So a test that passes here and fails under `ouro` points at the evaluator or at a native, not at the script module.
"""
import sys

HERE = __file__.rpartition("/")[0] or "."
ROOT = HERE + "/../../stdlib"
# Script modules over natives that CPython has nothing like.
SKIP = ("asyncio", "re", "importlib", "codecs", "encodings", "ssl", "socket", "signal", "select", "subprocess")


def natives():
    """Modules that exist in Ouro as C, made of what CPython has."""
    import types
    import posix
    import _collections
    out = {}

    def module(name, **members):
        out[name] = types.ModuleType(name)
        vars(out[name]).update(members)

    module("_types", **{n: v for n, v in vars(types).items() if isinstance(v, type)}, coroutine=types.coroutine)
    del out["_types"].DynamicClassAttribute
    del out["_types"]._GeneratorWrapper
    module("_os", **{n: v for n, v in vars(posix).items() if not n.startswith("__")})
    def move_to_end(od, key, last=True):
        value = dict.pop(od, key)
        if last:
            dict.__setitem__(od, key, value)
        else:
            rest = list(dict.items(od))
            dict.clear(od)
            dict.__setitem__(od, key, value)
            dict.update(od, rest)
    module("_collections", deque=_collections.deque, defaultdict=_collections.defaultdict, _move_to_end=move_to_end,
           _count_elements=_collections._count_elements)
    return out


class Finder:
    """Finds stdlib/NAME.script and stdlib/NAME/__init__.script before CPython's own."""
    import importlib.util
    import os
    make_spec = staticmethod(importlib.util.spec_from_loader)
    exists = staticmethod(os.path.exists)
    open = staticmethod(open)

    def find_spec(self, name, path=None, target=None):
        stem = ROOT + "/" + name.replace(".", "/")
        for file, is_package in ((stem + "/__init__.script", True), (stem + ".script", False)):
            if self.exists(file) and name.partition(".")[0] not in SKIP:
                spec = self.make_spec(name, self, origin=file, is_package=is_package)
                if is_package:
                    spec.submodule_search_locations = [stem]
                return spec
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        file = module.__spec__.origin
        module.__file__ = file
        with self.open(file, encoding="utf-8") as f:
            exec(compile(f.read(), file, "exec"), module.__dict__)
        if module.__name__ == "os":
            # Modules of CPython that have no .script want this.
            module._get_exports_list = lambda m: list(getattr(m, "__all__", ()))


def install():
    import importlib.util
    import os
    sys.modules.update(natives())
    sys.meta_path.insert(0, Finder())
    for base, _, files in os.walk(ROOT):
        for file in files:
            if file.endswith(".script"):
                name = os.path.relpath(os.path.join(base, file), ROOT)[:-7].replace("/", ".")
                if name.partition(".")[0] not in SKIP:
                    sys.modules.pop(name.removesuffix(".__init__"), None)
    for name in ("re", "re._parser", "re._compiler", "re._constants", "re._casefix", "contextlib", "_strptime"):
        sys.modules.pop(name, None)


def run(script, args):
    sys.argv = [script, *args]
    main = sys.modules["__main__"]
    install()
    with open(script, encoding="utf-8") as f:
        code = compile(f.read(), script, "exec")
    fresh = type(sys)("__main__")
    fresh.__file__ = script
    fresh.__under__ = main
    sys.modules["__main__"] = fresh
    exec(code, vars(fresh))


def sweep(directory, record):
    import glob
    import os
    import subprocess
    bad = 0
    for script in sorted(glob.glob(os.path.join(directory, "*.script"))):
        out = script[:-7] + ".out"
        argv = [sys.executable, "-X", "utf8"] + ([] if record else [__file__]) + [script]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if record:
            if done.returncode:
                print("record failed", script, done.stderr.decode()[-2000:])
                bad += 1
                continue
            with open(out, "wb") as f:
                f.write(done.stdout)
        elif not os.path.exists(out) or open(out, "rb").read() != done.stdout or done.returncode:
            bad += 1
            print("FAIL", script, done.stderr.decode()[-1500:])
    print("bad:", bad)
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("--check", "--record"):
        sys.exit(sweep(sys.argv[2] if len(sys.argv) > 2 else HERE, sys.argv[1] == "--record"))
    run(sys.argv[1], sys.argv[2:])
