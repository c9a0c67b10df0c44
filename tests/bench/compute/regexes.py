# Regular expressions over a log: findall, finditer with groups, sub with a function, split, search line by line, a tokenizer.
import re
import sys

LOG = "\n".join(f"2024-01-{i % 28 + 1:02d} 12:{i % 60:02d}:00 [INFO] user{i}@example{i % 7}.com from 10.0.{i % 256}.{i * 7 % 256} took {i * 3}ms"
                for i in range(1000))
TOKEN = re.compile(r'(?P<num>\d+(?:\.\d*)?)|(?P<id>[A-Za-z_]\w*)|(?P<op>[+\-*/=<>!]=?|[()\[\]{},;:])|(?P<str>"[^"]*")|(?P<ws>\s+)')
LINE = re.compile(r"^(?P<date>\d{4}-\d\d-\d\d) (?P<time>[\d:]+) \[(?P<level>\w+)\] (?P<rest>.*)$", re.M)
SOURCE = 'def foo(a, b): return a + b * 3.14 - "hello world" if x >= 10 else bar[1:2]\n' * 100


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    t = 0
    for _ in range(n):
        t += len(re.findall(r"[\w.]+@[\w.]+", LOG)) + len(re.findall(r"\w+", LOG)) + len(re.split(r"\s+", LOG))
        t += sum(int(m.group(1)) for m in re.finditer(r"took (\d+)ms", LOG))
        t += len(re.sub(r"(\d+)\.(\d+)\.(\d+)\.(\d+)", lambda m: m.group(4) + "." + m.group(1), LOG))
        t += sum(len(m.groupdict()["rest"]) for m in LINE.finditer(LOG))
        for line in LOG.splitlines():
            t += re.search(r"example[35]\.com", line) is not None
        pos = 0
        while pos < len(SOURCE):
            m = TOKEN.match(SOURCE, pos)
            t += len(m.lastgroup)
            pos = m.end()
    print(t)


main()
