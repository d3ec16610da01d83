"""What each scenario meets; what it does is in scenarios/NAME.js (or .py)."""

import os
from dataclasses import dataclass, field
from typing import Callable, Optional

FREE = {"RINGBACK__OTP__RESEND_COOLDOWN": "0s"}
# Source addresses of this machine, for whoever rotates them.
ADDRESSES = ["--local-ips", "127.0.1.1-127.0.1.200"]


@dataclass(frozen=True)
class Scenario:
    what: str
    roomy: bool = True  # the shipped rules with the quotas of a load test; else with their own
    instances: int = 1
    users: int = 0  # accounts that are made beforehand, none of them verified
    settings: dict = field(default_factory=dict)
    options: list = field(default_factory=list)  # of k6
    promises: bool = False  # each SMS that was promised has to reach the simulator
    needs_stage: bool = False
    script: str = ""  # in scenarios/; else that of its name
    environment: dict = field(default_factory=dict)  # of the script
    day: int = 0  # seconds that stand for a day: the periods of the limits file are scaled by it
    prepared: bool = False  # the script gives SQL for the accounts that were made, when it is asked with --sql
    mail: bool = False  # e-mails go to a mailbox of its own
    leaves_out: tuple = ()  # what the rules say that are left out of the shipped ones
    memory: Optional[Callable] = None  # of the MB before, in each second, and at most: what is wrong with them


# MB for connections, tokens that are remembered, counters, the log and the statements of PostgreSQL.
SLACK = 16


def steady(_before, seconds, _peak):
    fifth = len(seconds) // 5
    early, late = max(seconds[fifth : 2 * fifth] or seconds), max(seconds[-fifth:] or seconds)
    return f"memory grew from {early:.0f} to {late:.0f} MB" if late > 1.25 * early else None


def bounded(before, _seconds, peak):
    """Each core hashes in 19 MiB, however many wait."""
    most = before + (os.cpu_count() or 1) * 19 + SLACK
    return f"{peak:.0f} MB are more than {most:.0f} MB" if peak > most else None


JOURNEYS = {
    "smoke": Scenario("the main job, every answer checked", promises=True),
    "signup": Scenario("new users arrive, each through the whole way", promises=True),
    "recover": Scenario("users sign in by code, and set a new password by one", settings=FREE, promises=True),
    "email": Scenario("users register, change, sign in and reset by codes by e-mail", settings=FREE, mail=True),
    "settle": Scenario(
        "users prove and change addresses and passwords, and end sessions", settings=FREE, promises=True, mail=True
    ),
    "send": Scenario("codes are asked for at a steady rate", users=20_000, settings=FREE, promises=True),
    "verify": Scenario("codes are typed, wrong and right", users=20_000, settings=FREE, promises=True),
    "me": Scenario("signed-in users look at their account", users=20_000),
    "login": Scenario("users sign in", users=20_000),
    "mixed": Scenario("a frontend's mix at an arrival rate", users=20_000, settings=FREE, promises=True),
    "spike": Scenario("ten times the traffic within 5 s", users=20_000, settings=FREE),
}
ATTACKS = {
    "attack-guessing": Scenario("parallel guesses at one code", roomy=False, instances=3, options=ADDRESSES),
    "attack-resend": Scenario("resends that should give guesses back", settings=FREE),
    "attack-phone": Scenario(
        "one phone asked for from 200 addresses", roomy=False, instances=3, options=ADDRESSES, needs_stage=True
    ),
    "attack-addresses": Scenario("forged addresses", roomy=False, instances=2, needs_stage=True),
    "attack-ipv6": Scenario(
        "10,000 addresses of one /64",
        roomy=False,
        settings={"RINGBACK__SERVER__TRUSTED_PROXIES": "127.0.0.0/8"},
        needs_stage=True,
    ),
    "attack-pumping": Scenario(
        "codes for sequential numbers", roomy=False, instances=2, users=5_000, options=ADDRESSES, needs_stage=True
    ),
    **{
        name: Scenario(
            what,
            roomy=False,
            users=20_000,
            settings={"RINGBACK__SERVER__TRUSTED_PROXIES": "127.0.0.0/8", "RINGBACK__OTP__RESEND_COOLDOWN": "1s"},
            needs_stage=True,
            script="attack-pumping-day.py",
            environment={"PUMPER": pumper},
            day=300,
            prepared=True,
        )
        for name, pumper, what in [
            ("attack-pumping-day", "silent", "a day of SMS pumping in five minutes, in which users sign up"),
            ("attack-pumping-day-tenth", "tenth", "the same by who types every tenth code"),
            ("attack-pumping-day-all", "all", "the same by who types all codes"),
            ("attack-pumping-day-residential", "residential", "the same from an address for each request"),
            ("attack-pumping-day-market", "market", "the same in the blocks in which the users live"),
        ]
    },
    "attack-stuffing": Scenario("stolen passwords tried at many accounts", roomy=False, users=5_000, needs_stage=True),
    "attack-account": Scenario(
        "one account guessed from 200 addresses", roomy=False, users=5_000, options=ADDRESSES, needs_stage=True
    ),
    # A rule by prefix refuses whoever asks, so that strangers' messages to a phone are in its owner's way; this owner proves no work.
    "attack-lockout": Scenario(
        "200 addresses that shut owners out",
        roomy=False,
        settings={"RINGBACK__SERVER__TRUSTED_PROXIES": "127.0.0.0/8"},
        needs_stage=True,
        leaves_out=("prefix:", '"otp-send-per-phone"'),
    ),
    "attack-exhaustion": Scenario(
        "floods for unknown phones that empty budgets",
        roomy=False,
        settings={"RINGBACK__SERVER__TRUSTED_PROXIES": "127.0.0.0/8"},
        needs_stage=True,
    ),
    "attack-oracle": Scenario(
        "what refusals tell of who has an account",
        roomy=False,
        users=2_750,
        settings={"RINGBACK__SERVER__TRUSTED_PROXIES": "127.0.0.0/8", **FREE},
        needs_stage=True,
        prepared=True,
        # What all numbers of a country share would be spent by the first probes.
        leaves_out=('"country"', '"global"'),
    ),
    "attack-slow": Scenario("heads and bodies that never end", roomy=False, memory=bounded),
    "attack-megabyte": Scenario("passwords of a megabyte", roomy=False, memory=bounded),
}
SCENARIOS = {
    **JOURNEYS,
    **ATTACKS,
    "overload": Scenario(
        "ten times the logins that it carries", users=20_000, needs_stage=True, memory=bounded
    ),
    "soak": Scenario("the mix for 10 minutes or more", users=20_000, settings=FREE, promises=True, memory=steady),
}
