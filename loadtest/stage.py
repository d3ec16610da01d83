"""What a load test stands on: private servers, simulator and instances, all ended with it.

`with Stage() as stage:` leaves nothing behind, whatever way the block ends: Ctrl-C, TERM and HUP too. Every
process is ended with its children, by the id of its own group. The Python of a bare Debian is enough; there are no packages.
"""

import base64
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "loadtest" / "results"
TICKS = os.sysconf("SC_CLK_TCK")
PASSWORD = "securepass123"
# Where a rule of a limits file begins.
RULES = r"(?m)^(?=\[\[rule\]\]$)"


class Failed(Exception):
    """A load test that could not be made, in a sentence."""


def say(*words):
    print("loadtest:", *words, file=sys.stderr, flush=True)


def setting(name, default):
    """What the caller's environment says, as the type of the default."""
    text = os.environ.get(name)
    return default if text is None else type(default)(text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, timeout=2.0):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def cpu_seconds(pid):
    """CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds():
    """CPU time of the whole machine so far: all but idle, waiting for a disk, and stolen."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _wait, hard, soft = fields[:7]
    return (user + nice + system + hard + soft) / TICKS


def family_seconds(pid):
    """CPU time of a process and all its children so far, those that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    total = sum(map(int, fields[11:15])) / TICKS
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in children:
        try:
            total += cpu_seconds(child)
        except FileNotFoundError:  # it ended, and is in the sum from the next time on
            pass
    return total


def resident_mb(pid, field="VmRSS"):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024


def peak_mb(pid):
    """The most that it had since it was started."""
    return resident_mb(pid, "VmHWM")


def group_lives(group):
    """Whether a process of this group runs still."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = stat.read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):  # it ended just now
            continue
        if int(its_group) == group and state not in "ZX":
            return True
    return False


