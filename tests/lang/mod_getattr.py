present = 1
def __getattr__(name):
    if name == "lazy": return "made on demand"
    raise AttributeError("mod_getattr lacks " + name)
def __dir__(): return ["zz", "aa"]
