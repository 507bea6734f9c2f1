# expect: timeout
import asyncio
asyncio.run(asyncio.sleep(10**8))
