# Dates and times: construction, arithmetic, comparison, ISO 8601, strftime, zones, timestamps.
import sys
from datetime import date, datetime, timedelta, timezone


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 150000
    base = datetime(2024, 1, 1, 12, 30, tzinfo=timezone.utc)
    zone = timezone(timedelta(hours=2))
    total = timedelta(0)
    days = set()
    t = 0
    for i in range(n):
        d = base + timedelta(minutes=i, seconds=5)
        e = d - base
        total += e
        t += d.hour + e.days + (d > base) + d.weekday()
        x = date(2024, 1 + i % 12, 1 + i % 28)
        days.add(x)
        t += (x + timedelta(days=3)).day + x.toordinal() % 7
        if i % 5 == 0:
            s = d.isoformat()
            t += datetime.fromisoformat(s).second + len(d.strftime("%Y-%m-%d %H:%M:%S")) + len(str(e))
            t += d.astimezone(zone).hour + int(d.timestamp()) % 10 + d.replace(day=1).day
            t += datetime.fromtimestamp(i * 1000, timezone.utc).day + int(e / timedelta(hours=1))
    print(t, total, len(days), max(days) - min(days))


main()
