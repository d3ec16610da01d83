"""A day of SMS pumping in five minutes (periods of the limits file and waits are scaled), in which users sign up.

The pumper has accounts with numbers of 20 blocks, and an address for every other request; PUMPER says what else it does:

    silent        types no code
    tenth, all    types every tenth code, or each
    residential   has an address for each request, and proves work
    market        works the very blocks in which the users live

Users come evenly over the day from addresses of their own: register, ask for a code, type it, one in eight never does. Where work is
asked for they prove it, as the client of this repository does. RATE: requests of the pumper in a minute of the day (10).
DURATION: seconds of the day (300). Arguments: where the summary goes, where the points go.
"""

import asyncio
import base64
import hashlib
import json
import os
import random
import re
import sys
import time
from urllib.parse import quote, urlsplit

PUMPER = os.environ.get("PUMPER", "silent")
DAY = float(os.environ.get("DURATION", "300").rstrip("s"))
RATE = float(os.environ.get("RATE") or 10)
USERS, ACCOUNTS = 2000, int(os.environ.get("USERS") or 0)
BASES = [urlsplit(url) for url in os.environ.get("BASE_URLS", "").split(",")]
SIM = urlsplit(os.environ.get("SIM_URL", ""))
TOWNS = [
    "+1415201", "+1212555", "+1312867", "+1650253", "+1718333", "+4477001", "+4479460", "+4915123",
    "+4917612", "+9198201", "+9199867", "+3361234", "+3467890", "+4670123", "+4479111", "+3933312",
]
# How many messages each pumper may get at most; who types all codes is stopped by the money (docs/limits.md).
MOST = {"silent": 200, "residential": 200, "market": 200, "tenth": 600, "all": None}[PUMPER]
# Seconds of the day: how long a user looks for the code.
LOOKS = (8, 108)


class Pool:
    """Connections to one server that are kept."""

    def __init__(self, to, most):
        self.to, self.free, self.room = to, [], asyncio.Semaphore(most)

    async def ask(self, method, path, body=None, headers=()):
        async with self.room:
            while True:
                kept = self.free.pop() if self.free else None
                reader, writer = kept or await asyncio.open_connection(self.to.hostname, self.to.port)
                try:
                    return await self.exchange(reader, writer, method, path, body, headers)
                except (ConnectionError, asyncio.IncompleteReadError, IndexError):
                    writer.close()
                    if not kept:
                        raise

    async def exchange(self, reader, writer, method, path, body, headers):
        content = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.to.netloc}", f"content-length: {len(content)}", *headers]
        if content:
            lines.append("content-type: application/json")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        status = int((await reader.readline()).split()[1])
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = await reader.readexactly(length)
        self.free.append((reader, writer))
        return status, json.loads(answer) if answer[:1] in (b"{", b"[") else None


def solved(proof):
    """What ALTCHA's widget does."""
    salt, wanted = proof["salt"].encode(), proof["challenge"]
    for number in range(proof["maxnumber"] + 1):
        if hashlib.sha256(salt + str(number).encode()).hexdigest() == wanted:
            solution = {key: proof[key] for key in ("algorithm", "challenge", "salt", "signature")}
            return base64.b64encode(json.dumps({**solution, "number": number}).encode()).decode()
    raise ValueError("no solution")


