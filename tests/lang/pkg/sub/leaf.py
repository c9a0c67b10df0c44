print("init leaf", __name__, __package__)
deep = "deep value"
try:
    from ... import anything
except ImportError as e:
    print(e)
