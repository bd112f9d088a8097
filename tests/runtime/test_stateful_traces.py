"""Real multi-step work on objects with a state: whatever runs at once, the end is that of running one after another.

Six small worlds, their methods bound as tools, some sync and some async; two instances each. A trace is what a model sends:
batches of 3 to 10 calls, some of them damaged, unknown, doubled, slow or in need of a human's word.
"""

from __future__ import annotations

import json
import random
import time

import anyio
import pytest
from harness import answered, contents

from agentkit import Agent, ToolFailed, tool
from agentkit.core.messages import Assistant, ToolCall
from agentkit.models.scripted import Scripted
from agentkit.tooling.toolsets import prefix

pytestmark = pytest.mark.anyio


class Object:
    """Notices when two calls are in it at once."""

    def __init__(self):
        self.log = []
        self._inside = False

    def _do(self, *entry):
        assert not self._inside, "two calls in one object"
        self._inside = True
        time.sleep(0)
        self.log.append(entry)
        self._inside = False
        return len(self.log)


class Files(Object):
    """A tree of folders with a current one."""

    def __init__(self):
        super().__init__()
        self.here, self.files = "/", {}

    def cd(self, folder: str) -> str:
        self._do("cd", folder)
        self.here = "/" if folder == "/" else f"{self.here.rstrip('/')}/{folder}"
        return self.here

    def write(self, name: str, text: str) -> int:
        self.files[f"{self.here} {name}"] = self.files.get(f"{self.here} {name}", "") + text
        return self._do("write", name)

    async def move(self, name: str, to: str) -> str:
        self._do("move", name)
        await anyio.sleep(0.001)
        if f"{self.here} {name}" not in self.files:
            raise ToolFailed(f"no {name} in {self.here}")
        self.files[f"{to} {name}"] = self.files.pop(f"{self.here} {name}")
        return to


class Car(Object):
    """Must be unlocked, then started, then it drives."""

    def __init__(self):
        super().__init__()
        self.locked, self.running, self.km = True, False, 0

    async def unlock(self) -> bool:
        self._do("unlock")
        await anyio.sleep(0.002)
        self.locked = False
        return True

    def start(self) -> str:
        self._do("start")
        if self.locked:
            raise ToolFailed("the doors are locked")
        self.running = True
        return "started"

    def drive(self, km: int) -> int:
        self._do("drive", km)
        if not self.running:
            raise ToolFailed("the engine is off")
        self.km += km
        return self.km


class Account(Object):
    """Orders that need money, and a balance."""

    def __init__(self):
        super().__init__()
        self.cash, self.shares = 1_000, {}

    def deposit(self, amount: int) -> int:
        self._do("deposit", amount)
        self.cash += amount
        return self.cash

    async def buy(self, symbol: str, count: int) -> dict:
        self._do("buy", symbol)
        cash = self.cash
        await anyio.sleep(0.001)
        if cash < 10 * count:
            raise ToolFailed(f"{cash} is not enough")
        self.cash = cash - 10 * count
        self.shares[symbol] = self.shares.get(symbol, 0) + count
        return dict(self.shares)


class Tickets(Object):
    """Numbers are given in order; only open ones can be closed."""

    def __init__(self):
        super().__init__()
        self.tickets = []

    def open(self, title: str) -> int:
        self._do("open", title)
        self.tickets.append([title, "open"])
        return len(self.tickets)

    async def close(self, number: int) -> str:
        self._do("close", number)
        await anyio.sleep(0)
        if not 1 <= number <= len(self.tickets):
            raise ToolFailed(f"no ticket {number}")
        self.tickets[number - 1][1] = "closed"
        return "closed"


class Messages(Object):
    """One is logged in, sends, and takes the last one back."""

    def __init__(self):
        super().__init__()
        self.user, self.sent = "", []

    def login(self, user: str) -> str:
        self._do("login", user)
        self.user = user
        return user

    def send(self, to: str, text: str) -> int:
        self._do("send", to)
        self.sent.append((self.user, to, text))
        return len(self.sent)

    async def undo(self) -> list:
        self._do("undo")
        await anyio.sleep(0.001)
        if not self.sent:
            raise ToolFailed("nothing was sent")
        return list(self.sent.pop())


class Travel(Object):
    """A basket that is booked as a whole."""

    def __init__(self):
        super().__init__()
        self.basket, self.booked = [], []

    def add(self, what: str) -> list:
        self._do("add", what)
        self.basket.append(what)
        return self.basket  # the very list: it is text before the next call can change it

    def book(self) -> int:
        self._do("book")
        self.booked.append(tuple(self.basket))
        self.basket.clear()
        return len(self.booked)


