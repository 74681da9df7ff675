"""The Python part of test/airflow/schedule; runs in Airflow's virtual environment.

    python schedule.py DIRECTORY [--count N] [--seed N]

Makes timetables and moments, has Airflow's own classes say what DagModel.calculate_dagrun_date_fields() would
write at each, and leaves both in DIRECTORY as files for COPY: "schedule" (serialised DAGs) and "moment".
What a serialised DAG goes through is Airflow's: its serializer, its deserializer, its clock (replaced).
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import logging
import random
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

warnings.simplefilter("ignore")

import airflow
import pendulum
from airflow.models.dag import DagModel
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.timetables import interval, simple, trigger
from airflow.timetables.base import DataInterval
from compat import AIRFLOW, parse_folder, serialize
from croniter import croniter
from dateutil.relativedelta import MO, FR, relativedelta

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
MOMENTS = 20
SEQUENCE = 10
REFUSED = "refused"
COMPUTED = (
    "NullTimetable OnceTimetable ContinuousTimetable CronDataIntervalTimetable DeltaDataIntervalTimetable "
    "CronTriggerTimetable MultipleCronTriggerTimetable DeltaTriggerTimetable"
).split()

# Zones whose clocks do odd things: half hours, two hours, at midnight, a day left out, winter time that is "negative".
ZONES = """Europe/Zurich America/New_York America/Sao_Paulo Australia/Lord_Howe Asia/Kolkata Asia/Kathmandu
    Africa/Casablanca Europe/Dublin America/St_Johns Pacific/Apia Asia/Tehran Pacific/Chatham America/Santiago
    America/Havana Asia/Beirut Africa/Cairo Antarctica/Troll Atlantic/Azores America/Nuuk Asia/Amman UTC Etc/GMT+5
    EST5EDT Asia/Pyongyang Europe/London Pacific/Kiritimati Asia/Gaza America/Caracas Europe/Moscow""".split()
OFFSETS = (19800, -12600, 45, 3600, -43200, 50400, -1)

# As people write them.
REAL_CRONS = """0 0 * * *|@daily|@hourly|@weekly|@monthly|@quarterly|@yearly|*/5 * * * *|*/15 * * * *|30 2 * * *
    |0 2 * * *|0 3 * * 0|15 14 1 * *|0 22 * * 1-5|23 0-20/2 * * *|5 4 * * sun|0 0,12 1 */2 *|0 4 8-14 * *
    |0 0 1,15 * 3|0 8-18 * * mon-fri|0 6 * * MON|30 1 * * *|59 23 L * *|0 0 L * *|0 9 * * 1#1|0 9 * * 5#2|0 9 * * L5
    |0 9 * * mon#1,fri#3|0 */6 * * *|0 */3 * * *|0 1-23/2 * * *|10,40 * * * *|0-10 5 * * *|0 0 29 2 *|0 0 31 * *
    |0 0 30 2 *|0 0 31 2 1|* * * * *|*/10 8-17 * * 1-5|0 12 * * ?|0 0 ? * 6|0 5 1 jan,jul *|0 5 * jan-mar mon
    |0 0 1 1 0|@midnight|@annually|0 0 * * 7|0 0 * * 5-7|0 0 * * 6-1|0 0 13 * 5|0 2 * * 0|30 2 * 3 0|0 3 29 10 *
    |*/30 1-3 * * *|15 2 * * *|0 0 * * * */15|30 4 * * * 15|0 0 1 1 * 0 2030|0 12 * 6 * 0 2024-2028|* * * * * *
    |0 0 15w * *|0 0 w1 * *|0 0 31W * 1|59/15 * * * *|10/20 * * * *|0 5/6 * * *|0 0 5-0 * *|0 0 * dec-feb *
    |0 0 * 11-2/2 *|45 1 * 10 *|0 24-1 * * *|0 0 l-3 * *|1-5#2 0 * * *|0 0 * * 1-5#2|0 0 * * mon-5#2|0 0 * * *#2
    |0 0 0 * *|60 * * * *|0 0 * * 8|*/0 * * * *|r * * * *|h h * * *|0 0 * * r(1-3)|R/5 * * * *|5,* * * * *|0 5,* * * *
    |0 0 * * 1,2#1|0 0 1-31 * 1|0 0 * * 0-6|0 0 1-31 * *|0-59 0-23 1-31 1-12 0-6|@reboot|0 0 15,l * *|  0  0 * *  *
    |0 0 1-15/20 * 2-4/9|0 22 * * 1-5,sat|0 0 31,30 * *|0 0 * 2 1#5|0 7 28-31 * mon#5|0 0 * * 1#6|0 0 */10 * *|0 0 1,30 * *""".replace("\n    ", "").split("|")

