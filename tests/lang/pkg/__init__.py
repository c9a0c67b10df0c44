"""A package for the import tests."""
print("init pkg", __name__, __package__, __path__ is not None)
__all__ = ["alpha", "public", "sub"]
alpha = 1
_hidden = 2
public = "p"
from . import sibling
from .sibling import value as renamed
