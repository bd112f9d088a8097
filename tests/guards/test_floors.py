"""The house stays small and its arrows point down. Each guard is shown to be able to fail."""

from __future__ import annotations

import ast
import statistics
import sys

import pytest
from guards.house import FIRST_PARTY, House, house, our_house, within

FLOORS: tuple[tuple[str, ...], ...] = (
    ("agentkit.errors",),
    ("agentkit.core",),
    ("agentkit.tooling", "agentkit.models", "agentkit.stores"),  # workshops that do not know one another
    ("agentkit.history",),
    ("agentkit.runtime",),
    ("agentkit.engines",),
    ("agentkit.agent",),
    ("agentkit.web", "agentkit.testing"),
    ("agentkit",),  # the front door, agentkit/__init__.py alone
    ("agentkit.cli",),
    ("agentkit.__main__",),
    ("agentkit_tools",),  # may use agentkit, never the other way
)

HEAVY = (
    "pydantic",
    "pydantic_core",
    "httpcore2",
    "httpx2",
    "httpx",
    "jsonschema",
    "docstring_parser",
    "xllamacpp",
    "ddgs",
    "aiohttp",
    "orjson",
)
"""Imported inside the function that first needs them: that is what keeps `import agentkit` fast."""

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_P90_LINES = 30
ONE_SITTING = ("agentkit.core.decide", "agentkit.runtime.loop")
MAX_ONE_SITTING_LINES = 400


# ---- the guards: each gives the faults of a house ----


def floor_of(name: str) -> tuple[int, str]:
    """The floor and the room of a module; the longest name wins, and what has no room of its own is refused."""
    rooms = [(room, floor) for floor, rooms in enumerate(FLOORS) for room in rooms if within(name, room)]
    room, floor = max(rooms, key=lambda found: len(found[0]))
    if room == "agentkit" != name:
        raise LookupError(f"{name} stands in no room: give it one in FLOORS")
    return floor, room


def arrows(modules: House) -> list[str]:
    """Imports that do not point down, or into one's own room."""
    faults = []
    for name, module in modules.items():
        floor, room = floor_of(name)
        for one in module.imports:
            if not one.target.startswith(FIRST_PARTY):
                continue
            target_floor, target_room = floor_of(one.target)
            if target_room != room and target_floor >= floor:
                faults.append(f"{name}:{one.line} imports {one.target}, which does not stand below it")
    return faults


def cycles(modules: House) -> list[str]:
    """Modules that import one another, lazily or not."""
    graph = {name: {one.target for one in module.imports} & modules.keys() for name, module in modules.items()}
    faults, state = [], dict.fromkeys(graph, "new")

    def visit(name: str, path: tuple[str, ...]) -> None:
        state[name] = "open"
        for target in sorted(graph[name] - {name}):
            if state[target] == "open":
                faults.append(" -> ".join((*path[path.index(target) :], target)))
            elif state[target] == "new":
                visit(target, (*path, target))
        state[name] = "done"

    for name in graph:
        if state[name] == "new":
            visit(name, (name,))
    return faults


def lazy_first_party(modules: House) -> list[str]:
    """First-party imports inside functions: they hide an arrow."""
    return [
        f"{name}:{one.line} imports {one.target} inside a function"
        for name, module in modules.items()
        for one in module.imports
        if one.lazy and one.target.startswith(FIRST_PARTY)
    ]


def relative(modules: House) -> list[str]:
    """Relative imports."""
    return [
        f"{name}:{one.line} imports {one.target}"
        for name, module in modules.items()
        for one in module.imports
        if one.target.startswith(".")
    ]


def core_beyond_the_standard_library(modules: House) -> list[str]:
    """What `core` and `errors` import beside the standard library and themselves."""
    own = ("agentkit.errors", "agentkit.core")
    return [
        f"{name}:{one.line} imports {one.target}"
        for name, module in modules.items()
        if any(within(name, room) for room in own)
        for one in module.imports
        if one.target.split(".")[0] not in sys.stdlib_module_names
        if not any(within(one.target, room) for room in own)
    ]


def heavy_at_import(modules: House) -> list[str]:
    """Heavyweights that `import agentkit` would load."""
    return [
        f"{name}:{one.line} imports {one.target} at module level"
        for name, module in modules.items()
        if within(name, "agentkit")
        for one in module.imports
        if one.target.split(".")[0] in HEAVY and not one.lazy and not one.typing
    ]


def asyncio(modules: House) -> list[str]:
    """Imports of asyncio without a reason: tools and runs work on every event loop."""
    return [
        f"{name}:{one.line} imports asyncio"
        for name, module in modules.items()
        for one in module.imports
        if within(one.target, "asyncio") and "# noqa: TID251 - " not in module.lines[one.line - 1]
    ]


def long_files(modules: House) -> list[str]:
    """Files that nobody reads to the end."""
    lengths = {name: len(module.lines) for name, module in modules.items()}
    return [f"{name} has {length} lines" for name, length in lengths.items() if length > MAX_FILE_LINES]


def long_functions(modules: House) -> list[str]:
    """Functions over the limit, and too many long ones."""
    found = [(f"{name}.{one}", length) for name, module in modules.items() for one, length in module.functions]
    faults = [f"{one} has {length} lines" for one, length in found if length > MAX_FUNCTION_LINES]
    if len(found) >= 2:
        p90 = statistics.quantiles([length for _, length in found], n=10)[-1]
        if p90 > MAX_P90_LINES:
            faults.append(f"a tenth of the functions has more than {p90:.0f} lines")
    return faults


def more_than_one_sitting(modules: House) -> list[str]:
    """The heart of the house: what happens next, and what carries it out."""
    lines = sum(len(modules[name].lines) for name in ONE_SITTING if name in modules)
    return [f"{' and '.join(ONE_SITTING)} have {lines} lines"] if lines > MAX_ONE_SITTING_LINES else []


