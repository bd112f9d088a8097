"""Results that are too long for a model are kept, and can be read on."""

from __future__ import annotations

import re

import pytest

from agentkit.errors import UsageError
from agentkit.tooling.spill import SpillFolder
from agentkit.tooling.tool import tool

pytestmark = pytest.mark.anyio

LONG = "".join(f"line {i} äöü\n" for i in range(10_000))


def much() -> str:
    return LONG


async def test_what_is_cut_is_kept_and_can_be_read_on(tmp_path):
    """From the note in the result to the whole text."""
    folder = SpillFolder(tmp_path / "results")
    called = await tool(much, max_output_chars=1_000, spill=folder.keep).call_json("{}")
    assert len(called.content) <= 1_000
    found = re.search(r"characters cut; read_spilled\(id=\"(\w+)\", offset=...\) reads them", called.content)
    reader = folder.reader(max_chars=50_000)
    text = ""
    while len(text) < len(LONG):
        part = await reader.call_json(f'{{"id": "{found[1]}", "offset": {len(text)}}}')
        text += re.sub(r"\n\[characters [\d,]+ to [\d,]+ of [\d,]+\]\Z", "", part.content)
    assert text == LONG


async def test_a_result_that_fits_is_not_kept(tmp_path):
    """Nor is a folder made for it."""
    folder = SpillFolder(tmp_path / "results")
    await tool(much, max_output_chars=None, spill=folder.keep).call_json("{}")
    await tool(lambda: "short", name="short", spill=folder.keep).call_json("{}")
    assert not folder.path.exists()


@pytest.mark.parametrize(
    "id_", ["../secret", "/etc/passwd", "0" * 16, "", "0123456789abcdef/../x", "0123456789ABCDEF\n"]
)
async def test_only_kept_results_can_be_read(tmp_path, id_):
    """A model cannot name any other file."""
    (tmp_path / "secret.txt").write_text("secret")
    called = await SpillFolder(tmp_path / "results").reader().call_json({"id": id_})
    assert called.is_error
    assert "secret" not in called.content.replace(repr(id_), "")


async def test_a_result_that_cannot_be_kept_is_cut_all_the_same(tmp_path):
    """A full disk is no reason to lose it."""
    (tmp_path / "file").write_text("")
    called = await tool(much, max_output_chars=500, spill=SpillFolder(tmp_path / "file" / "x").keep).call_json("{}")
    assert not called.is_error
    assert len(called.content) <= 500


async def test_any_function_can_keep():
    """A store, a bucket, a database."""
    kept = []

    def keep(text: str) -> str:
        kept.append(text)
        return "kept as item 1"

    called = await tool(much, max_output_chars=500, spill=keep).call_json("{}")
    assert kept == [LONG]
    assert "characters cut; kept as item 1" in called.content
    with pytest.raises(UsageError, match="spill"):
        tool(much, spill="folder")
