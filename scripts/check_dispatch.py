#!/usr/bin/env python3
"""Check that the evaluator kept one indirect jump for each instruction: gcc likes to merge them into a few, which costs 4 %.

    check_dispatch.py [BUILD]

Counts the indirect jumps of the evaluator's object file against the rows of vm/opcodes.def. Sanitized and unoptimised builds pass unseen.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release")
    objects = list(build.glob("libou_eval.a.p/*eval.c.o"))
    if not objects:
        print("no object file of the evaluator")
        return 1
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(objects[0])], capture_output=True, text=True, check=True).stdout
    if "__asan" in text:
        return 0
    jumps = len(re.findall(r"\bjmp\s+\*", text)) if "x86-64" in text else len(re.findall(r"\bbr\s+x", text))
    opcodes = len(re.findall(r"^OP\(", (ROOT / "vm/opcodes.def").read_text(), re.M))
    print(f"{jumps} indirect jumps for {opcodes} instructions")
    return 0 if jumps >= opcodes * 0.8 else 1


sys.exit(main())
