"""What refusals tell of who has an account: 1,000 probes at the edges of the shipped budgets, half of them for phones that accounts claim.

Each probe runs a budget to its edge, asks about a phone, and asks once more. Whoever attacks sees all answers, learns of half of the
probes whether the phone was real, and guesses at the others by what they saw most often. Holds when they do no better than by chance.

    address   all that one address may ask for; the phone comes last but one
    phone     all codes that a phone may have; it is alone in its block of numbers
    block     a block whose messages are spent; the phone is in it

Arguments: where the summary goes, where the points go.
"""

import asyncio
import collections
import os
import random
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from asking import Asking, conclude

BASE = urlsplit(os.environ.get("BASE_URLS", "").split(",")[0])
PROBES = {"address": 100, "phone": 450, "block": 450}
FIRST_BLOCK = {"address": 0, "phone": 1000, "block": 2000, "nobody": 3000}
# What `otp-send-per-ip` lets one address ask for at once, how many codes a phone may have, and how many messages a block.
OF_ADDRESS, OF_PHONE, OF_BLOCK = 200, 4, 5


def phone(edge, probe, number=0):
    """Eight digits are a block: each probe has one of its own."""
    return f"+9198{FIRST_BLOCK[edge] + probe:04}{number:04}"


def is_real(probe):
    return probe % 2 == 0


def claimed():
    """The phones that accounts have."""
    for edge, probes in PROBES.items():
        yield from (phone(edge, probe) for probe in range(probes) if is_real(probe))
    yield from (phone("block", probe, number) for probe in range(PROBES["block"]) for number in range(1, OF_BLOCK + 1))


def as_sql(users):
    """Gives the accounts that were made these phones."""
    phones = list(claimed())
    assert len(phones) <= users, f"{len(phones)} accounts are needed"
    rows = ",".join(f"('user{number}@example.com', '{one}')" for number, one in enumerate(phones))
    return f"UPDATE users SET phone = claimed.phone FROM (VALUES {rows}) AS claimed (email, phone) WHERE users.email = claimed.email;"


class Attacker:
    def __init__(self, service):
        self.service, self.addresses, self.room = service, 0, asyncio.Semaphore(16)

    def address(self):
        self.addresses += 1
        return f"10.{self.addresses >> 16 & 255}.{self.addresses >> 8 & 255}.{self.addresses & 255}"

    async def ask(self, about, address=None):
        """What an answer shows."""
        answer = await self.service.users("send-phone-otp", {"phone": about}, client=address or self.address())
        return answer.status, answer.why, tuple(answer.body)

    async def probe(self, edge, probe):
        """All that is seen at the edge and after it."""
        async with self.room:
            about = phone(edge, probe)
            if edge == "address":
                address = self.address()
                for number in range(OF_ADDRESS - 2):
                    await self.ask(phone("nobody", random.randrange(5000), number), address)
                return [await self.ask(about, address), await self.ask(phone("nobody", probe), address), await self.ask(phone("nobody", probe), address)]
            if edge == "block":
                for number in range(1, OF_BLOCK + 1):
                    await self.ask(phone(edge, probe, number))
                return [await self.ask(about), await self.ask(phone(edge, probe, 1))]
            return [await self.ask(about) for _ in range(2 * OF_PHONE)]


def guessed(seen):
    """How many of the second half are guessed right by what the first half has told."""
    told, asked = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    learned = collections.defaultdict(collections.Counter)
    for what, real in told:
        learned[what][real] += 1
    right = 0
    for what, real in asked:
        known = learned[what]
        guess = random.choice([True, False]) if known[True] == known[False] else known[True] > known[False]
        right += guess == real
    return right, len(asked)


async def main(summary, csv):
    service, thresholds = Asking(BASE), {}
    attacker = Attacker(service)
    for edge, probes in PROBES.items():
        order = random.sample(range(probes), probes)
        answers = await asyncio.gather(*(attacker.probe(edge, probe) for probe in order))
        seen = [(tuple(answer), is_real(probe)) for probe, answer in zip(order, answers)]
        kinds = collections.Counter(tuple(status for status, *_ in what) for what, _ in seen)
        right, asked = guessed(seen)
        # Three standard deviations of who throws a coin.
        most = asked / 2 + 3 * (asked / 4) ** 0.5
        print(f"    {edge}: answers", dict(kinds))
        thresholds[f"{edge}: {right} of {asked} guessed right, {most:.0f} at most"] = right <= most
        refused = any(status != 200 for statuses in kinds for status in statuses)
        thresholds[f"{edge}: the edge was met"] = refused
    return conclude(thresholds, service.points, summary, csv)


if __name__ == "__main__":
    if sys.argv[1] == "--sql":
        print(as_sql(int(sys.argv[2])))
        sys.exit()
    sys.exit(asyncio.run(main(*sys.argv[1:])))
