"""Ringback and the floor side by side, and wrk to ask them: what loadtest/compare and loadtest/growth measure with."""

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from stage import ROOT, Failed, cpu_seconds, free_port, machine_seconds, resident_mb, say, setting

CONNECTIONS = setting("CONNECTIONS", 64)
SECONDS = setting("SECONDS", 8)
ROUNDS = setting("ROUNDS", 3)
THREADS = 2
TOKENS = 10_000
# Operations that hash: more connections would wait, and then be refused.
HASHING = {"register", "login"}
# Operations whose requests are good once, and how many of them a second may take.
ONCE = {"right": 45_000, "refresh": 30_000}
HASHING_CONNECTIONS = min(CONNECTIONS, 32)
# What the ledger knows of challenges whose ids follow.
ISSUED = "TRUNCATE verifications; CREATE TEMP TABLE issued (id uuid); COPY issued FROM STDIN;"
IN_LEDGER = """INSERT INTO verifications (challenge_id, purpose, channel, country, provider, message_id, status, created_at, sent_at)
SELECT id, 'phone_verification', 'sms', 'US', 'twilio', 'SM' || md5(id::text), 'sent', now(), now() FROM issued;
VACUUM ANALYZE verifications;"""


def shuffled(lines):
    """In another order, the same each time: neighbours in a table are not what comes together."""
    return random.Random(0).sample(lines, len(lines))


def medians(cells):
    return {key: statistics.median(cell[key] for cell in cells) for key in cells[0]}


