"""User-space instructions of requests, by valgrind's callgrind: what loadtest/instructions and scripts/bench-gate measure
with. The load of the machine doesn't change them."""

import json
import re
import selectors
import socket
import subprocess
import time
from urllib.parse import urlsplit

from bench import Bench
from stage import Failed, setting

WARM_UP = setting("WARM_UP", 1000)
# Tokens that `me` shows, so few that every thread has seen each.
KNOWN_TOKENS = 100
PAUSE = 3.0
# Nothing here waits longer: what hangs is an error.
PATIENCE = 120.0
OPERATIONS = ("me", "send", "wrong", "right", "refresh")
STATUS = {"wrong": b"400"}


class Counted(Bench):
    """As the bench of `compare`, with its servers under callgrind."""

    program_needed, package = "vgdb", "valgrind"

    def __init__(self, stage, binaries, requests, connections, workers, users, with_floor=True, warm_up=WARM_UP):
        self.requests, self.connections, self.warm_up = requests, connections, warm_up
        self.under_callgrind, self.counting = False, set()
        start = stage.start

        def start_counted(name, command, ready, *rest, **more):
            if self.under_callgrind:
                options = ("--instr-atstart=no", "--fair-sched=yes", "--separate-threads=no")
                out = f"--callgrind-out-file={stage.dir}/callgrind.%p"
                command = ["valgrind", "--tool=callgrind", "-q", *options, out, *command]
                more["patience"] = PATIENCE
            return start(name, command, ready, *rest, **more)

        stage.start = start_counted
        settings = {"RINGBACK__SERVER__WORKERS": str(workers)}
        super().__init__(stage, binaries, users, settings=settings, with_floor=with_floor)

    def start_ringback(self):
        # The first start makes the tables, at full speed.
        started = super().start_ringback()
        self.under_callgrind = True
        return started

    def lines(self, operation):
        """Prepares an operation; answers its requests."""
        self.stage.redis("flushall", "sync")
        self.prepare(operation)
        lines = self.data.read_text().splitlines()
        if operation == "me":  # by tokens that were seen before
            lines = [lines[at % KNOWN_TOKENS] for at in range(self.warm_up + self.requests)]
        return [request(operation, line) for line in lines]

    def callgrind(self, server, command):
        subprocess.run(
            ["vgdb", f"--pid={server.pid}", "--wait=10", command],
            check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def dump(self, server):
        """The profile since the last dump."""
        pattern = f"callgrind.{server.pid}.*"
        before = set(self.stage.dir.glob(pattern))
        self.callgrind(server, "dump")
        return next(iter(set(self.stage.dir.glob(pattern)) - before))

    def measure(self, server, operation):
        requests = self.lines(operation)
        if len(requests) < self.warm_up + self.requests:
            raise Failed(f"{operation}: {len(requests)} requests are too few")
        status = STATUS.get(operation, b"200")
        self.ask_all(server, requests[:self.warm_up], status)
        time.sleep(1)
        # On once and never off: callgrind's sums are nonsense when it is turned on again.
        self.callgrind(server, "zero" if server in self.counting else "instrumentation on")
        self.counting.add(server)
        time.sleep(PAUSE)
        idle = total(self.dump(server)) / PAUSE
        began = time.monotonic()
        self.ask_all(server, requests[self.warm_up:self.warm_up + self.requests], status)
        took = time.monotonic() - began
        profile = self.dump(server)
        return (total(profile) - idle * took) / self.requests, profile

    def ask_all(self, server, requests, status):
        """Each request once, over all connections that each wait for their answer."""
        address, left = urlsplit(server.url), iter(requests)
        selector, open_, answered = selectors.DefaultSelector(), 0, 0
        for _ in range(self.connections):
            first = next(left, None)
            if first is None:
                break
            connection = socket.create_connection((address.hostname, address.port), PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(first)
            selector.register(connection, selectors.EVENT_READ, bytearray())
            open_ += 1
        deadline = time.monotonic() + 3 * PATIENCE
        while open_:
            ready = selector.select(1)
            if time.monotonic() > deadline:
                raise Failed("the answers don't come")
            for key, _ in ready:
                connection, answer = key.fileobj, key.data
                part = connection.recv(65536)
                answer += part
                if not part:
                    raise Failed(f"{server.name} closed a connection")
                if not is_whole(answer):
                    continue
                if answer[9:12] != status:
                    raise Failed(f"{server.name} answered {bytes(answer)!r}")
                answered += 1
                answer.clear()
                following = next(left, None)
                if following is None:
                    selector.unregister(connection)
                    connection.close()
                    open_ -= 1
                else:
                    connection.sendall(following)
        if answered != len(requests):
            raise Failed(f"{answered} of {len(requests)} were answered")


def request(operation, line):
    """The request that compare.lua makes of a line."""
    host = "Host: 127.0.0.1\r\n"
    if operation == "me":
        return f"GET /api/users/me/ HTTP/1.1\r\n{host}authorization: Bearer {line}\r\n\r\n".encode()
    if operation == "refresh":
        path, body = "token/refresh", {"refresh": line}
    else:
        phone, *code = line.split()
        path, body = ("verify-phone-otp" if code else "send-phone-otp"), {"phone": phone}
        if code:
            wrong = operation == "wrong"
            body["otp"] = f"{(int(code[0]) + wrong) % 1_000_000:06}"
    text = json.dumps(body, separators=(",", ":"))
    head = f"POST /api/users/{path}/ HTTP/1.1\r\n{host}content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    return (head + text).encode()


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end) and len(body) >= int(length[1] if length else 0)


def total(profile):
    text = profile.read_text(errors="replace")
    return int(re.search(r"(?m)^(?:summary|totals): (\d+)", text)[1])