WITHIN = (0, 60, 300, 1800, 86400)
CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7), (0, 59), (2020, 2040))
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()
OUR_LOGGERS = (interval, simple, trigger)


class Operator(BaseOperator):
    """Does nothing, with something to map over."""

    def __init__(self, *, word: str = "", **kwargs) -> None:
        super().__init__(**kwargs)
        self.word = word


class Clock:
    """Airflow's "now", wherever its timetables look at it."""

    def __init__(self) -> None:
        self.now = EPOCH
        interval.utcnow = trigger.utcnow = self.utcnow
        simple.timezone = SimpleNamespace(utcnow=self.utcnow, coerce_datetime=simple.timezone.coerce_datetime)
        trigger.time = SimpleNamespace(time=lambda: self.now.timestamp())

    def utcnow(self) -> datetime:
        return self.now.astimezone(pendulum.UTC)


CLOCK = Clock()


def remember_expressions() -> None:
    """croniter reads its expression at each step of Airflow's, which is most of the time that all this takes."""
    expand = functools.lru_cache(maxsize=None)(croniter._expand)
    croniter._expand = classmethod(lambda _, expression, **__: expand(expression))


def silence() -> None:
    """Airflow logs each computation, and each that fails with its traceback."""
    from airflow.models import dag as models_dag

    quiet = SimpleNamespace(**{level: lambda *_, **__: None for level in ("info", "debug", "exception", "warning")})
    logging.disable(logging.CRITICAL)
    models_dag.log = quiet
    for name in ("airflow.serialization.definitions.dag", "airflow.serialization.serialized_objects"):
        if hasattr(sys.modules.get(name), "log"):
            sys.modules[name].log = quiet