class Bench:
    """Servers, `users` accounts of which the first half have proven their phone, instances and the floor."""

    # What it measures with, and the Debian package of it.
    program_needed, package = "wrk", "wrk"

    def __init__(self, stage, binaries, users, instances=1, limits=None, settings=None, with_floor=True):
        if not shutil.which(self.program_needed):
            raise Failed(f"{self.program_needed} is missing: apt-get install {self.package}")
        self.stage, self.binaries, self.program = stage, binaries, binaries / "examples/floor"
        self.users, self.data = users, stage.dir / "requests"
        self.verified = users // 2
        self.challenges = min(users - self.verified, 100_000)
        stage.start_servers()
        limits = limits or stage.roomy_limits()
        self.rules = limits.read_text().count("\n[[rule]]")
        # Where the answer to `send` ends, so does what is measured: no SMS goes out, so there is no provider.
        self.environment = {
            "TWILIO_BASE_URL": "http://127.0.0.1:9",
            "RINGBACK__LIMITS__FILE": str(limits),
            "RINGBACK__OTP__RESEND_COOLDOWN": "0s",
            "RINGBACK__OTP__MAX_FAILURES": "1000",
            "RINGBACK__OTP__MAX_FAILURES_IN_DAY": "1000",
            **(settings or {}),
        }
        # The first start makes the tables; the second is what is measured.
        stage.end(self.start_ringback())
        stage.make_users(binaries, users, self.verified)
        self.instances = [self.start_ringback() for _ in range(instances)]
        self.ringback = self.instances[0]
        time.sleep(1)
        self.idle_mb = resident_mb(self.ringback.pid)
        servers = list(self.instances)
        if with_floor:
            address = f"127.0.0.1:{free_port()}"
            self.floor = stage.start("floor", [self.program, "serve", address], f"http://{address}/healthz")
            self.floor.url = f"http://{address}"
            servers.append(self.floor)
        for server in servers:
            say(f"{server.name} is pid {server.pid} at {server.url}")

    def start_ringback(self):
        return self.stage.start_instance(self.binaries, self.environment, log=os.devnull)

    def prepare(self, operation):
        """Writes what the requests are made of, and brings the database to the state that they expect."""
        if operation == "me":
            lines = self.stage.output([self.program, "tokens", TOKENS, self.users])
        elif operation in ("send", "sms"):
            which = "phone_verified" if operation == "send" else "NOT phone_verified"
            phones = self.stage.sql(
                f"SELECT phone FROM users TABLESAMPLE SYSTEM (:share) WHERE {which} LIMIT 100000",
                share=min(100.0, 30_000_000 / self.users),
            )
            lines = "\n".join(shuffled(phones.splitlines()))
        elif operation in ("send_own", "verify_own"):
            lines = self.stage.output([self.program, "owners", TOKENS, self.verified])
        elif operation == "email":
            lines = "\n".join(f"nobody{number}@example.com" for number in range(100_000))
        elif operation == "sessions":
            lines = self.stage.output([self.program, "tokens", TOKENS, self.users])
        elif operation in ("login", "login_code"):
            step = max(1, self.users // 10_000)
            lines = "\n".join(f"user{number}@example.com" for number in range(0, self.users, step))
        elif operation in ("wrong", "right"):
            issued = self.stage.output([self.program, "challenges", self.verified, self.challenges]).splitlines()
            lines, ids = zip(*(line.rsplit(" ", 1) for line in issued))
            lines, ids = "\n".join(shuffled(lines)), "\n".join(ids)
            # Whoever types a code was sent it: the ledger knows of it.
            self.stage.sql(f"{ISSUED}\n{ids}\n\\.\n{IN_LEDGER}")
        elif operation == "refresh":
            lines = self.stage.output([self.program, "refresh", self.users])
        else:
            lines = ""
        if operation == "right":
            number = f"00000000-0000-7000-8000-{self.verified:012x}"
            self.stage.sql(
                "UPDATE users SET phone_verified = false WHERE phone_verified AND id >= :'first'; VACUUM users;",
                first=number,
            )
        if operation == "register":
            self.stage.sql("DELETE FROM users WHERE email LIKE 'w%-%@example.com'")
        self.data.write_text(lines)

    def wrk(self, server, operation, seconds, connections=CONNECTIONS):
        if operation in HASHING:
            connections = HASHING_CONNECTIONS
        command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
        command += ["-s", str(ROOT / "loadtest/compare.lua"), server.url, "--"]
        command += [operation, str(self.data), str(THREADS), f"w{time.time_ns()}"]
        shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        return json.loads(next(line for line in shown.splitlines() if line.startswith("RESULT"))[7:])

    def cell(self, server, operation, flush=True):
        """One measurement of one operation on one server."""
        if flush:
            self.stage.redis("flushall", "sync")
        self.prepare(operation)
        seconds = SECONDS
        if operation in ONCE:
            requests = self.challenges if operation == "right" else self.users
            seconds = max(1, min(SECONDS, requests // ONCE[operation]))
        elif operation not in HASHING:
            self.wrk(server, operation, 1)
            if operation == "wrong":
                self.prepare(operation)
        self.wait_until_idle(server)

        def clocks():
            generator = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            return cpu_seconds(server.pid), *self.stage.store_seconds(), machine_seconds() - generator

        before = clocks()
        seen = self.wrk(server, operation, seconds)
        server_cpu, postgres, redis, machine = (after - earlier for earlier, after in zip(before, clocks()))
        done = seen["requests"]
        wrong = seen["unexpected"] + seen["broken"]
        if operation in ONCE and server is self.floor and wrong:
            # The floor may be through before the time is up; what came after was refused.
            say(f"{wrong} requests came after the last that was good")
        elif wrong > done / 1000:
            raise Failed(f"{operation}: {wrong} of {done} answers of {server.name} were not as expected")
        return {
            "per_second": done / seen["seconds"],
            "server_cpu": server_cpu * 1000 / done,
            "postgres_cpu": postgres * 1000 / done,
            "redis_cpu": redis * 1000 / done,
            "stores_cpu": (postgres + redis) * 1000 / done,
            # All but the load generator: whatever else runs on the machine is in it.
            "machine_cpu": machine * 1000 / done,
            "p50_ms": seen["p50_ms"],
            "p99_ms": seen["p99_ms"],
        }

    def together(self, operation):
        """All instances asked at once, by a part of the connections each: requests/s and CPU of all of them."""
        self.stage.redis("flushall", "sync")
        self.prepare(operation)
        for server in self.instances:
            self.wrk(server, operation, 1)
        time.sleep(0.5)

        def clocks():
            return sum(cpu_seconds(server.pid) for server in self.instances), *self.stage.store_seconds()

        before = clocks()
        share = max(2, CONNECTIONS // len(self.instances))
        with ThreadPoolExecutor(len(self.instances)) as pool:
            seen = list(pool.map(lambda server: self.wrk(server, operation, SECONDS, share), self.instances))
        server_cpu, postgres, redis = (after - earlier for earlier, after in zip(before, clocks()))
        done = sum(part["requests"] for part in seen)
        return {
            "per_second": sum(part["requests"] / part["seconds"] for part in seen),
            "server_cpu": server_cpu * 1000 / done,
            "postgres_cpu": postgres * 1000 / done,
            "redis_cpu": redis * 1000 / done,
            "stores_cpu": (postgres + redis) * 1000 / done,
            "p99_ms": max(part["p99_ms"] for part in seen),
        }

    def wait_until_idle(self, server):
        """What clients that left had asked for may still be under way."""
        spent = cpu_seconds(server.pid)
        for _ in range(50):
            time.sleep(0.2)
            spent, before = cpu_seconds(server.pid), spent
            if spent - before < 0.04:
                return
        raise Failed(f"{server.name} does not come to rest")

    def bare_hash(self):
        per_second, milliseconds = map(float, self.stage.output([self.program, "hashes", 3]).split())
        return {"per_second": per_second, "cpu_ms": milliseconds}
