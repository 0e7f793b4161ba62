# SPDX-License-Identifier: Apache-2.0
"""The page of fgrun bench: from a result with everything in it, as golden/bench.html has it (FG_REGEN=1 writes that again).
And the schema of results, against that one and the document's example."""

import html.parser
import json
import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import jsonschema
import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"
GOLDEN = pathlib.Path(__file__).parent / "golden"
LETTER, BOLD, ABOVE, BELOW = 6.5, 8, 9, 2  # pixels of a text
SECTIONS = ["targets", "start", "rate", "memory", "loaded", "efficiency", "network", "noise", "images", "isolation"]


def bench(*args, status=0):
    done = subprocess.run([os.environ["FGRUN"], "bench", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == status, done
    return done


@pytest.fixture(name="page", scope="module")
def _page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    bench(f"--from={GOLDEN}/bench.json", f"--html={path}")
    text = path.read_text("utf-8")
    if os.environ.get("FG_REGEN"):
        (GOLDEN / "bench.html").write_text(text, "utf-8")
    return text


def figures(page):
    return [xml.etree.ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]


def test_the_page_is_the_golden_one(page):
    assert page == (GOLDEN / "bench.html").read_text("utf-8")


def test_every_section_is_drawn_and_has_its_numbers(page):
    assert re.findall(r'<section id="(\w+)"', page) == ["worth", *SECTIONS]
    parts = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.S))
    for name in SECTIONS:
        assert ('class="matrix"' if name in ("noise", "isolation") else "<svg") in parts[name]
        assert "<summary>The numbers</summary>" in parts[name]
    costs = dict(re.findall(r'<tr><th scope="row">([\w-]+)</th>(.*?)</tr>', re.search(r'<section id="worth">.*?</section>', page, re.S)[0]))
    assert ">emulated<" in costs["microvm-warm-image"] and re.search(r">[\d.]+ %<", costs["runc"])  # no headline of what is emulated
    for figure in figures(page):  # and says what it is to those who do not see it
        named = {each.get("id") for each in figure if each.tag in ("title", "desc") and each.text}
        assert figure.get("role") == "img" and set(figure.get("aria-labelledby").split()) == named