class Maker:
    """Timetables and moments out of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chance = lambda probability: self.random.random() < probability
        self.transitions: dict[str, list[datetime]] = {}

    def moment(self, first: int = 2023, last: int = 2028) -> datetime:
        seconds = self.random.randrange((last - first) * 365 * 86400)
        moment = datetime(first, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
        if self.chance(0.3):
            moment += timedelta(microseconds=self.random.randrange(1000000))
        if self.chance(0.2):
            moment = moment.replace(minute=0, second=0, microsecond=0)
        if self.chance(0.1):
            moment = moment.replace(month=2, day=self.random.randint(15, 28))
        return moment

    def changes_of(self, name: str) -> list[datetime]:
        """When the clocks of a zone change, 2010 to 2030, and some in the year of the last rule."""
        if name not in self.transitions:
            zone, found = ZoneInfo(name), []
            for year in [*range(2010, 2031), 2050, 2085]:
                day = datetime(year, 1, 1, tzinfo=timezone.utc)
                for _ in range(366):
                    next_day = day + timedelta(days=1)
                    if day.astimezone(zone).utcoffset() != next_day.astimezone(zone).utcoffset():
                        low, high = day, next_day
                        while high - low > timedelta(seconds=1):
                            middle = low + (high - low) // 2
                            middle = middle.replace(microsecond=0)
                            if middle.astimezone(zone).utcoffset() == day.astimezone(zone).utcoffset():
                                low = middle
                            else:
                                high = middle
                        found.append(high)
                    day = next_day
            self.transitions[name] = found
        return self.transitions[name]

    def near_change(self, name: str) -> datetime | None:
        changes = self.changes_of(name)
        if not changes:
            return None
        minutes = self.random.choice((-1500, -180, -90, -60, -31, -30, -1, 0, 1, 29, 30, 59, 60, 61, 119, 180, 1440))
        moment = self.random.choice(changes) + timedelta(minutes=minutes)
        return moment + self.random.choice((0, 0, 1, -1, 999999)) * MICROSECOND

    def zone(self) -> str | int:
        return self.random.choice(OFFSETS) if self.chance(0.1) else self.random.choice(ZONES)

    def value(self, field: int) -> str:
        low, high = CRON_RANGES[field]
        if field == 3 and self.chance(0.3):
            return self.random.choice(MONTHS)
        if field == 4 and self.chance(0.3):
            return self.random.choice(WEEKDAYS)
        return str(self.random.randint(low, high))

    def item(self, field: int) -> str:
        kind = self.random.random()
        if kind < 0.5:
            text = self.value(field)
        elif kind < 0.65:
            text = f"{self.value(field)}-{self.value(field)}"
        elif kind < 0.75:
            text = f"{self.value(field)}-{self.value(field)}/{self.random.randint(1, 9)}"
        elif kind < 0.85:
            text = f"*/{self.random.choice((1, 2, 3, 5, 7, 10, 15, 20, 31, 100))}"
        elif kind < 0.92:
            text = f"{self.value(field)}/{self.random.randint(1, 20)}"
        elif field == 2:
            text = self.random.choice(("l", "L", "15w", "w3", "31w", "l,15", "20-l", "1W"))
        elif field == 4:
            text = self.random.choice(("1#1", "fri#2", "L5", "l0", "mon#5", "mon-wed#2", "sun#1,tue#3", "7#4", "L3,2#1"))
        else:
            text = "*"
        return text.upper() if self.chance(0.1) else text

    def field(self, field: int) -> str:
        if self.chance((0.15, 0.4, 0.5, 0.6, 0.5, 0.2, 0.2)[field]):
            return "?" if field in (2, 4) and self.chance(0.1) else "*"
        return ",".join(self.item(field) for _ in range(self.random.choice((1, 1, 1, 2, 3))))

    def cron(self) -> str:
        if self.chance(0.25):
            return self.random.choice(REAL_CRONS)
        fields = self.random.choice((5, 5, 5, 5, 5, 5, 6, 7))
        return " ".join(self.field(field) for field in range(fields))

    def valid_cron(self) -> str:
        while True:
            cron = self.cron()
            if is_valid(cron):
                return cron

    def spoiled_cron(self) -> str:
        """An expression with a character more, less, or other."""
        cron = self.cron()
        at = self.random.randrange(len(cron) + 1)
        character = self.random.choice("0123456789*/-,#lLwWrRhH?()@ jmfst\t\u00e9")
        return cron[:at] + character + cron[at + self.random.choice((0, 1)) :]

    def timedelta(self) -> timedelta:
        amount = self.random.choice((1, 2, 5, 7, 10, 12, 30, 45, 90, 1000))
        unit = self.random.choice(("seconds", "minutes", "hours", "days", "weeks"))
        delta = timedelta(**{unit: amount})
        return delta + self.random.choice((0, 0, 0, 1, 500000, 333333)) * MICROSECOND

    def relativedelta(self) -> relativedelta:
        return self.random.choice(
            (
                relativedelta(months=1),
                relativedelta(months=3),
                relativedelta(years=1),
                relativedelta(months=self.random.randint(1, 14), days=self.random.randint(-20, 20)),
                relativedelta(days=self.random.randint(1, 40), hours=self.random.randint(-5, 30)),
                relativedelta(weeks=2, minutes=7, microseconds=self.random.randint(0, 2000000)),
                relativedelta(hours=self.random.choice((1.5, 0.1, 25.25))),
                relativedelta(days=0.5, seconds=0.3),
                relativedelta(hours=1, microseconds=self.random.choice((0.5, 1.5, 2.5))),
                relativedelta(months=1, day=31),
                relativedelta(months=1, day=1, hour=3),
                relativedelta(months=1, weekday=FR(2)),
                relativedelta(days=1, weekday=MO),
                relativedelta(months=2, weekday=MO(-1), minute=15),
                relativedelta(years=4, leapdays=1, month=3),
                relativedelta(months=1, second=30, microsecond=7),
            )
        )

    def delta(self) -> timedelta | relativedelta:
        return self.timedelta() if self.chance(0.6) else self.relativedelta()

    def run_immediately(self):
        within = timedelta(seconds=self.random.choice(WITHIN))
        return self.random.choice((True, False, None, within, within))

    def trigger_arguments(self) -> dict:
        span = timedelta() if self.chance(0.5) else self.delta()
        return {"interval": span, "run_immediately": self.run_immediately()}

    def timetable(self):
        """A timetable, and the name of its zone, if it has one."""
        name = self.zone()
        zone = pendulum.FixedTimezone(name) if isinstance(name, int) else pendulum.timezone(name)
        named = name if isinstance(name, str) else None
        kind = self.random.random()
        if kind < 0.36:
            return interval.CronDataIntervalTimetable(self.valid_cron(), timezone=zone), named
        if kind < 0.56:
            arguments = self.trigger_arguments()
            return trigger.CronTriggerTimetable(self.valid_cron(), timezone=zone, **arguments), named
        if kind < 0.70:
            crons = [self.valid_cron() for _ in range(self.random.choice((1, 2, 2, 3)))]
            return trigger.MultipleCronTriggerTimetable(*crons, timezone=zone, **self.trigger_arguments()), named
        if kind < 0.80:
            return interval.DeltaDataIntervalTimetable(self.positive(self.delta)), None
        if kind < 0.90:
            delta = self.positive(self.delta)
            return trigger.DeltaTriggerTimetable(delta, interval=self.delta()), None
        kinds = (simple.NullTimetable, simple.OnceTimetable, simple.ContinuousTimetable)
        return self.random.choice(kinds)(), None

    def positive(self, make):
        """What Airflow's validate() lets through, and what does not hang its scheduler."""
        while True:
            delta = make()
            times = [datetime(2024, month, 31 if month % 2 else 1) for month in (1, 2, 3, 12)]
            if all(when + delta > when for when in times):
                return delta

    def dates(self, change: datetime | None) -> dict:
        """Start and end dates, with and without microseconds, also at a change of the clocks."""
        dates = {}
        if self.chance(0.6):
            dates["start_date"] = change if change and self.chance(0.3) else self.moment(2018, 2029)
        if self.chance(0.3):
            dates["end_date"] = self.moment(2024, 2032)
        return dates


