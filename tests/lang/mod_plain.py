"""Plain module."""
print("init mod_plain")
x = 1
_y = 2
def f(): return x
class K: pass
