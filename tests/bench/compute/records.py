# Data classes, named tuples, enums, generic aliases, context managers: what typed programs are made of.
import sys
from collections import namedtuple
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, Flag, IntEnum, auto
from typing import Dict, Generic, List, Optional, TypeVar, get_args, get_origin

T = TypeVar("T")
Point = namedtuple("Point", "x y z")


class Color(Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Perm(Flag):
    R = auto()
    W = auto()
    X = auto()


@dataclass
class Item:
    name: str
    price: int = 0
    tags: list = field(default_factory=list)


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: str


class Stack(Generic[T]):
    def __init__(self) -> None:
        self.items: List[T] = []

    def push(self, item: T) -> None:
        self.items.append(item)

    def pop(self) -> T:
        return self.items.pop()


@contextmanager
def entered(value):
    yield value


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    t = 0
    for i in range(n):
        a, b = Item("a", i), Item("a", i)
        t += (a == b) + len(repr(a)) + replace(a, price=3).price
        v, w = Version(i, "x"), Version(i + 1, "y")
        t += (v < w) + {v: 1}[Version(i, "x")]
        if i % 8 == 0:
            t += asdict(a)["price"]
        c = Color(i % 3 + 1)
        t += c.value + len(c.name) + (Color["RED"] is c) + (Level.LOW < Level.HIGH) + {Color.RED: 1, Color.BLUE: 2, Color.GREEN: 3}[c]
        t += Perm.W in Perm.R | Perm.W
        p = Point(i, 2, z=3)._replace(x=1)
        t += p.x + p[2] + (p == (1, 2, 3))
        s = Stack[int]()
        s.push(i)
        t += s.pop()
        t += (get_origin(Dict[str, List[int]]) is dict) + len(get_args(Optional[int]))
        with entered(i) as x, suppress(KeyError), ExitStack() as stack:
            t += x + stack.enter_context(entered(2))
            {}["missing"]
    print(t)


main()
