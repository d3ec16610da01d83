"""Clients that send a byte a second, half of them in the head and half in the body, which k6 can't do.

400 connections for 15 s. Meanwhile others are served as ever, and each slow one is ended in little more than
`server.request_timeout`, whatever it goes on sending. Arguments: where the summary goes, where the points go.
"""

import asyncio
import json
import os
import sys
import time
from urllib.parse import urlsplit

CONNECTIONS = int(os.environ.get("VUS") or 400)
REQUEST_TIMEOUT = 10
PATIENCE = REQUEST_TIMEOUT + 6
BASE = urlsplit(os.environ["BASE_URLS"].split(",")[0])
HEAD = f"POST /api/users/login/ HTTP/1.1\r\nhost: {BASE.netloc}\r\ncontent-type: application/json\r\n"


async def slow(in_head, held):
    """Notes for how long the service bore it; nothing if it outlasted our patience."""
    reader, writer = await asyncio.open_connection(BASE.hostname, BASE.port)
    began = time.monotonic()
    ended = asyncio.ensure_future(reader.read())  # until the service closes
    try:
        writer.write(HEAD.encode() if in_head else f"{HEAD}content-length: 1000\r\n\r\n{{".encode())
        while time.monotonic() - began < PATIENCE and not ended.done():
            writer.write(b"x-slow: 1\r\n" if in_head else b" ")
            await asyncio.wait({ended}, timeout=1)
    except ConnectionError:
        pass
    if ended.done():
        held.append(time.monotonic() - began)
    ended.cancel()
    writer.close()


async def ask(points, until):
    """Somebody else, ten times a second."""
    while time.monotonic() < until:
        began, status = time.monotonic(), "0"
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(BASE.hostname, BASE.port), 5)
            writer.write(f"GET /readyz HTTP/1.1\r\nhost: {BASE.netloc}\r\nconnection: close\r\n\r\n".encode())
            line = await asyncio.wait_for(reader.readline(), 5)
            status = line.split()[1].decode()
            writer.close()
        except (OSError, asyncio.TimeoutError, IndexError):
            pass
        points.append((time.time(), (time.monotonic() - began) * 1000, status))
        await asyncio.sleep(0.1)


async def main(summary, csv):
    held, points = [], []
    asking = asyncio.ensure_future(ask(points, time.monotonic() + PATIENCE + 2))
    await asyncio.gather(*(slow(number % 2 == 0, held) for number in range(CONNECTIONS)), return_exceptions=True)
    await asking
    waits = sorted(milliseconds for _, milliseconds, _ in points)
    p95, good = waits[int(len(waits) * 0.95)], sum(status == "200" for _, _, status in points)
    thresholds = {
        f"others are served: {good} of {len(points)}": good == len(points),
        f"others' p95 below 500 ms: {p95:.1f}": p95 < 500,
        f"slow ones ended within {PATIENCE} s: {len(held)} of {CONNECTIONS}, the last after {max(held, default=0):.1f} s":
            len(held) == CONNECTIONS,
    }
    for what, met in thresholds.items():
        print("    ✓" if met else "    ✗", what)
    with open(csv, "w", encoding="utf-8") as out:
        out.write("metric_name,timestamp,metric_value,name,status\n")
        for at, milliseconds, status in points:
            out.write(f"http_req_duration,{at * 1000:.0f},{milliseconds:.3f},readyz,{status}\n")
    with open(summary, "w", encoding="utf-8") as out:
        json.dump({"metrics": {}, "thresholds": thresholds}, out)
    return 0 if all(thresholds.values()) else 1


sys.exit(asyncio.run(main(*sys.argv[1:])))
