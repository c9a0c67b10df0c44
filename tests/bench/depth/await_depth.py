# Time of one resume at the bottom of a chain of awaits, by depth of the chain: it must not grow with the depth.
# Prints nanoseconds of CPU a resume; run it with ouro (CPython needs sys.setrecursionlimit and a large C stack for it).
import asyncio
import time


async def chain(depth, resumes):
    if depth == 0:
        start = time.process_time()
        for _ in range(resumes):
            await asyncio.sleep(0)
        return (time.process_time() - start) / resumes * 1e9
    return await chain(depth - 1, resumes)


async def main():
    for depth in (1, 10, 100, 1000, 10000):
        best = min([await asyncio.create_task(chain(depth, 1000)) for _ in range(5)])
        print(depth, "awaits deep:", round(best), "ns")


asyncio.run(main())
