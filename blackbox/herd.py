"""A thousand agents of ssh-tunnel-gateway that want to register, as patient as the real ones."""

import asyncio
import json
import threading
import time

from foreign import API_KEY


class Herd(threading.Thread):
    """Many agents in one thread, since a thousand threads would measure themselves."""

    def __init__(self, gateway, agents):
        super().__init__(daemon=True)
        self.gateway, self.agents = gateway, agents
        self.ports, self.tries, self.refused, self.timeouts = {}, 0, 0, 0
        self.first = self.last = None
        self.ended = False

    def run(self):
        asyncio.run(self.all())

    async def all(self):
        await asyncio.gather(*map(self.agent, self.agents))

    async def agent(self, name):
        while name not in self.ports and not self.ended:
            self.tries += 1
            try:
                self.ports[name] = (await asyncio.wait_for(self.register(name), 20))["port_b"]
                self.last = time.monotonic()
                self.first = self.first or self.last
            except TimeoutError:
                self.timeouts += 1
                await asyncio.sleep(5)
            except (OSError, ValueError, KeyError):
                self.refused += 1
                await asyncio.sleep(5)

    async def register(self, name):
        reader, writer = await asyncio.open_connection(self.gateway.address, self.gateway.port)
        try:
            body = json.dumps({"action": "register", "agent_id": name}).encode()
            head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            head += f"X-API-Key: {API_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            return json.loads((await reader.read(-1)).partition(b"\r\n\r\n")[2])
        finally:
            writer.close()
