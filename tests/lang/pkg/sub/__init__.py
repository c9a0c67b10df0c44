print("init sub", __name__, __package__)
from ..sibling import value
from .. import alpha
from . import leaf as lf
from .leaf import deep
