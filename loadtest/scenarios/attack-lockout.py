"""200 addresses, and accounts of their own, that try to keep somebody from their phone and out of their account.

They ask for codes to the phone, with and without a token, type wrong ones, ask for codes to sign in and to reset the password, and try
passwords. Meanwhile the owner of a phone that is not proven yet asks for a code with their token once the cooldown is over, and the
owner of an account does all that lets into it from the network that they registered from: each is answered 200, and the codes that come
are good. DURATION: seconds (140). Arguments: where the summary goes, where the points go.
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
SECONDS = float(os.environ.get("DURATION", "140").rstrip("s"))
COOLDOWN = 61
PASSWORD = "securepass123"
HOME = "203.0.113.7"


def stranger(number):
    return f"198.51.100.{number}"


async def attack(service, number, phones, emails, token, until, refused):
    """One address, until the time is over."""
    luck = random.Random(number)
    while time.monotonic() < until:
        phone, email = luck.choice(phones), luck.choice(emails)
        code = f"{luck.randrange(1_000_000):06}"
        tries = [
            ("send-phone-otp", {"phone": phone}, None),
            ("send-phone-otp", {"phone": phone}, token),
            ("verify-phone-otp", {"phone": phone, "otp": code}, None),
            ("verify-phone-otp", {"phone": phone, "otp": code}, token),
            ("login/code", {"phone": phone}, None),
            ("password/forgot", {"phone": phone}, None),
            ("login", {"phone": phone, "password": code}, None),
            ("login", {"email": email, "password": code}, None),
        ]
        path, body, bearer = luck.choice(tries)
        answer = await service.users(path, body, client=stranger(number), token=bearer)
        if answer.status == 429:
            refused[answer.why] = refused.get(answer.why, 0) + 1
        if path == "login/code" and answer.status == 200:
            for _ in range(3):
                guess = {"challenge_id": answer.body["challenge_id"], "otp": code}
                await service.users("login/code/verify", guess, client=stranger(number))
        await asyncio.sleep(luck.uniform(0.2, 1.0))


class Owner:
    def __init__(self, service, simulator):
        self.service, self.simulator, self.wronged, self.done = service, simulator, [], 0

    async def does(self, path, body, token=None, allowed=(200,)):
        answer = await self.service.users(path, body, client=HOME, token=token)
        self.done += 1
        if answer.status not in allowed:
            self.wronged.append(f"{path}: {answer.status} {answer.why}")
        return answer

    async def proves(self, phone, token, until):
        """Whoever has a phone, and an account that claims it, has codes; the last is typed."""
        while time.monotonic() < until:
            await self.does("send-phone-otp", {"phone": phone}, token)
            await asyncio.sleep(COOLDOWN)
        sent = await self.does("send-phone-otp", {"phone": phone}, token)
        if sent.status == 200:
            # Those of strangers come as well: the id tells which it is.
            await asyncio.sleep(3)
            code, _ = await code_of(self.simulator, phone)
            await self.does("verify-phone-otp", {"phone": phone, "otp": code}, token)

    async def signs_in(self, phone, email, until):
        """Whoever has an account gets into it from where they have been before."""
        turn = 0
        while time.monotonic() < until:
            await self.does("login", {"phone": phone, "password": PASSWORD})
            await self.does("login", {"email": email, "password": PASSWORD})
            if turn % 3 == 0:
                await self.does(["login/code", "password/forgot"][turn % 2], {"phone": phone})
            turn += 1
            await asyncio.sleep(COOLDOWN / 3)


async def main(summary, csv):
    service, simulator = Asking(BASE), Asking(SIM)
    claimed, proven = "+14155550001", "+12125550001"
    claimant = await service.register(1, claimed, HOME)
    owner = await service.register(2, proven, HOME)
    tokens = [await service.register(10 + n, f"+13125550{n:03}", stranger(n)) for n in range(20)]
    await service.users("send-phone-otp", {"phone": proven}, client=HOME, token=owner)
    code, _ = await code_of(simulator, proven)
    typed = await service.users("verify-phone-otp", {"phone": proven, "otp": code}, client=HOME, token=owner)
    until = time.monotonic() + SECONDS
    refused, owners = {}, [Owner(service, simulator), Owner(service, simulator)]
    phones, emails = [claimed, proven], ["load1@example.com", "load2@example.com"]
    attacks = [attack(service, n, phones, emails, tokens[n % 20], until, refused) for n in range(200)]
    attacking = asyncio.gather(*attacks)
    await asyncio.sleep(20)
    await asyncio.gather(
        owners[0].proves(claimed, claimant, until - 20),
        owners[1].signs_in(proven, "load2@example.com", until),
        attacking,
    )
    wronged = [what for owner in owners for what in owner.wronged]
    print("    refused to strangers:", dict(sorted(refused.items())))
    thresholds = {
        f"the owner's phone was proven beforehand: {typed.status}": typed.status == 200,
        f"strangers ran into limits: {sum(refused.values())}": sum(refused.values()) > 100,
        f"the owner of the phone was served {owners[0].done} times": owners[0].done >= 3,
        f"the owner of the account was served {owners[1].done} times": owners[1].done >= 6,
        f"no owner was turned away: {wronged}": not wronged,
    }
    return conclude(thresholds, service.points, summary, csv)


sys.exit(asyncio.run(main(*sys.argv[1:])))
