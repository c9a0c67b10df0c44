def go():
    return 1 / 0
go()
