"""Results as Markdown, JSON and plots."""
import json
import os
import platform
import subprocess

from . import goals, plots

PACKAGES = ("rabbitmq-server", "dnsmasq-base", "docker.io", "librabbitmq4", "rawdns", "libnss-docker", "avahi-daemon", "dnsperf")
MET = {True: "yes", False: "**no**", None: "not measured"}


def cell(value):
    if isinstance(value, dict) and "runs" in value:
        if value["runs"] == 0:
            return "–"
        if "median" not in value:
            return f"never ({value['runs']} runs)"
        text = f"{number(value['median'])} / {number(value['p95'])}"
        return text if not value["never"] else f"{text} ({value['never']} of {value['runs']} never)"
    return number(value)


def number(value):
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)
    if value != 0 and abs(value) < 0.1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}".rstrip("0").rstrip(".")


def table(result):
    columns = list(dict.fromkeys(column for row in result["rows"].values() for column in row))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in result["rows"].items():
        lines.append(f"| {name} | " + " | ".join(cell(row[column]) if column in row else "" for column in columns) + " |")
    return "\n".join(lines)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kb = int(file.readline().split()[1])
    versions = {}
    for package in PACKAGES:
        there = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", package], check=False, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        versions[package] = there.stdout if there.returncode == 0 else "not installed"
    return {"cores": os.cpu_count(), "model": models[0] if models else platform.processor(), "memory_mb": memory_kb // 1024,
            "kernel": platform.release(), "versions": versions}


def head(report):
    there = report["machine"]
    text = [f"# Measured: {there['cores']} × {there['model']}, {there['memory_mb']:,} MB, Linux {there['kernel']}", "",
            ", ".join(f"{package} {version}" for package, version in there["versions"].items()) + ".", "",
            f"Begun {report['begun']}, {report['seconds'] / 60:.0f} minutes; load average at the start {report['load_start']}, "
            f"now {report['load_end']} (the benchmark itself makes some).", "",
            "Two figures in a cell are the median and the 95th percentile."]
    if report["quick"]:
        text += ["", "**A quick run: few runs a figure and small numbers, only to see that it works.**"]
    elif report["turns"] != 30:
        text += ["", f"{report['turns']} containers of each peer in *life* instead of 30."]
    return [*text, ""]


def checked(results):
    lines = ["## Against the goals", "", "| what | goal | measured | met |", "|---|---|---|---|"]
    for goal in goals.check(results):
        lines.append(f"| {goal['what']} | {goal['goal']} | {number(goal['value'])} | {MET[goal['met']]} |")
    return [*lines, ""]


def markdown(report, titles):
    parts = head(report) + checked(report["results"])
    for name, result in report["results"].items():
        parts += [f"## {titles[name]}", ""]
        if "error" in result:
            parts += [f"**Failed: {result['error']}**", ""]
            continue
        if result["unit"]:
            parts += [f"In {result['unit']}.", ""]
        parts += [table(result), ""]
        parts += [line for note in result.get("notes", []) for line in (note, "")]
        parts += [f"Load average before {result['load'][0]}, after {result['load'][1]}; {result['took']} s.", ""]
    return "\n".join(parts)


def write(folder, report, titles):
    """All anew, after each experiment: what comes later may fail."""
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/results.json", "w", encoding="utf-8") as file:
        json.dump({**report, "goals": goals.check(report["results"])}, file, indent=1)
        file.write("\n")
    with open(f"{folder}/results.md", "w", encoding="utf-8") as file:
        file.write(markdown(report, titles))
    plots.every(folder, report["results"])
