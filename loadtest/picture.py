"""A run as a picture: latency, throughput and memory over time, as SVG that needs nothing."""

from html import escape

WIDTH, LEFT, RIGHT, TALL, GAP, TOP = 900, 60, 20, 170, 54, 56
COLORS = {"p50": "#2a9d8f", "p95": "#e9a23b", "p99": "#d1495b"}
KINDS = {
    "2xx": ("#2a9d8f", lambda status: status.startswith("2")),
    "429 and 503": ("#e9a23b", lambda status: status in ("429", "503")),
    "other 4xx": ("#577590", lambda status: status.startswith("4") and status != "429"),
    "5xx and none": ("#d1495b", lambda status: status in ("0", "") or (status.startswith("5") and status != "503")),
}


def nice(most):
    """The next round number above."""
    for power in range(-2, 9):
        for step in (1, 1.5, 2, 3, 5, 7):
            if step * 10**power >= most:
                return step * 10**power
    return most


class Panel:
    def __init__(self, index, title, seconds, most):
        self.top = TOP + index * (TALL + GAP)
        self.seconds, self.most = max(1, seconds), nice(max(most, 0.01))
        self.parts = [f'<text x="{LEFT}" y="{self.top - 10}" class="title">{escape(title)}</text>']
        for share in (0, 0.5, 1):
            y = self.y(self.most * share)
            self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
            self.parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="tick" text-anchor="end">{self.most * share:g}</text>')
        for share in (0, 0.25, 0.5, 0.75, 1):
            x = self.x(self.seconds * share)
            self.parts.append(
                f'<text x="{x:.1f}" y="{self.top + TALL + 16}" class="tick" text-anchor="middle">{self.seconds * share:.0f} s</text>'
            )

    def x(self, second):
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    def y(self, value):
        return self.top + TALL - TALL * min(value, self.most) / self.most

    def line(self, name, color, points, at):
        drawn = " ".join(f"{self.x(second):.1f},{self.y(value):.1f}" for second, value in points)
        self.parts.append(f'<polyline points="{drawn}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        self.parts.append(
            f'<text x="{WIDTH - RIGHT - 110 * at}" y="{self.top - 10}" class="key" fill="{color}" text-anchor="end">{escape(name)}</text>'
        )


def draw(outcome):
    """The picture of what loadtest/run came to."""
    rows = outcome["series"]
    seconds = rows[-1]["second"] if rows else 1
    timed = [row for row in rows if "p99" in row]
    panels = []

    latency = Panel(0, "Latency, ms", seconds, max((row["p99"] for row in timed), default=1))
    for at, (name, color) in enumerate(COLORS.items()):
        latency.line(name, color, [(row["second"], row[name]) for row in timed], at)
    panels.append(latency)

    answers = Panel(1, "Answers a second", seconds, max((row["requests"] for row in rows), default=1))
    for at, (name, (color, fits)) in enumerate(KINDS.items()):
        points = [
            (row["second"], sum(count for status, count in row.get("statuses", {}).items() if fits(status))) for row in rows
        ]
        if any(value for _, value in points):
            answers.line(name, color, points, at)
    panels.append(answers)

    sampled = [row for row in rows if "rss_mb" in row]
    if sampled:
        memory = Panel(2, "Memory of the largest instance, MB; CPU of all, % of a core", seconds,
                       max(max(row["rss_mb"] for row in sampled), max(row.get("cpu", 0) * 100 for row in sampled)))
        memory.line("MB", "#577590", [(row["second"], row["rss_mb"]) for row in sampled], 0)
        memory.line("CPU", "#9b5de5", [(row["second"], row["cpu"] * 100) for row in sampled if "cpu" in row], 1)
        panels.append(memory)

    height = TOP + len(panels) * (TALL + GAP)
    verdict = "held" if outcome["held"] else "failed"
    body = "\n".join(part for panel in panels for part in panel.parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif">
<style>.title,.key{{font-size:13px}}.tick{{font-size:11px;fill:#888}}.grid{{stroke:#8884}}.title{{fill:#666;font-weight:600}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="16" font-weight="600" fill="#333">{escape(outcome["scenario"])}: {verdict}, {outcome["instances"]} instance{"" if outcome["instances"] == 1 else "s"}, limits {escape(outcome["limits"])}</text>
{body}
</svg>
"""
