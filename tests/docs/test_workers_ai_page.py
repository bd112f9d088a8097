"""The page of what is covered is what its script would write, and the script fails when a field is left out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generator():
    """The script."""
    spec = importlib.util.spec_from_file_location("generate_workers_ai", ROOT / "docs" / "generate_workers_ai.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator):
    """Run `python docs/generate_workers_ai.py` after a change."""
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page()


def test_a_field_without_a_test_fails(generator, monkeypatch):
    """Also when its test is gone."""
    monkeypatch.setattr(generator, "COVERED", generator.COVERED[:-3])
    with pytest.raises(LookupError, match="no test covers it"):
        generator.page()
    monkeypatch.setattr(generator, "COVERED", (("*", "testing/test_example.py::test_of_old"),))
    with pytest.raises(LookupError, match="there is no test"):
        generator.page()
