"""What happened in each second, from k6's CSV as it is written."""

import threading
from collections import defaultdict


def percentile(values, share):
    """Of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))]


class Series:
    def __init__(self):
        self.durations = defaultdict(list)
        self.statuses = defaultdict(lambda: defaultdict(int))
        self.process = {}
        self.stopped = threading.Event()
        self.reading = threading.Event()

    def read(self, path):
        """Reads until the writer closes it. The columns are named by the first line."""
        with open(path, encoding="utf-8") as lines:
            self.reading.set()
            names = next(lines, "").rstrip("\n").split(",")
            place = {name: index for index, name in enumerate(names)}
            for line in lines:
                if not line.startswith("http_req_duration,"):
                    continue
                cells = line.split(",")
                second = int(float(cells[place["timestamp"]]) / 1000)
                if cells[place["name"]] == "sms":
                    continue
                self.durations[second].append(float(cells[place["metric_value"]]))
                self.statuses[second][cells[place["status"]]] += 1
        self.reading.clear()

    def note(self, at, rss_mb, cpu):
        self.process[int(at)] = (rss_mb, cpu)

    def stop(self):
        self.stopped.set()

    def rows(self):
        """A row for each second: requests, latencies, answers by status, memory and CPU of the instances."""
        if not self.durations and not self.process:
            return []
        seconds = sorted(set(self.durations) | set(self.process))
        rows = []
        for second in range(seconds[0], seconds[-1] + 1):
            row = {"second": second - seconds[0], "requests": len(self.durations.get(second, ()))}
            if row["requests"]:
                values = sorted(self.durations[second])
                row |= {f"p{share}": round(percentile(values, share / 100), 3) for share in (50, 95, 99)}
                row["statuses"] = dict(self.statuses[second])
            if second in self.process:
                row["rss_mb"] = round(self.process[second][0], 1)
                before = self.process.get(second - 1)
                if before:
                    row["cpu"] = round(self.process[second][1] - before[1], 2)
            rows.append(row)
        return rows
