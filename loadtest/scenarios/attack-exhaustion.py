"""Floods for phones that no account has, which are to empty what real users need: 25 addresses at full speed.

No message goes out for them, so they spend nothing of the budgets of prefixes, countries and the world. Meanwhile users from the same
blocks sign up: none is turned away, and each proves the phone. DURATION: seconds of the flood (40). Arguments: where the summary goes, where
the points go.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asking import Asking, code_of, conclude

BASE = urlsplit(os.environ["BASE_URLS"].split(",")[0])
SIM = urlsplit(os.environ["SIM_URL"])
SECONDS = float(os.environ.get("DURATION", "40").rstrip("s"))
BLOCKS = ["+1415555", "+1212555", "+1312555", "+1202555"]
USERS = 40


async def flood(service, number, until, statuses):
    """One address. No number of its own is one that a user has."""
    luck = random.Random(number)
    while time.monotonic() < until:
        phone = f"{luck.choice(BLOCKS)}{luck.randrange(1000, 10_000):04}"
        answer = await service.users("send-phone-otp", {"phone": phone}, client=f"198.51.100.{number}")
        statuses[answer.status] = statuses.get(answer.status, 0) + 1


async def sign_up(service, simulator, number, wronged):
    client, phone = f"203.0.113.{number}", f"{BLOCKS[number % len(BLOCKS)]}0{number:03}"
    token = await service.register(number, phone, client)
    sent = await service.users("send-phone-otp", {"phone": phone}, client=client, token=token)
    if sent.status != 200:
        return wronged.append(f"send: {sent.status} {sent.why}")
    code, _ = await code_of(simulator, phone)
    typed = await service.users("verify-phone-otp", {"phone": phone, "otp": code}, client=client, token=token)
    if typed.status != 200:
        wronged.append(f"verify: {typed.status} {typed.why}")


async def main(summary, csv):
    service, simulator = Asking(BASE), Asking(SIM)
    until, statuses, wronged = time.monotonic() + SECONDS, {}, []
    floods = asyncio.gather(*(flood(service, n, until, statuses) for n in range(25)))
    await asyncio.sleep(SECONDS / 4)  # time enough to empty them
    for number in range(USERS):
        await sign_up(service, simulator, number, wronged)
        await asyncio.sleep(SECONDS / 2 / USERS)
    await floods
    taken = (await simulator.ask("GET", "/stats.json")).body["accepted"]
    print("    the flood was answered", dict(sorted(statuses.items())))
    thresholds = {
        f"the flood was let in {statuses.get(200, 0)} times": statuses.get(200, 0) > 500,
        f"no user was turned away: {wronged}": not wronged,
        f"{taken} SMS went out for {USERS} users": taken == USERS,
    }
    return conclude(thresholds, service.points, summary, csv)


sys.exit(asyncio.run(main(*sys.argv[1:])))
