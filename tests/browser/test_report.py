# Copyright (c) 2026, the meshproof.mtls authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a real browser: what people see, at the widths and in the schemes that they have.

The pictures are left in .reports/browser for eyes to look at.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.meshproof.mtls.plugins.module_utils._judgement import states
from ansible_collections.meshproof.mtls.plugins.module_utils._report.html import page
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html import audits
from ansible_collections.meshproof.mtls.tests.unit.plugins.module_utils._report.html.hostile import STRINGS, poisoned

from tests.browser import contrast, devtools

PICTURES = Path(__file__).resolve().parents[2] / ".reports" / "browser"
MESHES = {"two": audits.two, "many": audits.many}
WIDTHS = (390, 820, 1440)
# What a picture shows of a page that may be a hundred thousand pixels high.
MOST_HEIGHT = 4000
SHOWN_ROWS = "[...document.querySelectorAll('{table} tbody tr')].filter(row => !row.hidden)"


def written(audit: audits.Audit, path: Path, title: str = "") -> Path:
    """The audit's page in a file."""
    path.write_text(page.page(states.facts_of(audit), "ab" * 32, title), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: written(make(), folder / f"{name}.html") for name, make in MESHES.items()}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devtools.Browser]:
    with devtools.browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def tab(browser: devtools.Browser) -> Iterator[devtools.Page]:
    found = devtools.Page(browser)
    yield found
    found.close()


