"""Ten times the logins that the machine carries, then 500 at one moment, while others look at their accounts.

What is served stays near the peak, the rest is refused at once with a time to come again, and it is soon over. k6 takes
400 µs of a core for a request, and would be most of what is measured: the requests come from loadtest/flood.
Arguments: where the summary goes, where the points go.
"""

import json
import os
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

BASE = urlsplit(os.environ["BASE_URLS"].split(",")[0])
USERS = int(os.environ["USERS"])
PASSWORD = "securepass123"
CLOSED, FLOOD, CROWD = 8, 20, 500  # seconds, seconds, logins
RESTING, REFUSED, OTHERS = 5, 100, 20  # seconds until all is as before, ms, ms


def request(method, path, body=None, token=None):
    head = f"{method} /api/users/{path}/ HTTP/1.1\r\nhost: {BASE.netloc}\r\n"
    head += f"authorization: Bearer {token}\r\n" if token else ""
    text = "" if body is None else json.dumps(body)
    head += f"content-type: application/json\r\ncontent-length: {len(text)}\r\n" if text else ""
    return f"{head}\r\n{text}"


def login(number):
    return {"email": f"user{number}@example.com", "password": PASSWORD}


def token(number):
    post = urllib.request.Request(
        f"{BASE.geturl()}/api/users/login/", json.dumps(login(number)).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(post, timeout=10) as answer:
        return json.loads(answer.read())["tokens"]["access"]


def play(parts):
    """Answers by part: when (ms), how long (ms), status, Retry-After (s)."""
    command = [os.environ["FLOOD"], BASE.netloc]
    done = subprocess.run(command, input=json.dumps(parts), stdout=subprocess.PIPE, text=True, check=True)
    answers = {part["name"]: [] for part in parts}
    for line in done.stdout.splitlines():
        name, at, took, status, wait = line.split()
        answers[name].append((float(at), float(took), int(status), int(wait)))
    return answers


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def waits(answers, status):
    return [took for _, took, given, _ in answers if given == status]


def main(summary, csv):
    logins = [request("POST", "login", login(10 + number)) for number in range(USERS - 10)]
    looks = [request("GET", "me", token=token(number)) for number in range(5)]
    others = {"name": "me", "from": 0, "way": "rate", "count": 100, "requests": looks}
    hashing = {"name": "login", "from": 0, "way": "loop", "count": 16, "seconds": CLOSED, "requests": logins}
    before = play([{**others, "seconds": CLOSED}, hashing])
    peak = len(waits(before["login"], 200)) / CLOSED

    flood = {"name": "flood", "from": 3, "way": "rate", "count": round(peak * 10), "seconds": FLOOD, "requests": logins}
    crowd_at = 3 + FLOOD + 3
    crowd = {"name": "crowd", "from": crowd_at, "way": "crowd", "count": CROWD, "requests": logins[::-1]}
    few = {"way": "rate", "count": 10, "requests": logins}
    lone = {**few, "name": "before", "from": 0, "seconds": 3}
    later = {**few, "name": "after", "from": crowd_at + RESTING, "seconds": 10}
    during = play([{**others, "seconds": crowd_at + RESTING + 10}, lone, flood, crowd, later])
    began = min(at for at, *_ in during["me"])

    def looked(start, end):
        return [took for at, took, _, _ in during["me"] if start <= (at - began) / 1000 < end]

    resting, after = looked(0, 3), looked(crowd_at + RESTING, crowd_at + RESTING + 10)
    served = len(waits(during["flood"], 200)) / FLOOD
    everything = [answer for answers in (*before.values(), *during.values()) for answer in answers]
    odd = [answer for answer in everything if answer[2] != 200 and not (answer[2] == 503 and answer[3] > 0)]
    unlooked = [answer for answer in before["me"] + during["me"] if answer[2] != 200]
    refused = {name: waits(during[name], 503) for name in ("flood", "crowd")}
    p99 = {name: percentile(values, 0.99) for name, values in refused.items()}
    at_rest, rested = percentile(resting, 0.99), percentile(after, 0.99)
    alone, again = (percentile([took for _, took, _, _ in during[name]], 0.99) for name in ("before", "after"))
    beside = percentile(waits(before["me"], 200), 0.99)
    thresholds = {
        f"of {round(peak * 10)} logins a second {served:.0f} are served, {served / peak:.0%} of the peak of {peak:.0f}":
            served >= 0.8 * peak,
        f"{len(refused['flood'])} refusals of the flood within {REFUSED} ms (p99): {p99['flood']:.1f}":
            0 < p99["flood"] < REFUSED,
        f"{len(refused['crowd'])} refusals of {CROWD} at once within {REFUSED} ms (p99): {p99['crowd']:.1f}":
            0 < p99["crowd"] < REFUSED,
        f"all {len(everything)} are served, or refused with Retry-After: {len(odd)} are not": not odd,
        f"all looks at an account are served: {len(unlooked)} are not": not unlooked,
        f"their p99 below {OTHERS} ms beside logins at the peak: {beside:.1f}": beside < OTHERS,
        f"their p99 {RESTING} s after the crowd as before, {at_rest:.1f} ms: {rested:.1f}": rested < max(OTHERS, 2 * at_rest),
        f"and that of logins as before, {alone:.0f} ms: {again:.0f}": again < max(200, 2 * alone),
        "those logins are all served": len(waits(during["after"], 200)) == len(during["after"]),
    }
    for what, met in thresholds.items():
        print("    ✓" if met else "    ✗", what)
    print(f"      during the flood their p99 was {percentile(looked(3, 3 + FLOOD), 0.99):.1f} ms")
    with open(csv, "w", encoding="utf-8") as out:
        out.write("metric_name,timestamp,metric_value,name,status\n")
        for name, answers in [*before.items(), *during.items()]:
            for at, took, status, _ in answers:
                out.write(f"http_req_duration,{at:.0f},{took:.3f},{name},{status}\n")
    with open(summary, "w", encoding="utf-8") as out:
        json.dump({"metrics": {}, "thresholds": thresholds}, out)
    return 0 if all(thresholds.values()) else 1


sys.exit(main(*sys.argv[1:]))