def signal_group(group, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def build(*targets):
    """Builds with PROFILE (default release); answers the folder of what was built."""
    profile = setting("PROFILE", "release")
    if not os.environ.get("SKIP_BUILD"):
        command = ["cargo", "build", "--locked", "--profile", profile, *targets]
        say("building:", " ".join(command))
        if subprocess.run(command, cwd=ROOT).returncode:
            raise Failed("the build failed")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / ("debug" if profile == "dev" else profile)


# What a load test asks for in all, and what one person asks for.
QUOTA_OF_ALL, QUOTA_OF_ONE = 50_000_000, 100_000


def roomy_limits():
    """The shipped rules with quotas that refuse nobody. One request fills its bucket for a while still, so that counters are kept from
    one request to the next, as they are in life."""

    def roomy(rule):
        quota = QUOTA_OF_ONE if re.search(r'(?m)^by\s*=\s*"(phone|email|user)"$', rule) else QUOTA_OF_ALL
        if re.search(r"(?m)^quota\s*=\s*\d", rule):
            rule = re.sub(r"(?m)^per\s*=.*$", 'per = "30d"', rule)
        rule = re.sub(r"(?m)^(quota|burst|grows_to|ceiling)\s*=\s*\d.*$", rf"\1 = {quota}", rule)
        return re.sub(r"(?m)^(quota|burst|ceiling)\s*=\s*\".*$", r'\1 = "100000 USD"', rule)

    head, *rules = re.split(RULES, (ROOT / "config/limits.toml").read_text())
    return head + "".join(map(roomy, rules))


def scaled_limits(day):
    """The shipped rules with periods as much shorter as `day` seconds are than a day."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    def shorter(period):
        seconds = int(period[1]) * units[period[2]] * day / 86_400
        return f'per = "{max(1, round(seconds))}s"'

    text = (ROOT / "config/limits.toml").read_text()
    return re.sub(r'(?m)^per\s*=\s*"(\d+)([smhd])"$', shorter, text)


class Stage:
    """Servers and processes of one load test."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="ringback-load."))
        self.dir.chmod(0o755)  # PostgreSQL's own user passes
        self.running = []
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("RINGBACK", "TWILIO"))}
        self.environment["RINGBACK_SECRET"] = base64.b64encode(secrets.token_bytes(32)).decode()
        self.has_servers = False
        self.more = contextlib.ExitStack()

    def __enter__(self):
        def end(number, _frame):
            raise SystemExit(128 + number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(self.running):
            self.end(process)
        self.more.close()
        if self.has_servers:
            subprocess.run([ROOT / "scripts/servers", "stop", self.dir / "servers"], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def enter(self, context):
        """Enters what has to end with the stage."""
        return self.more.enter_context(context)

    def start_servers(self):
        """PostgreSQL and Redis of its own."""
        self.has_servers = True
        subprocess.run([ROOT / "scripts/servers", "start", self.dir / "servers"], check=True)
        lines = (self.dir / "servers/env").read_text()
        self.environment["DATABASE_URL"] = re.search(r"TEST_DATABASE_URL=(\S+)", lines)[1]
        self.environment["REDIS_URL"] = re.search(r"TEST_REDIS_URL=(\S+)", lines)[1]

    def store_seconds(self):
        """CPU time so far of PostgreSQL, and of Redis."""
        lines = [line.split() for line in (self.dir / "servers/pids").read_text().splitlines()]
        pids = {name: pid for name, pid, _since in lines}
        return family_seconds(pids["postgres"]), family_seconds(pids["redis"])

    def start(self, name, command, ready, environment=None, patience=30.0, log=None):
        """Starts a process and waits until `ready` answers; seconds that took are on it as `ready_after`."""
        out = open(log or self.dir / f"{name}.log", "wb")
        began = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the stage's to handle
        )
        process.name = name
        self.running.append(process)
        while True:
            try:
                get(ready, 0.5)
                break
            except OSError as error:
                if isinstance(error, urllib.request.HTTPError) and error.code < 500:
                    break
                if process.poll() is not None or time.monotonic() - began > patience:
                    tail = "" if log else (self.dir / f"{name}.log").read_text(errors="replace")[-2000:]
                    raise Failed(f"{name} does not answer at {ready}\n{tail}") from None
                time.sleep(0.005)
        process.ready_after = time.monotonic() - began
        return process

    def start_instance(self, binaries, environment, log=None):
        """An instance of the service; its addresses are on it as `url` and `ops`."""
        port, ops = free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        process = self.start(
            f"ringback-{len(self.running)}",
            [binaries / "ringback", "serve"],
            url + "/readyz",
            {
                "RINGBACK_ENV": "production",
                "RINGBACK_CONFIG_DIR": str(ROOT / "config"),
                "RINGBACK__SERVER__BIND": f"127.0.0.1:{port}",
                "RINGBACK__SERVER__OPS_BIND": f"127.0.0.1:{ops}",
                "RINGBACK__ADMIN__BIND": "127.0.0.1:0",
                "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
                "RINGBACK__SMS__COUNTRIES_ALLOW": "*",
                "TWILIO_AUTH_TOKEN": "not-a-secret",
                "TWILIO_PHONE_NUMBER": "+14155550100",
                **environment,
                # What the caller wants to be tried.
                **{key: value for key, value in os.environ.items() if key.startswith("RINGBACK__")},
            },
            log=log,
        )
        process.url, process.ops = url, f"http://127.0.0.1:{ops}"
        return process

    def start_simulator(self, binaries):
        """Twilio's part, played by the project's own binary."""
        address = f"127.0.0.1:{free_port()}"
        url = f"http://{address}"
        process = self.start("twilio-sim", [binaries / "twilio-sim", "--bind", address], url + "/stats.json")
        process.url = url
        return process

    def end(self, process):
        """Ends a process and all that it started: one TERM for each, and KILL for what is left after 35 s."""
        if process.returncode is None:  # nobody has waited for it, so its id is still its own
            for number, patience in ((signal.SIGTERM, 35), (signal.SIGKILL, 5)):
                signal_group(process.pid, number)
                deadline = time.monotonic() + patience
                while group_lives(process.pid) and time.monotonic() < deadline:
                    time.sleep(0.02)
            process.wait()
        if process in self.running:
            self.running.remove(process)

    def scaled_limits(self, day):
        path = self.dir / "scaled.toml"
        path.write_text(scaled_limits(day))
        return path

    def roomy_limits(self):
        path = self.dir / "limits.toml"
        path.write_text(roomy_limits())
        return path

    def limits_without(self, words):
        """The shipped rules but for those that say one of these."""
        head, *rules = re.split(RULES, (ROOT / "config/limits.toml").read_text())
        path = self.dir / "limits.toml"
        path.write_text(head + "".join(rule for rule in rules if not any(word in rule.split("\n\n")[0] for word in words)))
        return path

    def output(self, command, **options):
        """What a command prints."""
        done = subprocess.run(
            [str(part) for part in command], env=self.environment, stdout=subprocess.PIPE, text=True, **options
        )
        if done.returncode:
            raise Failed(f"{Path(str(command[0])).name} ended with {done.returncode}")
        return done.stdout

    def discard(self, command):
        """Runs a command whose output nobody wants."""
        subprocess.run([str(part) for part in command], env=self.environment, stdout=subprocess.DEVNULL, check=True)

    def sql(self, text, **variables):
        """Runs SQL in the service's database, with psql's `:name` for variables; answers rows of `|`-parted columns."""
        psql = shutil.which("psql") or next(Path("/usr/lib/postgresql").glob("*/bin/psql"))
        options = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        command = [psql, "-q", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *options, self.environment["DATABASE_URL"]]
        return self.output(command, input=text).strip()

    def redis(self, *command):
        return self.output(["redis-cli", "-u", self.environment["REDIS_URL"], *command]).strip()

    def make_users(self, binaries, users, verified):
        """Makes `users` accounts, each with a session; the first `verified` have proven their phone."""
        began = time.monotonic()
        hashed = self.output([binaries / "examples/floor", "password", PASSWORD]).strip()
        self.sql((ROOT / "loadtest/users.sql").read_text(), users=users, verified=verified, hash=hashed)
        say(f"{users} users in {time.monotonic() - began:.0f} s")