@pytest.mark.parametrize(("mesh", "width", "dark"), list(itertools.product(MESHES, WIDTHS, (False, True))))
def test_it_looks_as_it_should(tab: devtools.Page, pages: dict[str, Path], mesh: str, width: int, dark: bool) -> None:
    tab.show(width, dark)
    tab.open(pages[mesh])
    height = min(MOST_HEIGHT, tab.ask("document.documentElement.scrollHeight"))
    picture = tab.picture(PICTURES / f"{mesh}-{width}-{'dark' if dark else 'light'}.png", height=height)
    assert len(picture) > 20000
    assert tab.complaints() == []
    assert tab.requests() == [pages[mesh].as_uri()]
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.ask("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert tab.ask(contrast.TOO_WEAK) == []


def test_contrast_is_really_measured(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(1440)
    tab.open(pages["two"])
    tab.ask("document.querySelector('h1').style.color = 'rgb(200, 200, 200)'")
    tab.ask("document.querySelector('.e').style.stroke = 'rgb(240, 240, 240)'")
    assert {found["of"] for found in tab.ask(contrast.TOO_WEAK)} == {"Mutual TLS report", "edge"}


@pytest.mark.parametrize(("mesh", "table"), [("two", "#edges-table"), ("many", "#ports-table")])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_row_is_reached_by_keyboard(
    tab: devtools.Page, pages: dict[str, Path], mesh: str, table: str, width: int
) -> None:
    tab.show(width)
    tab.open(pages[mesh])
    rows = tab.ask(f"document.querySelectorAll('{table} tbody tr').length")
    # From the table's region the Tab key leads over the columns' buttons to the first row.
    tab.ask(f"document.querySelector('{table}').parentNode.focus()")
    for dummy in range(12):
        tab.press("Tab")
        if tab.ask("document.activeElement.tagName") == "TR":
            break
    here = (
        "(() => { const row = document.activeElement, box = row.getBoundingClientRect();"
        "return [row.tagName, row.sectionRowIndex, box.bottom > 0 && box.top < innerHeight,"
        "getComputedStyle(row).outlineStyle] })()"
    )
    seen = [tab.ask(here)]
    for dummy in range(rows - 1):
        tab.press("ArrowDown")
        seen.append(tab.ask(here))
    assert seen == [["TR", place, True, "solid"] for place in range(rows)]
    tab.press("Home")
    assert tab.ask(here)[1] == 0
    tab.press("End")
    assert tab.ask(here)[1] == rows - 1


def test_the_first_stop_leads_past_the_navigation(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(1440)
    tab.open(pages["two"])
    tab.press("Tab")
    assert tab.ask("document.activeElement.textContent") == "Skip to the content"
    assert tab.ask("document.activeElement.getBoundingClientRect().left") >= 0
    tab.press("Enter")
    assert tab.ask("document.activeElement.id") == "content"


def test_the_filter_leaves_what_fits(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(1440)
    tab.open(pages["many"])
    form = "document.querySelector('#ports .filter')"
    shown = SHOWN_ROWS.format(table="#ports-table")
    assert tab.ask(f"{form}.querySelector('output').textContent") == "200 of 200 rows"
    tab.ask(f"{form}.querySelector('input').focus()")
    tab.type("REPORTS api")
    texts = tab.ask(f"{shown}.map(row => row.cells[0].textContent)")
    assert texts == [f"reports/api-{number:02}" for number in (0, 4, 8, 12, 16)]
    assert tab.ask(f"{form}.querySelector('output').textContent") == "5 of 200 rows"
    select = f"{form}.querySelector('select')"
    options = tab.ask(f"[...{select}.options].map(option => option.textContent)")
    assert options == ["all", "contradicted", "outside the mesh", "plaintext too", "plaintext", "mTLS only", "unknown"]
    tab.ask(f"{form}.querySelector('input').select()")
    tab.type("billing")
    tab.ask(f"(e => {{ e.value = 'contradicted'; e.dispatchEvent(new Event('change')) }})({select})")
    assert tab.ask(f"{shown}.map(row => row.cells[0].textContent)") == ["billing/queue-02"]
    # The Tab key finds a row that is shown.
    assert tab.ask(f"{shown}[0].tabIndex") == 0
    tab.type("nothing is called so")
    assert tab.ask(f"{shown}.length") == 0


def test_columns_sort(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(1440)
    tab.open(pages["many"])
    first = "document.querySelector('#ports-table tbody tr').cells[0].textContent"
    head = "document.querySelector('#ports-table thead th')"
    tab.ask(f"{head}.querySelector('button').focus()")
    tab.press("Enter")
    assert (tab.ask(first), tab.ask(f"{head}.getAttribute('aria-sort')")) == ("billing/api-00", "ascending")
    tab.press("Enter")
    assert (tab.ask(first), tab.ask(f"{head}.getAttribute('aria-sort')")) == ("stock/worker-15", "descending")


def test_a_link_to_a_folded_group_unfolds_it(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(1440)
    tab.open(pages["many"])
    tab.ask("document.querySelector('#edges-table a').click()")
    opened = "new Promise(done => setTimeout(() => done(document.querySelector(location.hash).open), 100))"
    assert tab.ask(opened) is True


@pytest.mark.parametrize("width", WIDTHS)
def test_without_a_script_everything_can_be_read(tab: devtools.Page, pages: dict[str, Path], width: int) -> None:
    tab.show(width, script=False)
    tab.open(pages["many"])
    assert tab.ask("document.querySelectorAll('.filter').length") == 0
    assert tab.ask("[...document.querySelectorAll('tbody tr')].every(row => row.offsetHeight > 0)") is True
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.complaints() == []


def test_on_a_narrow_screen_cells_carry_their_columns_names(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(390)
    tab.open(pages["two"])
    cell = "document.querySelector('#ports-table tbody td')"
    assert tab.ask(f"getComputedStyle({cell}, '::before').content") == '"Port"'
    assert tab.ask(f"{cell}.getAttribute('role')") == "cell"


def test_paper_shows_everything_in_dark_ink(tab: devtools.Page, pages: dict[str, Path]) -> None:
    tab.show(800, dark=True, media="print")
    tab.open(pages["many"])
    assert tab.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert tab.ask("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    tab.ask("dispatchEvent(new Event('beforeprint'))")
    assert tab.ask("document.querySelectorAll('details:not([open])').length") == 0
    tab.ask("dispatchEvent(new Event('afterprint'))")
    assert tab.ask("document.querySelectorAll('details[open]').length") == 0
    assert tab.ask("document.documentElement.scrollWidth") <= 800


@pytest.mark.parametrize("place", range(len(STRINGS)))
def test_hostile_names_do_nothing(tab: devtools.Page, tmp_path: Path, place: int) -> None:
    bad = STRINGS[place]
    path = written(poisoned(audits.many(), bad), tmp_path / "page.html", bad)
    tab.show(820)
    tab.open(path)
    tab.ask("document.querySelector('.filter input').focus()")
    tab.type("onerror")
    assert tab.complaints() == []
    assert tab.requests() == [path.as_uri()]
    assert tab.ask("document.images.length") == 0
    assert tab.ask("document.documentElement.scrollWidth") <= 820
    assert not any(event.get("method") == "Page.javascriptDialogOpening" for event in tab.browser.events)


def test_the_policy_stops_what_would_get_in(tab: devtools.Page, pages: dict[str, Path], tmp_path: Path) -> None:
    """Were something not escaped after all, the page's own policy is the second wall."""
    text = pages["two"].read_text(encoding="utf-8")
    broken = text.replace("</main>", "<img src='https://evil.example/x'><script>window.hacked = 1</script></main>")
    path = tmp_path / "page.html"
    path.write_text(broken, encoding="utf-8")
    tab.show(820)
    tab.open(path)
    assert tab.ask("window.hacked === undefined") is True
    assert len(tab.complaints()) >= 2
    assert all("Content Security Policy" in words for words in tab.complaints())


def test_motion_is_left_out_where_it_is_not_wanted(tab: devtools.Page, pages: dict[str, Path]) -> None:
    for motion, expected in ((True, "smooth"), (False, "auto")):
        tab.show(820, motion=motion)
        tab.open(pages["two"])
        assert tab.ask("getComputedStyle(document.documentElement).scrollBehavior") == expected