class Day:
    def __init__(self):
        self.pools, self.turn = [Pool(base, 24) for base in BASES], 0
        self.sim = Pool(SIM, 8)
        self.points, self.pumped, self.signed_up, self.worked, self.turned_away, self.faults = [], 0, 0, 0, [], []

    async def ask(self, path, body, address, name, proof=None):
        self.turn += 1
        headers = [f"x-forwarded-for: {address}"] + ([f"x-proof: {proof}"] if proof else [])
        began = time.time()
        answer = await self.pools[self.turn % len(self.pools)].ask("POST", f"/api/users/{path}/", body, headers)
        self.points.append((began, (time.time() - began) * 1000, name, answer[0]))
        return answer

    async def send(self, phone, address, works, name):
        status, answer = await self.ask("send-phone-otp", {"phone": phone}, address, name)
        if status == 428 and works:
            self.worked += name == "user"
            status, answer = await self.ask("send-phone-otp", {"phone": phone}, address, name, solved(answer["proof"]))
        return status, answer

    async def type(self, phone, address):
        for _ in range(100):
            _, messages = await self.sim.ask("GET", f"/messages.json?limit=1&to={quote(phone)}")
            if messages:
                otp = re.search(r"\d{6}", messages[0]["body"])[0]
                return await self.ask("verify-phone-otp", {"phone": phone, "otp": otp}, address, "verify")
            await asyncio.sleep(0.05)
        return 0, None

    async def pump(self, number):
        phone = pumped_phone(number % ACCOUNTS)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        if PUMPER != "residential":
            address = f"10.0.{number % 10_000 >> 8}.{number % 10_000 & 255}"
        status, _ = await self.send(phone, address, PUMPER == "residential", "pumper")
        if status == 200:
            self.pumped += 1
            if PUMPER == "all" or (PUMPER == "tenth" and self.pumped % 10 == 0):
                await self.type(phone, address)
        elif status not in (428, 429):
            self.faults.append(f"the pumper was answered {status}")

    async def sign_up(self, number, dice):
        town = TOWNS[number % len(TOWNS)]
        phone = whole(town, number // len(TOWNS) * 8)
        address, types = f"172.16.{number >> 8}.{number & 255}", dice.randrange(8) > 0
        looks = dice.uniform(*LOOKS) * DAY / 86_400
        body = {
            "email": f"user-{PUMPER}-{number}@example.com", "phone": phone, "first_name": "Ada", "last_name": "Byron",
            "password": "securepass123", "password_confirm": "securepass123",
        }
        status, _ = await self.ask("register", body, address, "register")
        if status != 201:
            return self.faults.append(f"a registration was answered {status}")
        status, answer = await self.send(phone, address, True, "user")
        if status != 200:
            return self.turned_away.append((answer or {}).get("rule") or str(status))
        self.signed_up += 1
        if types:
            await asyncio.sleep(looks)
            status, _ = await self.type(phone, address)
            if status != 200:
                self.faults.append(f"a code was answered {status}")

    async def pass_(self):
        dice, plan = random.Random(7), []
        pumps = int(1440 * RATE)
        plan += [(DAY * number / pumps, self.pump, (number,)) for number in range(pumps)]
        plan += [(dice.uniform(0, DAY), self.sign_up, (number, random.Random(number))) for number in range(USERS)]
        plan.sort(key=lambda what: what[0])
        began, tasks = time.monotonic(), set()
        for at, what, arguments in plan:
            wait = began + at - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.ensure_future(what(*arguments))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        self.faults += [f"{error!r}" for error in done if isinstance(error, BaseException)]
        return time.monotonic() - began


def pumped_phone(number):
    """As loadtest/scenarios.py has made them: in blocks of its own, or seven between each two of the users' numbers."""
    if PUMPER == "market":
        rest = number // len(TOWNS) % 875
        return whole(TOWNS[number % len(TOWNS)], rest // 7 * 8 + 1 + rest % 7)
    blocks = [f"{begin}{n}0" for begin in PUMPED for n in range(1, 5)]
    return whole(blocks[number % len(blocks)], number // len(blocks))


def whole(begin, rest):
    """A mobile number as long as its country has them: production takes no other."""
    length = next(length for code, length in LENGTHS.items() if begin.startswith(code))
    return f"{begin}{rest:0{length - len(begin)}d}"


LENGTHS = {
    "+1": 12, "+216": 12, "+252": 13, "+33": 12, "+34": 12, "+374": 12, "+39": 13, "+44": 13, "+46": 12, "+49": 14, "+91": 13, "+992": 13,
}
PUMPED = ["+992917", "+447457", "+216551", "+252611", "+374771"]


async def main(summary, csv):
    day = Day()
    took = await day.pass_()
    thresholds = {
        f"users turned away: {len(day.turned_away)} of {USERS} {sorted(set(day.turned_away))}": len(day.turned_away) <= USERS / 1000,
        f"users served: {day.signed_up}, of whom {day.worked} proved work": day.signed_up >= USERS * 0.999,
        f"messages to the pumper: {day.pumped}": MOST is None or day.pumped <= MOST,
        f"other answers: {len(day.faults)} {sorted(set(day.faults))[:5]}": not day.faults,
        f"the day of {DAY:.0f} s took {took:.0f} s": took < DAY * 1.2 + 5,
    }
    for what, met in thresholds.items():
        print("    ✓" if met else "    ✗", what)
    with open(csv, "w", encoding="utf-8") as out:
        out.write("metric_name,timestamp,metric_value,name,status\n")
        for at, milliseconds, name, status in day.points:
            out.write(f"http_req_duration,{at * 1000:.0f},{milliseconds:.3f},{name},{status}\n")
    with open(summary, "w", encoding="utf-8") as out:
        json.dump({"metrics": {"sms_paid_for": {"value": day.pumped}}, "thresholds": thresholds}, out)
    return 0 if all(thresholds.values()) else 1


def as_sql(users):
    """Gives the accounts that were made the numbers that are pumped."""
    rows = ",".join(f"('user{number}@example.com', '{pumped_phone(number)}')" for number in range(users))
    return f"UPDATE users SET phone = pumped.phone FROM (VALUES {rows}) AS pumped (email, phone) WHERE users.email = pumped.email;"


if __name__ == "__main__":
    if sys.argv[1] == "--sql":
        print(as_sql(int(sys.argv[2])))
        sys.exit()
    sys.exit(asyncio.run(main(*sys.argv[1:])))
