#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measure with `fgrun bench` and write the results into docs/benchmark.md.

Without --from it first runs BUILD's fgrun, which takes a while; the machine should do nothing else.
With --from FILE it only writes the document again, from a result of `fgrun bench --json=FILE`; with
BUILD as well, also the page beside it.
usage: bench/report.py BUILD [--quick] [--json FILE] | bench/report.py [BUILD] --from FILE
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import ociimage  # noqa: E402
import registry  # noqa: E402

DOCUMENT = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- written by bench/report.py: begin -->\n", "<!-- end -->\n"
WIDTH = 100
SIZES, SIZES_QUICK = (5, 400, 1000), (5, 40)  # MB, unpacked
LAYER_MB = 100
INTERRUPTED = 130


def number(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


def cell(value):
    """A value of the JSON as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value) or "–"
    if isinstance(value, float):
        return number(value, 0 if abs(value) >= 1000 else 1 if abs(value) >= 1 else 2)
    return "–" if value is None else str(value)


def table(titles, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows)) + "\n"


def section(rows, columns):
    """One line for each row: its name, then the members that the columns name."""
    return table(["", *columns.values()], [[f"`{row['name']}`", *(cell(row.get(key)) for key in columns)] for row in rows])


def wrap(text):
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines) + "\n"


def machine(result):
    host, settings = result["host"], result["settings"]
    text = (f"{host['cpus']} CPUs ({host.get('cpuModel', 'unknown')}), {host['memoryMiB']:,} MiB, Linux {host['kernel']}; guests under "
            f"{host.get('hypervisor', 'no hypervisor')}, {host.get('accelerator', 'none')}")
    if host["emulated"]:
        text += (": no hardware virtualisation, QEMU emulates the guests' processor, so nothing here says how microVMs do under KVM")
    text += (f". fgrun {result['fgrun']}, {result['startedAt'][:10]}. Load average before {host['loadAverageBefore']:.1f}, at the end "
             f"{host['loadAverage']:.1f}, the benchmark's own work included. {settings['rounds']} rounds, after {settings['warmUp']} "
             f"that do not count{'; --quick' if settings['quick'] else ''}. Times are milliseconds.")
    for peer in result["peers"]:
        text += f" `{peer['name']}`: {peer.get('version', '')}"
        text += f" ({peer['reason']})." if "reason" in peer else "."
    return wrap(text)


def starts(result):
    rows = [[f"`{row['name']}`", *(number(row[key]) for key in ("p50_ms", "p90_ms", "p99_ms")), number(row["typed"]["p50_ms"]),
             number(row["whole"]["p50_ms"]), str(len(row["samples_ms"]))] for row in result["start"]]
    text = table(["", "p50", "p90", "p99", "first byte p50", "end p50", "runs"], rows)
    for row in result["start"]:
        phases = ", ".join(f"{phase['name']} {number(phase['p50_ms'])}" for phase in row.get("phases", [])[1:])
        if phases:
            text += "\n" + wrap(f"Phases of `{row['name']}`, medians since accept: {phases}.")
    return text


def rates(result):
    at_a_time = sorted({row["concurrency"] for row in result["rate"]})
    found = {(row["name"], row["concurrency"]): row["perSecond"] for row in result["rate"]}
    names = dict.fromkeys(row["name"] for row in result["rate"])
    text = table(["starts per second, at a time", *map(str, at_a_time)],
                 [[f"`{name}`", *(number(found.get((name, n))) for n in at_a_time)] for name in names])
    for row in result["rate"]:
        if "ways" in row:
            ways = ", ".join(f"{n} {way}" for way, n in row["ways"].items())
            text += "\n" + wrap(f"Ways of `{row['name']}`, {row['concurrency']} at a time: {ways}.")
    return text


def loaded(result):
    return table(["start", "instances", "beside none, p50", "beside them, p50", "ratio"],
                 [[f"`{row['name']}`", str(row["instances"]), number(row["alone"]["p50_ms"]), number(row["beside"]["p50_ms"]),
                   number(row["beside"]["p50_ms"] / row["alone"]["p50_ms"], 2)] for row in result["loaded"]])


def targets(result):
    rows = []
    for row in result["targets"]:
        unit = "" if row["unit"] == "ratio" else f" {row['unit']}"
        sign, measured = "≥" if row["bound"] == "at least" else "≤", row.get("measured")
        if measured is None:
            verdict = "not measured"
        elif "note" in row:
            verdict = row["note"]
        elif row["met"]:
            verdict = "met"
        else:
            verdict = f"missed by a factor of {max(measured / row['target'], row['target'] / max(measured, 1e-9)):.1f}"
        rows.append([row["measure"].replace(" / ", " ÷ "), f"{sign} {row['target']:g}{unit}",
                     number(measured, 2) + (unit if measured is not None else ""), verdict])
    return table(["measure", "target", "measured", ""], rows)


MEMORY = {"instances": "instances", "pssMiB": "PSS, MiB each", "rssMiB": "RSS, MiB each", "availableMiB": "less available, MiB each",
          "inBudget": "in the budget", "promisedMiB": "promised each, MiB", "admitted": "admitted by fgd"}
WORK = {"emulated": "emulated", "integerPerSecond": "integer/s", "memoryMBPerSecond": "memory MB/s", "memoryRandomPerSecond": "random reads/s",
        "syscallsPerSecond": "system calls/s", "diskWriteMBPerSecond": "disk write MB/s", "diskReadMBPerSecond": "disk read MB/s"}
SEEN = {"kernel": "kernel", "kernelRelease": "release", "uptimeSeconds": "uptime, s", "processes": "processes", "namespaces": "namespaces",
        "kernelLog": "kernel log", "modules": "modules", "devices": "devices", "capabilities": "capabilities", "seccomp": "seccomp"}
REACHED = {"parametersReadable": "parameters", "parametersWritable": "writable", "procLeaks": "in /proc", "sysLeaks": "in /sys",
           "sysctlWritable": "sysctl", "writable": "files writable", "cgroupsSeen": "others' cgroups", "cgroupsWritable": "writable",
           "syscalls": "system calls"}
CARRIED = {"emulated": "emulated", "roundTripUs": "round trip, µs", "fromMBPerSecond": "from it, MB/s", "toMBPerSecond": "to it, MB/s"}


def noise(result):
    found = {(row["name"], row["neighbour"]): row for row in result["noise"]}
    kinds = dict.fromkeys(row["neighbour"] for row in result["noise"])

    def text(name, kind):
        row = found.get((name, kind))
        if row is None:
            return "–"
        times = f" (× {number(row['timesAlone'])}{' ?' if row.get('alone') == 'noisy' else ''})"
        return f"{number(row['p50_ms'])} / {number(row['p99_ms'])}{'' if kind == 'none' else times}"
    return table(["p50 / p99 of the victim, neighbour:", *kinds],
                 [[f"`{name}`", *(text(name, kind) for kind in kinds)] for name in dict.fromkeys(name for name, _ in found)])


def images(result):
    def median(row, key):
        return number(row[key]["p50_ms"] if key in row else None)
    return table(["image", "download, MB", "by", "first run, first byte", "later", "accept to first instruction"],
                 [[f"`{row['image'].partition('/')[2]}`", number(row.get("sizeMB"), 0), f"`{row['name']}`",
                   *(median(row, key) for key in ("first", "later", "accepted"))] for row in result["images"]])


def isolation(result):
    """Of long lists how many there are; their names are in the page."""
    counted = [{key: len(value) if isinstance(value, list) else value for key, value in row.items()} for row in result["isolation"]]
    return section(result["isolation"], SEEN) + "\n" + section(counted, REACHED)


SECTIONS = (
    ("Start", "start", starts),
    ("Rate", "rate", rates),
    ("Memory", "memory", lambda result: section(result["memory"], MEMORY) + f"\nThe budget is {result['settings']['budgetMiB']:,} MiB: of PSS, or of what fgd promises.\n"),
    ("Starts beside others", "loaded", loaded),
    ("Efficiency", "efficiency", lambda result: section(result["efficiency"], WORK)),
    ("Network", "network", lambda result: section(result["network"], CARRIED)),
    ("Noisy neighbour", "noise", noise),
    ("Images", "images", images),
    ("Isolation", "isolation", isolation),
    ("Targets", "targets", targets),
)


def results(result):
    parts = [machine(result)]
    if result["settings"]["interrupted"]:
        parts.append("The run was interrupted: what follows is not all.\n")
    parts += [f"### {title}\n\n{write(result)}" for title, key, write in SECTIONS if result.get(key)]
    return "\n".join(parts)


def write_document(result):
    before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + results(result) + "\n" + END + rest.split(END)[1], "utf-8")


def layers(probe, megabytes):
    """Files that a compressor makes something of, though not much; at most so much in a layer."""
    yield ociimage.Layer({"probe": ociimage.File(probe, 0o755)}, "gzip")
    for begin in range(0, megabytes, LAYER_MB):
        chunk = [os.urandom(700000) + b"what was written before " * 12500 for _ in range(min(LAYER_MB, megabytes - begin))]
        yield ociimage.Layer({f"data/{begin + i}": data for i, data in enumerate(chunk)}, "gzip")


def measure(command, build, sizes):
    """With a registry of our own, which has an image of each size."""
    missing = [program for program in ("docker-registry", "skopeo") if not shutil.which(program)]
    with tempfile.TemporaryDirectory(prefix="fgrun-report-") as tmp, contextlib.ExitStack() as stack:
        if missing:
            print(f"no images are measured: not installed: {', '.join(missing)}", file=sys.stderr)
        else:
            probe = (build / "bench" / "probe" / "probe").read_bytes()
            server = stack.enter_context(registry.Registry(f"{tmp}/registry"))
            for size in sizes:
                layout = pathlib.Path(tmp) / "layout"
                ociimage.write_layout(layout, {"latest": ociimage.Image(layers=list(layers(probe, size)), cmd=["/probe", "start"])})
                server.push(layout, "latest", f"image-{size}:latest")
                shutil.rmtree(layout)
                command.append(f"--image={server.host}/image-{size}:latest")
        status = subprocess.run(command, check=False).returncode
    if status not in (0, INTERRUPTED):
        sys.exit(status)


def main():
    parser = argparse.ArgumentParser(description="measure, and write docs/benchmark.md")
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("--from", dest="source", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    if args.build is None and args.source is None:
        parser.error("BUILD or --from FILE is needed")
    path = args.source or args.json or args.build / "bench.json"
    command = args.build and [args.build / "cli" / "fgrun", "bench", f"--html={path.with_suffix('.html')}"]
    if command and args.source:
        subprocess.run([*command, f"--from={path}"], check=True, stdout=subprocess.DEVNULL)
    elif command:
        command.append(f"--json={path}")
        measure(command + ["--quick"] * args.quick, args.build, SIZES_QUICK if args.quick else SIZES)
    write_document(json.loads(path.read_text("utf-8")))


if __name__ == "__main__":
    main()
