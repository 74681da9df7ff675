"""Compare the times that migration_plan() estimated with those that were measured; see calibrate."""

import json
import sys


def main():
    estimates, observations = sys.argv[1:]
    with open(observations) as file:
        run = json.load(file)
    measured = {revision: seconds for _, revision, _, seconds in run["revisions"]}
    low, high = {}, {}
    with open(estimates) as file:
        for line in file:
            revision, *times = line.split()
            low[revision], high[revision] = map(float, times)

    print(f"{'revision':14} {'estimated':>17} {'measured':>9}")
    slowest = sorted(measured, key=measured.get, reverse=True)
    for revision in slowest[:12]:
        times = f"{low.get(revision, 0):.1f} - {high.get(revision, 0):.1f}"
        print(f"{revision:14} {times:>17} {measured[revision]:9.1f}")
    total = sum(measured.values())
    times = f"{sum(low.values()):.1f} - {sum(high.values()):.1f}"
    print(f"{'all':14} {times:>17} {total:9.1f}")

    middle = (sum(low.values()) + sum(high.values())) / 2
    named = sorted(high, key=high.get, reverse=True)
    print(f"the middle of the estimate is {middle / total:.2f} of the measured time")
    good = total / 2 <= middle <= total * 2 and named[:3] == slowest[:3]
    print("good" if good else "not good")
    sys.exit(not good)


if __name__ == "__main__":
    main()
