"""A client for scenarios that k6 can't play: it asks from many addresses, as behind a trusted proxy, and keeps its connections.

The service has to take this machine for a proxy: RINGBACK__SERVER__TRUSTED_PROXIES=127.0.0.0/8.
"""

import asyncio
import json
import re
import time
from urllib.parse import quote


class Answer:
    def __init__(self, status, body):
        self.status, self.body = status, body

    @property
    def why(self):
        """What a refusal says: the rule that refuses, or the code."""
        return self.body.get("rule") or self.body.get("code") or ""


class Asking:
    """Connections to one server, `most` at once."""

    def __init__(self, to, most=64):
        self.to, self.free, self.room, self.points = to, [], asyncio.Semaphore(most), []

    async def ask(self, method, path, body=None, client=None, token=None):
        text = "" if body is None else json.dumps(body)
        head = [f"{method} {path} HTTP/1.1", f"host: {self.to.netloc}", f"content-length: {len(text)}"]
        head += ["content-type: application/json"] if body is not None else []
        head += [f"x-forwarded-for: {client}"] if client else []
        head += [f"authorization: Bearer {token}"] if token else []
        request = "\r\n".join(head).encode() + b"\r\n\r\n" + text.encode()
        async with self.room:
            began = time.time()
            status, body = await self.exchange(request)
        self.points.append((time.time(), (time.time() - began) * 1000, status))
        return Answer(status, body)

    async def exchange(self, request):
        while True:
            kept = self.free.pop() if self.free else None
            reader, writer = kept or await asyncio.open_connection(self.to.hostname, self.to.port)
            try:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.free.append((reader, writer))
                return int(head.split()[1]), json.loads(body) if body[:1] in (b"{", b"[") else {}
            except (ConnectionError, asyncio.IncompleteReadError, IndexError):
                writer.close()
                if not kept:  # it was not merely idle for too long
                    raise

    def users(self, path, body, **more):
        return self.ask("POST", f"/api/users/{path}/", body, **more)

    async def register(self, number, phone, client):
        """A new account: its access token."""
        account = {
            "email": f"load{number}@example.com", "phone": phone, "first_name": "Load", "last_name": "Test",
            "password": "securepass123", "password_confirm": "securepass123",
        }
        answer = await self.users("register", account, client=client)
        if answer.status != 201:
            raise SystemExit(f"no account was made: {answer.status} {answer.body}")
        return answer.body["tokens"]["access"]


async def code_of(simulator, phone, after=0, patience=10):
    """The code of the newest SMS to a phone once there are more than `after`, and how many there are."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        messages = await simulator.ask("GET", f"/messages.json?limit=20&to={quote(phone)}")
        bodies = [message["body"] for message in messages.body]
        if len(bodies) > after:
            return re.search(r"\d{6}", bodies[0])[0], len(bodies)
        await asyncio.sleep(0.2)
    raise SystemExit("no SMS came")


def conclude(thresholds, points, summary, csv):
    """Prints and writes what came of it; the exit code."""
    for what, met in thresholds.items():
        print("    ✓" if met else "    ✗", what)
    with open(csv, "w", encoding="utf-8") as out:
        out.write("metric_name,timestamp,metric_value,name,status\n")
        for at, milliseconds, status in points:
            out.write(f"http_req_duration,{at * 1000:.0f},{milliseconds:.3f},asked,{status}\n")
    with open(summary, "w", encoding="utf-8") as out:
        json.dump({"metrics": {}, "thresholds": thresholds}, out)
    return 0 if all(thresholds.values()) else 1
