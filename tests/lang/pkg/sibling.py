print("init sibling", __name__, __package__)
value = "sibling value"
def where(): return __name__