def is_valid(cron: str) -> bool:
    """Does Airflow let it through? CronMixin.validate(), and what its description needs."""
    try:
        interval.CronDataIntervalTimetable(cron, timezone="UTC").validate()
    except Exception:
        return False
    return "r" not in {field.lower()[:1] for field in cron.split()}


def micros(moment: datetime | None) -> str:
    return "\\N" if moment is None else str(datetime.__sub__(moment, EPOCH) // MICROSECOND)


def timestamp(moment: datetime | None) -> str:
    return "\\N" if moment is None else moment.astimezone(timezone.utc).isoformat()


def next_run(dag, last: DataInterval | None) -> DataInterval | None:
    """What calculate_dagrun_date_fields() writes now; the columns must say the same."""
    model = DagModel(dag_id="d")
    if AIRFLOW < (3, 2):
        model.calculate_dagrun_date_fields(dag, last)
    else:
        run = last and SimpleNamespace(
            partition_key=None,
            partition_date=None,
            data_interval_start=last.start,
            data_interval_end=last.end,
            run_after=last.end,
            logical_date=last.start,
        )
        keyword = "reference_run" if AIRFLOW >= (3, 3) else "last_automated_run"
        model.calculate_dagrun_date_fields(dag, **{keyword: run})
        assert model.next_dagrun_partition_key is None and model.next_dagrun_partition_date is None
    found = model.next_dagrun_data_interval
    if found is None:
        assert model.next_dagrun is None and model.next_dagrun_create_after is None
        return None
    assert model.next_dagrun == found.start and model.next_dagrun_create_after == found.end
    return found


def as_text(run: DataInterval | None) -> str:
    return "none" if run is None else f"{micros(run.start)}/{micros(run.end)}"


@dataclass
class Case:
    """A serialised DAG, and Airflow's own object of it; None where it is to be refused."""

    label: str
    data: dict
    dag: object | None
    zone: str | None = None


class Writer:
    def __init__(self, directory: Path, maker: Maker) -> None:
        self.maker = maker
        self.schedules = (directory / "schedule").open("w")
        self.moments = (directory / "moment").open("w")
        self.count = self.moment_count = 0

    def case(self, case: Case) -> None:
        self.count += 1
        text = json.dumps(case.data).replace("\\", "\\\\")
        label = case.label.encode("unicode_escape").decode().replace("\\", "\\\\")
        self.schedules.write(f"{self.count}\t{label}\t{text}\n")
        if case.dag is None:
            self.moment(None, EPOCH, 1, REFUSED)
            return
        for _ in range(MOMENTS):
            self.at_moment(case)

    def at_moment(self, case: Case) -> None:
        maker = self.maker
        moment = maker.moment()
        if case.zone and maker.chance(0.4):
            moment = maker.near_change(case.zone) or moment
        CLOCK.now = moment
        last = self.last_run(case, moment)
        if maker.chance(0.4):
            moment = self.scheduled_moment(case, moment)
        count = SEQUENCE if maker.chance(0.05) else 1
        self.moment(last, moment, count, " ".join(self.runs(case, last, moment, count)))

    def runs(self, case: Case, last: DataInterval | None, now: datetime, count: int) -> Iterator[str]:
        for _ in range(count):
            CLOCK.now = now
            last = next_run(case.dag, last)
            yield as_text(last)
            if last is None:
                return
            now = max(now, last.end)

    def scheduled_moment(self, case: Case, moment: datetime) -> datetime:
        """A moment at which the schedule has a time, or beside it."""
        CLOCK.now = moment
        found = next_run(case.dag, DataInterval(pendulum.instance(moment), pendulum.instance(moment)))
        if found is None or found.end.year > 2100:
            return moment
        beside = self.maker.random.choice((0, 0, 0, 1, -1)) * MICROSECOND
        later = timedelta(seconds=self.maker.random.choice((0, 0, *WITHIN)))  # when run_immediately ends
        return self.maker.random.choice(found) + beside + later

    def last_run(self, case: Case, moment: datetime) -> DataInterval | None:
        """None, as this timetable or another one would have made it, or any."""
        maker = self.maker
        kind = maker.random.random()
        if kind < 0.3:
            return None
        back = timedelta(seconds=maker.random.choice((0, 60, 3600, 90000, 700000, 40000000)))
        if kind < 0.65:
            CLOCK.now = moment - back
            return next_run(case.dag, None)
        end = pendulum.instance(moment - back)
        if kind < 0.8:
            end = pendulum.instance(self.scheduled_moment(case, moment - back))
        length = timedelta() if maker.chance(0.5) else maker.timedelta()
        return DataInterval(end - length, end)

    def moment(self, last: DataInterval | None, now: datetime, count: int, expected: str) -> None:
        self.moment_count += 1
        start, end = (timestamp(last.start), timestamp(last.end)) if last else ("\\N", "\\N")
        self.moments.write(f"{self.count}\t{start}\t{end}\t{timestamp(now)}\t{count}\t{expected}\n")

    def close(self) -> None:
        self.schedules.close()
        self.moments.close()


def made_case(maker: Maker) -> Case:
    timetable, zone = maker.timetable()
    change = maker.near_change(zone) if zone else None
    limits = {"max_active_runs": 1} if isinstance(timetable, simple.ContinuousTimetable) else {}
    dag = DAG("d", schedule=timetable, **maker.dates(change), **limits)
    tasks = maker.random.choice((0, 1, 1, 2))
    with dag:
        for number in range(tasks):
            task_dates = maker.dates(change) if maker.chance(0.3) else {}
            if maker.chance(0.2):
                Operator.partial(task_id=f"t{number}", **task_dates).expand(word=["a", "b"])
            else:
                Operator(task_id=f"t{number}", **task_dates)
    data = serialize(dag).data
    data["dag"]["catchup"] = maker.chance(0.5)  # 3.3 wants a start date with it, versions of before may have none
    if maker.chance(0.15):
        end_at_run(data, maker)
    return Case(f"{type(timetable).__name__} {timetable.summary}", data, deserialize(data), zone)


def end_at_run(data: dict, maker: Maker) -> None:
    """Let the DAG end when a run begins or is due, and a task that ends by itself later."""
    CLOCK.now = maker.moment()
    run = next_run(deserialize(data), None)
    if run is None or run.end.year > 2100:
        return
    end = maker.random.choice(run)
    data["dag"]["end_date"] = end.timestamp()
    for task in data["dag"]["tasks"][:1]:
        if maker.chance(0.5):
            task["__var"]["end_date"] = (end + timedelta(days=maker.random.randint(1, 400))).timestamp()


def deserialize(data: dict):
    return LazyDeserializedDAG(data=copy.deepcopy(data))._real_dag


def example_cases() -> Iterator[Case]:
    for dag in parse_folder(Path(airflow.__path__[0]) / "example_dags", "schedule").dags.values():
        data = serialize(dag).data
        name = data["dag"]["timetable"]["__type"].rpartition(".")[2]
        yield Case(f"example {dag.dag_id}", data, deserialize(data) if name in COMPUTED else None)


def cron_case(cron: str, template: dict) -> Case:
    """Is the expression refused exactly where croniter refuses it, or gives chance values?"""
    data = copy.deepcopy(template)
    data["dag"]["timetable"]["__var"]["expression"] = cron
    return Case(f"cron {cron!r}", data, deserialize(data) if is_valid(cron) else None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.time()
    silence()
    remember_expressions()
    maker = Maker(arguments.seed)
    writer = Writer(arguments.directory, maker)
    for case in example_cases():
        writer.case(case)
    plain = DAG("d", schedule=interval.CronDataIntervalTimetable("0 0 * * *", timezone="Europe/Zurich"))
    template = serialize(plain).data
    for cron in REAL_CRONS:
        writer.case(cron_case(cron, template))
    for _ in range(arguments.count // 4):
        cron = maker.spoiled_cron()
        if not is_valid(cron):
            writer.case(cron_case(cron, template))
    for _ in range(arguments.count):
        writer.case(made_case(maker))
    writer.close()
    print(f"{writer.count} timetables, {writer.moment_count} moments ({time.time() - started:.0f} s in Airflow)")


if __name__ == "__main__":
    main()
