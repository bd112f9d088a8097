"""The page of figures: its table, its curves, and the command that makes them."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/why/performance.md"
CURVES = ("steps", "runs", "chunks")


def rows(text: str) -> list[list[str]]:
    """The cells of the table's lines."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]


def test_the_page_shows_a_measured_table():
    """Each line says what was measured, of whom, with what goal, and whether it was met."""
    head, *lines = rows(PAGE.read_text())
    assert head == ["what", "installed", "agentkit", "by hand", "ratio", "goal", "met"]
    assert len(lines) >= 15
    assert all(len(line) == 7 and line[2] and line[5] and line[6] in {"yes", "no"} for line in lines)


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_is_a_drawing_with_a_line_for_each_contender(name):
    """The page embeds it, and it is an SVG that parses, also for dark pages."""
    assert f"(performance-{name}.svg)" in PAGE.read_text()
    drawing = ET.parse(PAGE.with_name(f"performance-{name}.svg")).getroot()
    lines = drawing.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 3
    assert all(len(line.attrib["points"].split()) >= 3 for line in lines)
    assert "prefers-color-scheme: dark" in ET.tostring(drawing, encoding="unicode")


def test_the_benchmark_command_runs():
    """At small sizes it prints every line of the table."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert len(rows(done.stdout)) >= 16