class Balance(html.parser.HTMLParser):
    """Elements that are opened are closed, in their order; nothing is fetched, nothing runs."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "img", "link", "iframe", "object", "b<")
        assert not [name for name, value in attrs if name.startswith("on") or name in ("src", "href") or "url(" in (value or "")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_needs_nothing_else_and_what_others_said_is_text(page):
    parser = Balance()
    parser.feed(page)
    assert not parser.open and "http" not in page and "@import" not in page and "url(" not in page
    for said in ('podman &quot;4&quot; &lt;script&gt;alert(1)&lt;/script&gt;', "&lt;b&gt;such&lt;/b&gt; luck &amp; none", "Linux 6.1.0 &lt;&amp;&gt;"):
        assert said in page
    assert not re.search(r"\b(nan|inf|null)\b", page)


def boxes(figure):
    for text in figure.iter("text"):
        words, x, y, place = text.text or "", float(text.get("x")), float(text.get("y")), text.get("class").split()
        width = len(words) * (BOLD if "strong" in place else LETTER)
        left = x - (width if "end" in place else width / 2 if "mid" in place else 0)
        yield words, left, y - ABOVE, left + width, y + BELOW


def test_no_label_lies_over_another_or_outside(page):
    for figure in figures(page):
        width, height = (float(n) for n in figure.get("viewBox").split()[2:])
        found = list(boxes(figure))
        for i, (a, left, top, right, bottom) in enumerate(found):
            assert left >= -5 and right <= width + 5 and top >= -2 and bottom <= height + 2, a
            for b, left2, top2, right2, bottom2 in found[:i]:
                assert left >= right2 or left2 >= right or top >= bottom2 or top2 >= bottom, (a, b)


def test_memory_is_grouped_by_how_many_there_were(page):
    figure = next(each for each in figures(page) if each[0].text == "Memory of an idle instance")
    assert [text.text for text in figure.iter("text") if "strong" in text.get("class")] == ["1 at once", "3 at once", "10 at once"]


def test_bars_are_as_long_as_their_numbers(page):
    """The microVM's share of the host's integer work, by the pixels of its bar."""
    rows = {row["name"]: row["integerPerSecond"] for row in json.loads((GOLDEN / "bench.json").read_text("utf-8"))["efficiency"]}
    figure = next(each for each in figures(page) if each[0].text == "Work done inside, beside the host")
    bars = [each for each in figure if each.tag == "rect" and float(each.get("height")) > 12]
    host, microvm = (float(each.get("width")) for each in bars[:2])
    assert microvm / host == pytest.approx(rows["microvm-warm-image"] / rows["host"], rel=0.01)


def matrix(page, title):
    """Of a coloured table below a title: what a row says for each peer, and whether that is bad."""
    text = re.search(rf"<h3>{title}</h3>.*?</table>", page, re.S)[0]
    peers, *rows = re.findall(r"<tr>(.*?)</tr>", text)
    peers = re.findall(r'<th scope="col">(.*?)</th>', peers)[1:]
    return {re.search(r'"row">(.*?)<', each)[1]: dict(zip(peers, re.findall(r"<td(.*?)</td>", each))) for each in rows}


def test_what_is_reached_is_named_and_bad_only_in_the_kernel_of_all(page):
    calls, proc = matrix(page, "System calls that are often attacked"), matrix(page, "What /proc tells")
    assert calls["ptrace"]["runc"] == ' class="bad">reached' and calls["ptrace"]["microvm-warm-image"] == ">reached"
    assert calls["mount"]["microvm-warm-image"] == ' class="good">–'
    assert proc["/proc/loadavg"]["runc"] == ' class="bad">readable' and proc["/proc/kallsyms"]["runc"] == ' class="good">–'
    assert matrix(page, "Namespaces of its own")["pid"] == {"host": ' class="bad">–', "microvm-warm-image": ' class="good">own', "runc": ' class="good">own'}
    assert "/sys/module" in matrix(page, "What /sys tells") and "/proc/sys/kernel/core_pattern" in matrix(page, "What could be changed")


def test_a_multiple_of_what_is_noisy_is_marked(page):
    text = re.search(r'<section id="noise">.*?</table>', page, re.S)[0]
    assert re.search(r'"row">microvm-warm-image</th>(<td class="h0"><b>[\d.]+</b> ms<br>p50 [\d.]+(<br>× [\d.]+ \?)?</td>)+</tr>', text)
    assert re.search(r'"row">runc</th>.*<td class="h[1-4]">[^?]+<br>× [\d.]+</td>', text)
    assert "ALONE IT IS" in page and "ADMITTED" in page


def test_the_document_names_what_the_probe_asks_for():
    source = (DOCS.parent / "bench" / "probe" / "reach.c").read_text("utf-8")
    legend = re.search(r"What is asked for:\n(.*?)\n\nA microVM", (DOCS / "benchmark.md").read_text("utf-8"), re.S)[1]
    asked = re.findall(r'\{ "([\w./-]+)", (?:SYS_\w+|gives_|is_|has_)', source)
    named = set(re.findall(r"`([^`]+)`", legend)) - {"/proc", "/sys"}
    assert len(asked) > 60 and {re.sub("^/(proc|sys)/", "", name) for name in asked} == {re.sub("^/(proc|sys)/", "", name) for name in named}


def test_the_document_explains_each_column_of_isolation_and_no_other():
    source = (DOCS.parent / "cli" / "bench" / "tables.c").read_text("utf-8")
    columns = re.findall(r'\{ "([^"]+)", "\w+" \}', re.search(r"isolation\[\] = .*?#define TABLE", source, re.S)[0])
    legend = re.search(r"\*\*Isolation\.\*\*.*?\n\n(.*?)\n\n", (DOCS / "benchmark.md").read_text("utf-8"), re.S)[1]
    explained = [name for line in legend.splitlines()[2:] for name in line.split(" | ")[0].strip("| ").split(", ")]
    assert sorted(explained) == sorted(set(columns) - {"ISOLATION", "REACHED"} | {"WRITABLE"}) + ["WRITABLE"]


@pytest.mark.parametrize("missing", [
    ("isolation", ["namespaces", "parametersReadable", "parametersWritable", "cgroupsSeen", "cgroupsWritable", "procLeaks", "sysLeaks", "writable"]),
    ("memory", ["promisedMiB", "admitted"]),
    ("noise", ["alone", "rounds_ms"]),
], ids=lambda missing: missing[0])
def test_a_result_of_an_older_version_is_shown(tmp_path, missing):
    section, members_ = missing
    older = json.loads((GOLDEN / "bench.json").read_text("utf-8"))
    older[section] = [{key: value for key, value in row.items() if key not in members_} for row in older[section]]
    older["start"].pop()  # whom nobody knows
    jsonschema.Draft202012Validator(json.loads((DOCS / "benchmark.schema.json").read_text("utf-8"))).validate(older)
    (tmp_path / "in.json").write_text(json.dumps(older), "utf-8")
    printed = bench(f"--from={tmp_path}/in.json", f"--html={tmp_path}/out.html").stdout
    assert {"noise": "NOISY NEIGHBOUR"}.get(section, section.upper()) in printed and f'<section id="{section}">' in (tmp_path / "out.html").read_text("utf-8")


def test_a_result_that_is_none_and_options_that_do_not_fit(tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"version": 2, "start": []}', "ascii")
    assert "'version' must be 1" in bench(f"--from={other}", status=64).stderr
    assert "No such file" in bench(f"--from={tmp_path}/none", status=66).stderr
    assert "--from measures nothing" in bench(f"--from={other}", "--quick", status=64).stderr
    # before anything is measured
    assert "--json: " in bench(f"--json={tmp_path}/none/x", status=66).stderr
    assert "--html: " in bench(f"--json={tmp_path}/x", f"--html={tmp_path}", status=64).stderr
    assert not (tmp_path / "x").exists()


def test_what_is_no_number_is_shown_as_none(tmp_path):
    odd = tmp_path / "odd.json"
    odd.write_text('{"version": 1, "start": [{"name": "a", "p50_ms": "x", "p90_ms": 7}], "targets": [{"measure": 5}]}', "ascii")
    shown = bench(f"--from={odd}").stdout
    assert re.search(r"^a +- +7\.0 ", shown, re.MULTILINE), shown
    phases = [{"name": "accepted", "p50_ms": 0}, {"name": "started", "p50_ms": "x"}, {"name": "firstOutput", "p50_ms": 8}]
    odd.write_text(json.dumps({"version": 1, "start": [{"name": "a", "p50_ms": 7, "typed": 5, "whole": {"p50_ms": 6}, "phases": phases}]}), "ascii")
    shown = bench(f"--from={odd}").stdout
    assert re.search(r"^a +7\.0 +- +- +- +- +6\.0 +-$", shown, re.MULTILINE), shown  # a number where samples should be is none of them
    assert "started -, firstOutput 8.0\n" in shown


HOSTILE = [None, True, -5, 1e308, "\u0000\u001b]0;x\u0007<b>", [], {}, [[]], [{}], {"p50_ms": "x", "samples_ms": [None, "x", -1, 1e308]}]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_file_holds_gives_a_page(tmp_path, value):
    """Each member of each section in turn is something that it should not be."""
    whole = json.loads((GOLDEN / "bench.json").read_text("utf-8"))
    for name in whole:
        if isinstance(whole[name], list):
            whole[name] = [value, *({**row, **{key: value for key in list(row)[i::3]}} for i, row in enumerate(whole[name][:3]))]
        elif name != "version":
            whole[name] = value
    (tmp_path / "in.json").write_text(json.dumps(whole), "utf-8")
    bench(f"--from={tmp_path}/in.json", f"--html={tmp_path}/out.html")
    text = (tmp_path / "out.html").read_text("utf-8")
    parser = Balance()
    parser.feed(text)
    assert not parser.open and not re.search(r"[\x00-\x08\x0e-\x1f]", text) and not re.search(r"\b(nan|inf)\b", text)
    figures(text)


def members(example, path=()):
    """Each member of an example: its path, and is it one of those that may be absent?"""
    if isinstance(example, list):
        yield from members(example[0], (*path, 0))
    elif isinstance(example, dict):
        for key, value in example.items():
            yield (*path, key), key.endswith("?")
            yield from members(value, (*path, key))


def without(example, paths):
    """The example as a result: no ? in a name, and what is at these paths is missing."""
    def copy(value, path):
        if isinstance(value, list):
            return [copy(each, (*path, i)) for i, each in enumerate(value)]
        if isinstance(value, dict):
            return {key.rstrip("?"): copy(each, (*path, key)) for key, each in value.items() if (*path, key) not in paths}
        return value
    return copy(example, ())


def test_the_schema_is_what_the_document_says():
    """The example is valid, also without what may be absent, but without nothing else; and the schema has no more members."""
    schema = json.loads((DOCS / "benchmark.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    example = json.loads(re.search(r"```json\n(.*?)```", (DOCS / "benchmark.md").read_text("utf-8"), re.S)[1])
    found = list(members(example))
    validator.validate(without(example, ()))
    validator.validate(without(example, {path for path, optional in found if optional}))
    for path, optional in found:
        assert optional or path[-2:-1] == ("ways?",) or not validator.is_valid(without(example, {path})), path
    known = {key for key in re.findall(r'"(\w+)": \{"(?:\$ref|type|enum|const)', json.dumps(schema["properties"]))} - {"items", "propertyNames", "additionalProperties"}
    assert known <= {str(path[-1]).rstrip("?") for path, _ in found}
    golden = json.loads((GOLDEN / "bench.json").read_text("utf-8"))
    assert not validator.is_valid(golden)  # it has a peer that nobody knows, for the page
    golden["start"].pop()
    validator.validate(golden)