WORLDS = {
    Files: {"cd": ["/", "a", "b"], "write": [("x", "1"), ("y", "2")], "move": [("x", "/"), ("y", "/a")]},
    Car: {"unlock": [()], "start": [()], "drive": [3, 40]},
    Account: {"deposit": [50, 700], "buy": [("AB", 30), ("CD", 80)]},
    Tickets: {"open": ["lamp", "door"], "close": [1, 2, 9]},
    Messages: {"login": ["ann", "bob"], "send": [("bob", "hi"), ("cy", "yo")], "undo": [()]},
    Travel: {"add": ["flight", "hotel"], "book": [()]},
}


def public(thing):
    """What an object holds, but for the order of the world around it."""
    return {name: value for name, value in vars(thing).items() if not name.startswith("_")}


def toolset(kind, thing, name, *, approve):
    """The methods of one object as tools, under its name."""
    methods = [tool(getattr(thing, method)) for method in WORLDS[kind]]
    return prefix([made.replace(requires_approval=approve) for made in methods], name)


def batches(kind, rng):
    """A trace: the calls of each message, as (object, method, arguments, damage)."""
    methods = WORLDS[kind]
    trace = []
    for _ in range(4):
        batch = []
        for _ in range(rng.randint(3, 10)):
            method = rng.choice([*methods])
            given = rng.choice(methods[method])
            damage = rng.choice(["", "", "", "", "python", "unknown", "broken", "twice"])
            batch += [(rng.choice("pq"), method, given, damage)] * (2 if damage == "twice" else 1)
        trace.append(batch)
    return trace


def wire(kind, number, one):
    """The call as a model sends it."""
    name, method, given, damage = one
    values = given if isinstance(given, tuple) else (given,)
    names = [n for n in getattr(kind, method).__annotations__ if n != "return"]
    fields = dict(zip(names, values, strict=False))
    text = str(fields) if damage == "python" else json.dumps(fields)
    if damage == "broken":
        text = '{"this": [is'
    called = "no_such_tool_at_all" if damage == "unknown" else f"{name}_{method}"
    return ToolCall(id=f"call {number}", name=called, arguments=text)


async def one_after_another(kind, trace):
    """What the calls that can run come to, in their order."""
    things, told = {"p": kind(), "q": kind()}, []
    for name, method, given, damage in (one for batch in trace for one in batch):
        if damage in ("unknown", "broken"):
            told.append(None)
            continue
        try:
            value = getattr(things[name], method)(*(given if isinstance(given, tuple) else (given,)))
            value = await value if hasattr(value, "__await__") else value
            told.append(value if isinstance(value, str) else json.dumps(value))
        except ToolFailed as fault:
            told.append(str(fault))
    return things, told


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_end_is_that_of_one_after_another(kind, seed, streamed):
    """State and results of both objects; nothing runs twice, nothing is left out."""
    rng = random.Random(f"{kind.__name__} {seed}")
    trace = batches(kind, rng)
    numbers = iter(range(10_000))
    lines = [Assistant(tool_calls=tuple(wire(kind, next(numbers), one) for one in batch)) for batch in trace]
    things = {"p": kind(), "q": kind()}
    approve = seed == 3
    tools = [made for name, thing in things.items() for made in toolset(kind, thing, f"{name}_", approve=approve)]
    with Scripted([*lines, "done"]) as model:
        agent = Agent(model, tools, approve=lambda _: True)
        if streamed:
            async with agent.astream("go") as events:
                *_, last = [event async for event in events]
            result = last.result
        else:
            result = await agent.arun("go")
    wanted, told = await one_after_another(kind, trace)
    assert result.output == "done"
    assert answered(result)
    for name, thing in things.items():
        assert public(thing) == public(wanted[name])
    for seen, expected in zip(contents(result), told, strict=True):
        assert expected is None or seen == expected


async def test_after_a_timeout_the_object_goes_on_in_order():
    """The call that was too slow is said to be; those behind it run after it was given up."""
    car = Car()

    @tool(timeout_s=0.05)
    async def slow() -> None:
        await anyio.sleep(5)

    async def wait(self) -> None:
        self._do("wait")
        await anyio.sleep(5)

    Car.wait = wait
    try:
        tools = [car.unlock, tool(car.wait, timeout_s=0.05), car.start, car.drive, slow]
    finally:
        del Car.wait
    calls = [("unlock", {}), ("wait", {}), ("slow", {}), ("start", {}), ("drive", {"km": 7})]
    result = await Agent(Scripted([calls, "done"]), tools).arun("go")
    assert car.km == 7
    assert [text.split(" after")[0] for text in contents(result)] == ["true", "timed out", "timed out", "started", "7"]
