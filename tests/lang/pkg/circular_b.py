print("b starts")
from . import circular_a
seen = hasattr(circular_a, "name")
try:
    from .circular_a import name
except ImportError as e:
    print(str(e).split(" (")[0])
