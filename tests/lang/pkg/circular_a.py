print("a starts")
from . import circular_b
name = "a"
print("a ends", circular_b.seen)
