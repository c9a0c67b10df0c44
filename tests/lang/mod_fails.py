print("failing")
raise ValueError("module body")