def unannotated(modules: House) -> list[str]:
    """Files with annotations that do not begin with `from __future__ import annotations`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.AnnAssign)
    return [
        name
        for name, module in modules.items()
        if any(isinstance(node, kinds) for node in ast.walk(module.tree))
        and not any(one.target == "__future__" for one in module.imports)
    ]


GUARDS = (
    arrows,
    cycles,
    lazy_first_party,
    relative,
    core_beyond_the_standard_library,
    heavy_at_import,
    asyncio,
    long_files,
    long_functions,
    more_than_one_sitting,
    unannotated,
)

CORE, TOOLING, MODELS, AGENT = "agentkit.core.a", "agentkit.tooling.a", "agentkit.models.a", "agentkit.agent"
LONG = "def f():\n" + "    x = 1\n" * 60

BAD = [
    (arrows, {CORE: "import agentkit.tooling.a", TOOLING: ""}),
    (arrows, {CORE: "from agentkit.runtime import loop", "agentkit.runtime.loop": ""}),
    (arrows, {"agentkit.errors": "from agentkit.core.a import X", CORE: ""}),
    (arrows, {TOOLING: "from agentkit.models.a import X", MODELS: ""}),
    (arrows, {MODELS: "from agentkit.stores import store"}),
    (arrows, {MODELS: "from agentkit import Agent"}),
    (arrows, {AGENT: "import agentkit.cli.main"}),
    (arrows, {"agentkit.cli.main": "import agentkit_tools"}),
    (arrows, {CORE: "def f():\n    from agentkit.agent import Agent"}),
    (arrows, {CORE: "if TYPE_CHECKING:\n    from agentkit.agent import Agent"}),
    (cycles, {CORE: "from agentkit.core import b", "agentkit.core.b": "import agentkit.core.a"}),
    (cycles, {CORE: "from agentkit.core.b import X", "agentkit.core.b": "def f():\n    from agentkit.core import a"}),
    (lazy_first_party, {CORE: "def f():\n    from agentkit.errors import UsageError"}),
    (lazy_first_party, {CORE: "def f():\n    return importlib.import_module('agentkit.errors')"}),
    (lazy_first_party, {CORE: "class A:\n    async def f(self):\n        import agentkit.errors"}),
    (relative, {CORE: "from . import b"}),
    (relative, {CORE: "from ..errors import UsageError"}),
    (core_beyond_the_standard_library, {CORE: "import anyio"}),
    (core_beyond_the_standard_library, {CORE: "def f():\n    import pydantic"}),
    (core_beyond_the_standard_library, {"agentkit.errors": "import httpx2"}),
    (heavy_at_import, {MODELS: "import httpx2"}),
    (heavy_at_import, {MODELS: "try:\n    import orjson\nexcept ImportError:\n    orjson = None"}),
    (heavy_at_import, {TOOLING: "from pydantic.fields import FieldInfo"}),
    (heavy_at_import, {TOOLING: "class A:\n    import jsonschema"}),
    (asyncio, {TOOLING: "import asyncio"}),
    (asyncio, {TOOLING: "def f():\n    from asyncio.subprocess import Process"}),
    (asyncio, {TOOLING: "import asyncio  # noqa: TID251"}),
    (long_files, {CORE: "\n" * 501}),
    (long_functions, {CORE: LONG}),
    (long_functions, {CORE: LONG.replace("def", "async def")}),
    (long_functions, {CORE: "\n".join(f"def f{i}():\n" + "    x = 1\n" * 40 for i in range(9))}),
    (more_than_one_sitting, dict.fromkeys(ONE_SITTING, "\n" * 201)),
    (unannotated, {CORE: "import json\n\nX: int = 1"}),
    (unannotated, {CORE: "class A:\n    def f(self): ..."}),
]

GOOD = {
    "agentkit": '"""Docs."""',
    "agentkit.errors": "from __future__ import annotations\n\nX = 1",
    CORE: "from __future__ import annotations\n\nimport json\nfrom agentkit.errors import X",
    TOOLING: "from __future__ import annotations\n\nimport anyio\n\n\ndef f():\n    import pydantic",
    MODELS: "from __future__ import annotations\n\nif TYPE_CHECKING:\n    import httpx2",
    "agentkit.models.b": "from __future__ import annotations\n\nfrom agentkit.models import a",
    "agentkit.runtime.loop": "from __future__ import annotations\n\nimport asyncio  # noqa: TID251 - the loop's thread",
    "agentkit_tools": "from __future__ import annotations\n\nfrom agentkit import tool",
}


@pytest.fixture(scope="module")
def ours() -> House:
    return our_house()


@pytest.mark.parametrize("guard", GUARDS)
def test_the_house_keeps_its_shape(guard, ours: House):
    """No fault in our own source."""
    assert guard(ours) == []


@pytest.mark.parametrize(("guard", "sources"), BAD)
def test_a_guard_sees_what_it_guards_against(guard, sources):
    """Each guard can fail."""
    assert len(guard(house(sources))) == 1


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_lets_good_source_pass(guard):
    """And does not fail for nothing."""
    assert guard(house(GOOD)) == []


def test_a_new_room_needs_a_floor():
    """A package that is in no row of `FLOORS` is refused, so that nothing escapes the guards."""
    with pytest.raises(LookupError, match=r"agentkit\.plugins"):
        arrows(house({"agentkit.plugins.a": ""}))


def test_all_of_the_house_is_read(ours: House):
    """The guards see the source that is there."""
    assert {"agentkit", "agentkit.core.state", "agentkit_tools"} <= ours.keys()
