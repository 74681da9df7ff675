"""Pickles for test/airflow/pickles: values of every kind, hand-written ones, programs of random opcodes, damaged ones."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import http
import io
import ipaddress
import pathlib
import pickle
import pickletools
import random
import struct
import types
import uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque

import pendulum

# The classes of which bad_rows() claims to know what comes of them (src/values/python_class.c).
WELL_KNOWN = {
    *(("builtins", name) for name in (
        "bool bytearray bytes complex dict float frozenset getattr int list object set slice str tuple").split()),
    ("_codecs", "encode"),
    *(("collections", name) for name in "Counter OrderedDict defaultdict deque".split()),
    *(("datetime", name) for name in "date datetime time timedelta timezone".split()),
    ("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"),
    *(("pathlib", name) for name in "PosixPath PurePosixPath PureWindowsPath".split()),
    ("pendulum.date", "Date"), ("pendulum.datetime", "DateTime"), ("pendulum.duration", "Duration"),
    ("pendulum.interval", "Interval"), ("pendulum.time", "Time"), ("pendulum.tz.timezone", "FixedTimezone"),
    ("pendulum.tz.timezone", "Timezone"), ("pendulum.tz.timezone", "Timezone._unpickle"),
    ("zoneinfo", "ZoneInfo"), ("zoneinfo", "ZoneInfo._unpickle"),
}

# Indexes beyond make Python's memo take gigabytes.
MAX_MEMO = 60000

TEXTS = [
    "", "a", "b", "key", "é", "\xff", "€uro", "\U0001f600", "x" * 300, "NaN", "\\u0000", "\\", "'", '"', "a\nb", "\t",
    "a\0b", "\0", "\ud800", "\udc00", "\ud83d\ude00", "\ude00\ud83d", "\ud83d\0\ude00", "a\ud800b", "1", "True", "null",
]
NUMBERS = [
    0, 1, -1, 2, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64,
    10**20, -(10**30), 2**200, 10**4299, 10**4300 - 1, 10**4300, -(10**4300), 1 - 10**4300, 2**14284, 2**14285, 10**5000,
]
FLOATS = [0.0, -0.0, 1.0, 1.5, -2.25, 1e300, 5e-324, 1e22, 2.0**63, float("nan"), float("inf"), float("-inf")]
UTC = datetime.timezone.utc


def lost_value(rng: random.Random):
    return rng.choice([
        lambda: b"x", lambda: b"", lambda: bytes(300), lambda: bytearray(b"xy"), lambda: bytearray(), lambda: {1, "a"}, set,
        lambda: frozenset([1]), frozenset, lambda: {(1, 2)}, lambda: datetime.datetime(2024, 1, 1),
        lambda: datetime.datetime(2024, 1, 1, tzinfo=UTC), lambda: datetime.date(2024, 1, 1), lambda: datetime.time(1),
        lambda: datetime.timedelta(1), lambda: decimal.Decimal("1.5"), lambda: uuid.UUID(int=5),
        lambda: fractions.Fraction(1, 3), lambda: pathlib.PurePosixPath("/a/b"), lambda: pathlib.Path("/a"),
        lambda: zoneinfo.ZoneInfo("UTC"), lambda: pendulum.datetime(2024, 1, 1), lambda: pendulum.duration(days=1),
        lambda: pendulum.datetime(2024, 1, 1, tz="Europe/Berlin"), lambda: pendulum.date(2024, 1, 1), lambda: 1 + 2j,
        lambda: dict, lambda: OrderedDict, lambda: {(1, 2): 3}, lambda: {b"x": 1}, lambda: {frozenset([1]): 1}, lambda: getattr,
    ])()


def unknown_value(rng: random.Random):
    return rng.choice([
        lambda: http.HTTPStatus.OK, lambda: ipaddress.ip_address("10.0.0.1"), lambda: types.SimpleNamespace(a=1),
        lambda: range(3), lambda: UserDict(a=1), lambda: UserList([1]), lambda: ChainMap({"a": 1}),
        lambda: array.array("i", [1]), lambda: collections.UserString("a"),
    ])()


def scalar(rng: random.Random, odd: float):
    if rng.random() < odd:
        return rng.choice([*TEXTS, *NUMBERS, *FLOATS])
    return rng.choice([None, True, False, rng.randint(-300, 300), rng.random(), "".join(rng.choices("abcdé", k=rng.randint(0, 9)))])


def key(rng: random.Random, odd: float):
    if rng.random() < odd:
        return rng.choice([None, True, False, 1, 1.0, 0, 0.0, 2**70, 1e22, 10**22, 10**4300, float("nan"), float("inf"), *TEXTS])
    return rng.choice("abcdefgh")


def value(rng: random.Random, depth: int, odd: float, known: list):
    """A random value; "known" has others that it may refer to."""
    choice = rng.random()
    if choice < 0.03 * odd * 3:
        return lost_value(rng)
    if choice < 0.03 * odd * 4:
        return unknown_value(rng)
    if choice < 0.4 or depth == 0:
        result = scalar(rng, odd)
    elif choice < 0.45 and known:
        return rng.choice(known)
    elif choice < 0.65:
        result = [value(rng, depth - 1, odd, known) for _ in range(rng.randint(0, 4))]
    elif choice < 0.72:
        result = tuple(value(rng, depth - 1, odd, known) for _ in range(rng.randint(0, 4)))
    else:
        result = rng.choice([dict, dict, dict, OrderedDict, lambda: defaultdict(rng.choice([None, list, dict, int, set]))])()
        for _ in range(rng.randint(0, 4)):
            result[key(rng, odd)] = value(rng, depth - 1, odd, known)
        if type(result) is dict and rng.random() < 0.05:
            result = Counter({k: v for k, v in result.items()})
    if isinstance(result, list) and rng.random() < odd / 10:
        result.append(result)
    if isinstance(result, list) and rng.random() < odd / 5:
        result = deque(result)
    known.append(result)
    return result


def dump(rng: random.Random, what) -> bytes:
    protocol = rng.randint(0, 5)
    kind = rng.random()
    try:
        pickle.dumps(what, protocol)
    except ValueError:  # an integer of too many digits for protocols 0 and 1
        protocol = rng.randint(2, 5)
    if kind < 0.3:
        buffer = io.BytesIO()
        pickle._Pickler(buffer, protocol).dump(what)
        return buffer.getvalue()
    data = pickle.dumps(what, protocol)
    return pickletools.optimize(data) if kind < 0.4 else data


def of_value(rng: random.Random) -> bytes:
    odd = rng.choice([0.0, 0.05, 0.3])
    what = value(rng, rng.randint(1, 5), odd, [])
    if rng.random() < 0.8 and not isinstance(what, dict):
        what = {"a": what}
    return dump(rng, what)


def nested(container: str, depth: int) -> bytes:
    return {
        "list": b"]" * depth + b"a" * (depth - 1) + b".",
        "tuple": b")" + b"\x85" * (depth - 1) + b".",
        "dict": b"}" + b"U\x01a}" * (depth - 1) + b"s" * (depth - 1) + b".",
        "ordered": b"ccollections\nOrderedDict\nq\x00)R" + b"U\x01ah\x00)R" * (depth - 1) + b"s" * (depth - 1) + b".",
    }[container]


def shared(levels: int) -> bytes:
    """Each list has the one before twice: as JSON, 2 to the power of "levels" pieces."""
    return b"]" + b"".join(b"q%c](h%ch%ce" % (n, n, n) for n in range(levels)) + b"."


def text8(text: bytes) -> bytes:
    return b"\x8d" + struct.pack("<Q", len(text)) + text


def real(number: float) -> bytes:
    return b"G" + struct.pack(">d", number)


def integer(number: int) -> bytes:
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(data)) + data


def stdlib(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


ENUM = stdlib("http", "HTTPStatus") + b"K\xc8\x85R"
SPACE = stdlib("types", "SimpleNamespace") + b")R"
USER_LIST = stdlib("collections", "UserList") + b")R"
ORDERED = stdlib("collections", "OrderedDict")
DEFAULT = stdlib("collections", "defaultdict")
COUNTER = stdlib("collections", "Counter")
DEQUE = stdlib("collections", "deque")
DATE = stdlib("datetime", "date")
SET = stdlib("builtins", "set")
LIST = stdlib("builtins", "list")
BYTEARRAY = b"\x96\x01" + bytes(7) + b"a"

BY_HAND = [
    b"", b".", b"N.", b"N", b"}.", b"\x80\x05}\x94.", b"\x80\x04}\x94.", b"\x80\x06N.", b"\x80\x05N\x80\x02.", b"\x00", b"}}.", b"(N.",
    b"N(1.", b"N(0.", b"N0.", b"(NN.", b"NN1.", b"N2\x86.", b"(dp0\nVa\np1\nI1\ns.", b"(dp0\nS'a'\np1\nI01\ns.", b"(lp0\nI00\na.",
    b"I1\n.", b"I01\n.", b"I00\n.", b"I0x1F\n.", b"I010\n.", b"I 7\n.", b"I\n.", b"I1x\n.", b"I1_0\n.", b"I99999999999999999999\n.",
    b"I+1\n.", b"I-1\n.", b"I1\x00x\n.", b"I0o17\n.", b"I09\n.", b"I0_0\n.", b"I00_0\n.", b"I__1\n.", b"I1 \n.", b"I- 1\n.",
    b"L1L\n.", b"L1\n.", b"LL\n.", b"L\n.", b"L0xffffffffffffffffffffL\n.", b"L-0b1\n.", b"L010L\n.", b"L000L\n.", b"L0x_fL\n.",
    b"L" + b"9" * 4300 + b"L\n.", b"L" + b"9" * 4301 + b"L\n.", b"L0x" + b"f" * 4000 + b"\n.", b"L-" + b"9" * 4300 + b"\n.", b"L1__0\n.",
    b"F1.5\n.", b"F1\n.", b"F.5\n.", b"F5.\n.", b"F.\n.", b"Fnan\n.", b"F-inf\n.", b"F+Infinity\n.", b"F1e5\n.", b"F1e\n.", b"F1e400\n.",
    b"F 1\n.", b"F1 \n.", b"F\n.", b"F0x1\n.", b"F1_0\n.", b"F1e-400\n.", b"F1\x00z\n.", b"Finfi\n.", b"F--1\n.", b"F-1E+5\n.",
    b"S'a'\n.", b'S"a"\n.', b"S'a\n.", b"Sa\n.", b"S'\n.", b"S''\n.", b"S'\\x41'\n.", b"S'\\x4'\n.", b"S'\\xff'\n.", b"S'\\101\\n'\n.", b"S'\\q'\n.",
    b"S'\\'\n.", b"S'\\0'\n.", b"S'\\777'\n.", b"S'\xc3\xa9'\n.", b"S'a\\\\'\n.", b"S'a'b'\n.", b"S'\\400'\n.", b"S'a' \n.",
    b"U\x01a.", b"U\x01\xe9.", b"U\x02\xc3\xa9.", b"T\x01\x00\x00\x00a.", b"T\xff\xff\xff\xffa.", b"U\x05a.", b"U\x01\x00.",
    b"V\\u0041\n.", b"V\\u004\n.", b"V\\ud800\n.", b"V\\ud83d\\ude00\n.", b"V\\U0001f600\n.", b"V\\U00110000\n.", b"V\\u0000\n.",
    b"V\\\\u0041\n.", b"V\\\n.", b"V\\x41\n.", b"V\xe9\n.", b"V\n.", b"V\\ud83d\\u0000\\ude00\n.", b"V\\U0001f60\n.",
    b"X\x03\x00\x00\x00\xed\xa0\x80.", b"X\x06\x00\x00\x00\xed\xa0\xbd\xed\xb8\x80.", b"X\x02\x00\x00\x00\xed\xa0.", b"X\x02\x00\x00\x00\xc0\x80.",
    b"X\x04\x00\x00\x00\xf4\x90\x80\x80.", b"X\x04\x00\x00\x00\xf4\x8f\xbf\xbf.", b"X\x01\x00\x00\x00\x80.", b"X\x03\x00\x00\x00\xe0\x80\x80.",
    b"X\x03\x00\x00\x00\xed\xa0\x41.", b"\x8c\x01\xff.", text8(b"abc") + b".", b"\x8d" + b"\xff" * 8 + b"a.",
    b"B\x01\x00\x00\x00a.", b"C\x01a.", b"\x8e\x01" + bytes(7) + b"a.", b"\x96\x01" + bytes(7) + b"a.", b"C\x01a\x98.", b"\x96\x01" + bytes(7) + b"a\x980N.",
    b"\x97.", b"Pabc\n.", b"NQ.", b"\x82\x01.", b"\x83\x01\x00.", b"\x84\x01\x00\x00\x00.", b"\x82\x00.",
    b"\x8a\x00.", b"\x8a\x01\xff.", b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.", b"\x8b\xff\xff\xff\xff.", b"\x8b\x02\x00\x00\x00\x01\x00.", b"\x8a\x05a.",
    b"\x8b" + struct.pack("<I", 2000) + b"\x7f" * 2000 + b".", b"\x8b" + struct.pack("<I", 1000) + b"\x81" * 1000 + b".",
    b"}(NNu.", b"}(Nu.", b"}(u.", b"}(K\x01K\x02K\x01G\x7f\xf8" + bytes(6) + b"u.", b"}(K\x01G\x7f\xf8" + bytes(6) + b"\x88K\x02u.",
    b"}(G\x3f\xf0" + bytes(6) + b"X\x03\x00\x00\x00\xed\xa0\x80K\x01K\x02u.", b"}(]K\x01u.", b"}()K\x01u.", b"}(]\x85K\x01u.", b"}]K\x01s.",
    b"](K\x01K\x02e.", b"](e.", b"]K\x01a.", b"K\x01K\x02a.", b"]a.", b"(a.", b"](K\x01K\x02eK\x00NsK\x01Ns.", b"](K\x01K\x02eK\x02Ns.", b"](K\x01eJ\xff\xff\xff\xffNs.",
    b"](K\x01eU\x01aNs.", b"](K\x01e\x88Ns.", b"](K\x01e\x89Ns.", b")(K\x01e.", b"\x8f(K\x01\x90.", b"\x8f(]\x900N.", b"\x8f(K\x01\x900N.", b"(K\x01\x910N.", b"(]\x910N.",
    b"](K\x01\x90.", b"](\x90.", b"(\x91K\x01\x900N.", b"]}b.", b"]Nb.", b"]N)\x86b.", b"]NN\x86b.", b"]N}\x86b.", b"](NN}K\x01Nstb.", b"]K\x01b.", b"Nb.", b"}}b.",
    b"q\x00N.", b"Nq\x00h\x00.", b"h\x00.", b"Np0\ng0\n.", b"g0\n.", b"Np-1\n.", b"Npx\n.", b"Np 1 \ng1\n.", b"Np1_0\ng10\n.", b"Np01\ng1\n.", b"Ng\n.", b"N\x94h\x00.",
    b"N\x94N\x94h\x01.", b"Nq\x05K\x01\x94h\x01.", b"Nr\x01\x00\x00\x00j\x01\x00\x00\x00.", b"j\x01\x00\x00\x00.", b"(q\x00.", b"(N\x85.", b"N(\x86.", b"NN(t\x86.",
    b"]q\x00h\x00a.", b"}q\x00K\x01h\x00s.", b"]q\x00h\x00\x85a.", b"]q\x00(h\x00h\x00e0N.", b"]q\x00(]q\x01h\x01h\x01e.",
    b"\x95\x02" + bytes(7) + b"N.", b"\x95\x01" + bytes(7) + b"N.", b"\x95\x00" + bytes(7) + b"N.", b"\x95\x03" + bytes(7) + b"N.", b"\x95" + b"\xff" * 8 + b"N.",
    b"\x95\x02" + bytes(7) + b"N.trailing", b"N.trailing", b"ccollections\nOrderedDict\n)R.", b"ccollections\nOrderedDict\n)\x81.", b"ccollections\nOrderedDict\n.",
    b"ccollections\nOrderedDict\n(]](U\x01aK\x01eatR.", b"ccollections\nOrderedDict\n](](U\x01aK\x01ee\x85R.", b"ccollections\nOrderedDict\n](](U\x01aee\x85R.",
    b"ccollections\nOrderedDict\n](](]K\x01ee\x85R.", b"ccollections\nOrderedDict\n](K\x01e\x85R.", b"ccollections\nOrderedDict\n}U\x01aK\x01s\x85R.",
    b"ccollections\nOrderedDict\n)RU\x01aK\x01s.", b"ccollections\nOrderedDict\n)R}b.", b"ccollections\nOrderedDict\n)RNb.", b"ccollections\nOrderedDict\n)RK\x01b.",
    b"ccollections\nOrderedDict\n)RN}\x86b.", b"ccollections\nOrderedDict\nNR.", b"ccollections\nOrderedDict\n]R.", b"(ccollections\nOrderedDict\no.", b"(icollections\nOrderedDict\n.",
    b"(NNicollections\nOrderedDict\n.", b"(U\x01aN\x86icollections\nOrderedDict\n.", b"(o.", b"(No.", b"(icollections\n\n.", b"c\n\n.", b"c__builtin__\ndict\n)R.",
    b"\x80\x03c__builtin__\ndict\n)R.", b"\x80\x03cbuiltins\ndict\n)R.", b"cbuiltins\ndict\n)R.", b"c__builtin__\nunicode\n)R.", b"c__builtin__\nlong\n)R.", b"c__builtin__\nset\n](K\x01e\x85R0N.",
    b"c__builtin__\nset\n](]e\x85R0N.", b"c__builtin__\nfrozenset\n)R0N.", b"c__builtin__\nset\nNN\x86R0N.", b"cbuiltins\nlist\n)R.", b"cbuiltins\nlist\n)\x81.", b"cbuiltins\ntuple\n](K\x01e\x85R.",
    b"cbuiltins\nlist\n](K\x01e\x85R.", b"cbuiltins\nint\n)R.", b"cbuiltins\nfloat\n)R.", b"cbuiltins\nbool\n)R.", b"cbuiltins\nstr\n)R.", b"cbuiltins\nbytes\n)R.", b"cbuiltins\nbytearray\n)R.",
    b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00latin1\x86R0N.", b"c_codecs\nencode\nX\x03\x00\x00\x00\xe2\x82\xacX\x06\x00\x00\x00latin1\x86R0N.",
    b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RU\x01aK\x01s.", b"ccollections\ndefaultdict\n)R.", b"ccollections\ndefaultdict\nN\x85R.", b"ccollections\ndefaultdict\nK\x01\x85R.",
    b"ccollections\ndefaultdict\n)\x81.", b"ccollections\ndefaultdict\n)R}b.", b"ccollections\nCounter\n}U\x01aK\x01s\x85R.", b"ccollections\nCounter\n)R.", b"ccollections\nCounter\n)\x81U\x01aNs.",
    b"ccollections\ndeque\n)R(K\x01K\x02e.", b"ccollections\ndeque\n](K\x01e\x85R.", b"ccollections\ndeque\n)\x81K\x01a.", b"ccollections\ndeque\n)R(]K\x01\x91.", b"}ccollections\ndeque\n)RK\x01s.",
    b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.", b"\x80\x04K\x01\x8c\x01a\x93.", b"\x80\x04\x8c\x00\x8c\x01a\x93.", b"\x80\x04\x8c\x0bcollections\x8c\x00\x93.", b"\x80\x04N\x93.",
    b"cbuiltins\ndict\n)}\x92.", b"cbuiltins\ndict\n)N\x92.", b"cbuiltins\ndict\nN\x81.", b"N)\x81.", b"N)R.", b"K\x01)R.", b"cbuiltins\ngetattr\n)\x81.", b"ccollections\nabc.Mapping\n.",
    b"cpendulum.tz.timezone\nTimezone._unpickle\n.", b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93N\x85R.", b"cdatetime\ndate\n(M\xe8\x07K\x01K\x01tR.", b"cdatetime\ndate\nK\x01s.",
    b"cnowhere\nConf\n)R.", b"cnowhere\nConf\n)R0\xff", b"(inowhere\nConf\n.", b"cnowh\xc3\xa9re\nConf\n)R.", b"cnowh\xffre\nConf\n)R.", b"(inowh\xc3\xa9re\nConf\n.", b"}U\x01acnowhere\nConf\n)\x81}bs.",
    b"}U\x01a\x8fs.", b"}(U\x01a\x8fU\x01aK\x01u.", b"}(U\x01aU\x01bU\x01a\x8fu.", b"](\x8fK\x01K\x02eK\x00Ns.", b"](\x8fNeK\x01Ns.",
    # Keys that are one.
    b"}(NK\x01NK\x02" + real(1.5) + b"K\x01" + real(1.5) + b"K\x02" + real(2.5) + b"K\x01" + real(-2.5) + b"K\x01u.",
    b"}(" + real(float("inf")) + b"X\x03\x00\x00\x00\xed\xa0\x80" + real(float("inf")) + b"K\x01" + real(float("-inf")) + b"K\x01u.",
    b"}(" + real(float("nan")) + b"q\x00NK\x05Nh\x00K\x01" + real(float("nan")) + b"Nu.",
    b"}(" + integer(10**22) + b"\x8f" + real(1e22) + b"K\x01" + real(-1e22) + b"\x8f" + integer(-(10**22)) + b"K\x01u.",
    b"}(" + integer(2**70) + b"\x8f" + real(2.0**70) + b"K\x01" + integer(2**71) + b"Nu.", b"}(" + integer(2**70) + b"\x8f" + real(2.0**71) + b"K\x01u.",
    b"}(" + real(1e300) + b"\x8f" + integer(int(1e300)) + b"K\x01u.", b"}(U\x01aNU\x01bNU\x02aaNU\x01a\x8fu.", b"}(K\x03NU\x01aNNNK\x02NJ\xff\xff\xff\xffNu.",
    b"}(C\x01xK\x01C\x01yK\x01u.", b"}(" + integer(10**4300) + b"Nu.", b"}(" + integer(10**4299) + b"Nu.", b"}" + ENUM + b"Ns.", b"}" + real(9007199254740993.0) + b"Ns.",
    b"}(" + real(float("nan")) * 3 + b"K\x01u.", b"}(U\x01aX\x03\x00\x00\x00\xed\xa0\x80U\x02aaK\x01u.", b"}(]\x85K\x01u0N.",
    # Numbers at their limits.
    integer(10**4300) + b".", integer(10**4300 - 1) + b".", integer(1 - 10**4300) + b".", integer(-(10**4300)) + b".", integer(10**4300 + 1) + b".",
    integer(2**14285) + b".", integer(2**14284) + b".", integer(10**5500) + b".", integer(-(2**14284)) + b".", b"L0xFFFFFFFFFFFFFFFFFFFFFFL\n.", b"L+1{L\n.", b"L1,\n.", b"I0xg\n.",
    b"L0b12\n.", b"Np99999999999999999999\n.", b"Ng99999999999999999999\n.", b"S'\\xZZ'\n.", b"S'\\/'\n.", b"V\\u00g0\n.", b"X\x03\x00\x00\x00\xed\xa0\xff.", b"X\x03\x00\x00\x00\xed\xff\x80.",
    b"X\x06\x00\x00\x00\xed\xa0\xbd\x00\xed\xa0.", b"X\x07\x00\x00\x00\xed\xa0\xbd\x00\xed\xb8\x80.", b"X\x04\x00\x00\x00\xed\xb8\x80a.",
    b"c\xed\xa0\x80\nA\n.",
    integer(2**14280 - 1) + b".", b"Sxax\n.", b"](K\x01eJ\xfe\xff\xff\xffNs.", b"Nq\x00K\x01q\x00\x94h\x01.", b"\x80\x04\x8c\x01aN\x93.", LIST + b"]]\x86R.",
    b"\x80\x03(i__builtin__\ndict\n.", b"(ia\n\n.", b"(N2N\x93.",
    # A value in two places, in one of them deep.
    b"]" + b"]q\x00" + b"]" * 499 + b"a" * 500 + b"]" * 500 + b"h\x00" + b"a" * 501 + b".",
    # Cut off within an opcode.
    b"K", b"M\x01", b"h", b"q", b"Nq", b"Nr\x01", b"X\x01", b"\x8a", b"\x8b\x01", b"G\x00", b"U", b"C", b"\x8d\x01", b"\x80", b"\x95\x01", b"I1", b"L1", b"F1", b"S'a'", b"Va", b"g1", b"Np1",
    b"ca", b"ca\nb", b"(ia", b"(ia\nb", b"B\x02\x00\x00\x00a", b"\x96\x02" + bytes(7) + b"a", b"\x96", b"\x8e",
    # Too little on the stack, or a mark in between.
    b"2.", b"(2.", b"N(a.", b"N(Na.", b"a.", b"s.", b"Ns.", b"NNs.", b"e.", b"u.", b"\x90.", b"\x91.", b"t.", b"l.", b"d.", b"(Nd.", b"(]Nd.", b"(U\x01aNd.", b"R.", b")R.", b"(R.", b"\x81.", b")\x81.", b"\x92.", b"}\x92.",
    b")}\x92.", b"\x93.", b"U\x01a\x93.", b"o.", b"N(N(o.", b"b.", b"N(b.", b"N(Nb.", b"\x98.", b"N(\x98.", b"N\x98.", b"p1\n.", b"\x94.", b"(\x94.", b"r\x01\x00\x00\x00.", b"i.", b"ia\nb\n.",
    b"]((e.", b"]((Ne.", b"}((u.", b"((\x91.", b"N(N0(0.", b"((((((((((((((((((((N.", b"]((0Ne.", b"N(01.", b"NN(N\x86Nt.", b"(]0(0N.", b"](N0e.", b"](NN00(Ne.",
    # What is changed may be of any type.
    BYTEARRAY + b"K\x01a.", BYTEARRAY + b"K\x00K\x01s.", BYTEARRAY + b"K\x01a0N.", SPACE + b"Na.", SPACE + b"K\x01Ns.", SPACE + b"(N\x90.", USER_LIST + b"Na.", USER_LIST + b"K\x00Ns.",
    USER_LIST + b"(N\x90.", DATE + b"(N\x90.", SET + b"(N\x90.", b"](Ne" + ENUM + b"Ns.", b"N(N\x90.", b"NNNs.", b"]" + b"q\x00" + b"K\x01a" + b"\x98.", USER_LIST + b"\x98.", SPACE + b"\x98.", b"}\x98.",
    DATE + b"Nb.", SPACE + b"}b.", SPACE + b"}U\x01aNsb.", USER_LIST + b"}b.", ORDERED + b")R" + SPACE + b"b.", ORDERED + b")R}U\x01aNsb.", ORDERED + b")RN}U\x01aNs\x86b.", ORDERED + b")RNN\x86b.",
    COUNTER + b")R}b.", b"]N}K\x01Ns\x86b.", b"]" + SPACE + b"b.", b"](NN}tb.",
    # Calls.
    ORDERED + b"NN\x86R.", ORDERED + b"K\x01\x85R.", ORDERED + b"U\x01a\x85R.", ORDERED + SPACE + b"\x85R.", ORDERED + b"]U\x02aba\x85R.", COUNTER + b"N\x85R.", COUNTER + b"]U\x01aa\x85R.", COUNTER + b"K\x01\x85R.", COUNTER + b"U\x01a\x85R.",
    COUNTER + b"N\x85RU\x01aK\x01s.", ORDERED + SPACE + b"R.", SPACE + b")R.", SPACE + b")\x81.", ORDERED + b"N\x81.", ORDERED + SPACE + b"\x81.", ORDERED + b")}U\x01aNs\x92.", ORDERED + b")" + SPACE + b"\x92.", ORDERED + b"(tR.",
    ORDERED + b"](](U\x01aNNee\x85R.", DEFAULT + b"NN\x86R.", DEFAULT + SPACE + b"\x85R.", DEFAULT + DATE + b"\x85R.", DEFAULT + USER_LIST + b"\x85R.", DEFAULT + DATE + b"(M\xe8\x07K\x01K\x01tR\x85R.", DEFAULT + b"N}\x86R.",
    LIST + b"K\x01\x85R.", LIST + b"NN\x86R.", LIST + b"U\x02ab\x85R.", LIST + b"}\x85R.", DEQUE + b"]K\x03\x86R.", DEQUE + b"NK\x03\x86R.", DEQUE + b"U\x02ab\x85R.", stdlib("builtins", "tuple") + b"]]a\x85R.", SET + b"K\x01\x85R.",
    SET + b"U\x01a\x85R0N.", SET + b")\x81(N\x90.", SET + b")\x81.", stdlib("builtins", "frozenset") + b"](NNe\x85R0N.", stdlib("builtins", "frozenset") + b")\x810N.", stdlib("builtins", "int") + b"U\x015\x85R.",
    stdlib("builtins", "bytes") + b"C\x01a\x85R0N.", stdlib("builtins", "bytes") + b"K\x05\x85R0N.", stdlib("builtins", "bytes") + b"U\x01aU\x06latin1\x86R0N.", stdlib("builtins", "bytearray") + b"C\x01a\x85R0N.",
    stdlib("builtins", "bytearray") + b"U\x01aU\x07latin-1\x86R0N.", stdlib("builtins", "bytearray") + b"X\x03\x00\x00\x00\xe2\x82\xacU\x07latin-1\x86R0N.", stdlib("builtins", "bytes") + b"U\x01aU\x05ascii\x86R0N.",
    stdlib("builtins", "bytes") + b"U\x01aU\x06UTF-16\x86R0N.", stdlib("builtins", "bytes") + b"U\x01aK\x01\x86R0N.", stdlib("builtins", "bytes") + b"C\x01aK\x01\x86R0N.", stdlib("_codecs", "encode") + b"U\x01aU\x05ascii\x86R.",
    stdlib("builtins", "getattr") + stdlib("zoneinfo", "ZoneInfo") + b"U\x09_unpickle\x86RU\x03UTCK\x01\x86R.", stdlib("builtins", "getattr") + stdlib("zoneinfo", "ZoneInfo") + b"U\x09no_cachex\x86R.",
    stdlib("builtins", "getattr") + stdlib("zoneinfo", "ZoneInfo") + b"U\x08no_cache\x86RU\x03UTC\x85R.", stdlib("builtins", "getattr") + b"NU\x01a\x86R.", stdlib("builtins", "getattr") + LIST + b"U\x01a\x86R.",
    stdlib("builtins", "getattr") + DATE + b"K\x01\x86R.", stdlib("builtins", "getattr") + b"N\x85R.", b"(" + stdlib("builtins", "getattr") + b"o.", b"(" + stdlib("builtins", "getattr") + DATE + b"U\x05todayo.",
    stdlib("collections", "UserDict") + b")R.", stdlib("builtins", "range") + b"K\x03\x85R.", b"\x80\x04\x8c\x08builtins" + SPACE + b"\x93.", b"\x80\x04" + SPACE + b"\x8c\x03str\x93.", b"\x80\x04NU\x01a\x93.",
    b"\x80\x04\x8c\x08zoneinfo\x8c\x12ZoneInfo._unpickle\x93\x8c\x03UTCK\x01\x86R.", b"\x80\x04\x8c\x05types\x8c\x13SimpleNamespace.abc\x93.", stdlib("builtins", "str") + b")\x81.", DATE + b"(M\xe8\x07K\x01K\x01t\x81.",
    b"}U\x01a" + ENUM + b"s.", ENUM + b".", b"](\x8f" + ENUM + b"e.", b"]" + ENUM + b"a\x8f0.", b"}U\x01a](\x8fNes.", b"((icollections\nOrderedDict\n.", b"((ENUMicollections\nOrderedDict\n.", b"(U\x01aicollections\nUserList\n.",
    *(nested(container, depth) for container in ("list", "tuple", "dict", "ordered") for depth in (1, 10, 100, 460, 520, 900, 1100, 1500, 6000)),
    *(shared(levels) for levels in (1, 5, 12)),
    b"]" + b"q\x00" + b"h\x00\x85" * 5 + b".",
    b"}" + b"(" + b"".join(b"U\x02%02dK\x01" % n for n in range(50)) + b"u.",
]

TOKENS = [
    b"N", b"\x88", b"\x89", b"K\x01", b"K\x00", b"M\x00\x01", b"J\xff\xff\xff\xff", b"I5\n", b"I01\n", b"L7L\n", b"\x8a\x01\x05", b"F1.5\n", b"G\x3f\xf8" + bytes(6),
    b"U\x01a", b"X\x01\x00\x00\x00b", b"\x8c\x01c", b"Vd\n", b"S'e'\n", b"\x8c\x02a\x00", b"\x8c\x03\xed\xa0\x80", b"G\x7f\xf8" + bytes(6), b"C\x01x",
    b"(", b"(", b"(", b"(", b"0", b"1", b"2", b"]", b"]", b"}", b"}", b"\x8f", b")", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"a", b"a", b"e", b"e", b"s", b"s", b"s",
    b"u", b"u", b"\x90", b"\x91", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"\x94", b"p2\n", b"g2\n", b"r\x03\x00\x00\x00", b"j\x03\x00\x00\x00", b"b", b"R", b"\x81", b"o",
    b"ccollections\nOrderedDict\n", b"ccollections\ndefaultdict\n", b"ccollections\ndeque\n", b"c__builtin__\nset\n", b"cbuiltins\nlist\n", b"cbuiltins\ndict\n",
    b"cbuiltins\ntuple\n", b"ccollections\nCounter\n", b"\x98", b"\x80\x02", b"\x80\x04", b"icollections\nOrderedDict\n", b"\x92",
]


class Program:
    """Opcodes at random, of which each has what it needs on the stack most of the time."""

    NEEDS = {b"0": 1, b"2": 1, b"\x85": 1, b"\x86": 2, b"\x87": 3, b"a": 2, b"s": 3, b"q\x00": 1, b"q\x01": 1, b"\x94": 1, b"p2\n": 1,
             b"r\x03\x00\x00\x00": 1, b"b": 2, b"R": 2, b"\x81": 2, b"\x92": 3, b"\x98": 1}
    MARKED = {b"1", b"t", b"l", b"d", b"e", b"u", b"\x90", b"\x91", b"o", b"icollections\nOrderedDict\n"}

    @classmethod
    def write(cls, rng: random.Random) -> bytes:
        program, size, marks = [], 0, []
        for _ in range(rng.randint(3, 40)):
            token = rng.choice(TOKENS)
            if rng.random() < 0.97:
                if size - (marks[-1] if marks else 0) < cls.NEEDS.get(token, 0) or (token in cls.MARKED and not marks):
                    continue
            if rng.random() < 0.3 and token in (b"R", b"\x81"):
                program.append(b")")
                size += 1
            program.append(token)
            if token == b"(":
                marks.append(size)
            elif token in cls.MARKED and marks:
                size = marks.pop() + (token in (b"t", b"l", b"d", b"\x91", b"o", b"icollections\nOrderedDict\n"))
            else:
                size = max(0, size + {b"0": -1, b"2": 1, b"\x85": 0, b"\x86": -1, b"\x87": -2, b"a": -1, b"s": -2, b"b": -1,
                                      b"R": -1, b"\x81": -1, b"\x92": -2}.get(token, 0 if token in cls.NEEDS or token[0] == 0x80 else 1))
        return b"".join(program) + b"."


def damage(rng: random.Random, data: bytes) -> bytes:
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if not data:
            break
        at = rng.randrange(len(data))
        to = min(len(data), at + rng.randint(1, 8))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:to]
        elif kind == 3:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 4:
            data[at:at] = data[at:to]
        elif kind == 5:
            del data[at:]
        else:
            data[at] = ord(rng.choice(b"".join(token[:1] for token in TOKENS).decode("latin1")))
    return bytes(data)


def is_harmless(data: bytes) -> bool:
    """False for what would make Python take gigabytes."""
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("PUT", "LONG_BINPUT") and argument > MAX_MEMO:
                return False
    except Exception:
        pass
    return b"p" not in data or not any(len(part) > 5 and part[:6].isdigit() for part in data.split(b"p")[1:])


def make(seed: int, count: int) -> list[tuple[str, bytes]]:
    """Pairs of a kind and a pickle, all different: the hand-written ones and "count" others."""
    rng = random.Random(seed)
    made = {}
    for data in BY_HAND:
        made.setdefault(data, "by hand")
    kinds = {"value": of_value, "program": Program.write,
             "damaged": lambda rng: damage(rng, rng.choice([of_value, of_value, Program.write, lambda rng: rng.choice(BY_HAND)])(rng))}
    while len(made) < len(set(BY_HAND)) + count:
        kind = rng.choice(["value", "value", "program", "damaged", "damaged"])
        data = kinds[kind](rng)
        if is_harmless(data):
            made.setdefault(data, kind)
    return [(kind, data) for data, kind in made.items()]
