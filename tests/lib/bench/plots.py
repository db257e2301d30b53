"""Plots, by gnuplot: none where that is not installed."""
import os
import shutil
import subprocess

COLOURS = ("#0b6e4f", "#c8553d", "#3d5a80", "#8a5082", "#b8860b", "#666666")
HEAD = "set terminal pngcairo size 900,520 font 'Sans,11'\nset grid\nset key outside right top\n"


def draw(folder, slug, settings, curves):
    """curves: [(title, [(x, y)], style)]. Their data goes to gnuplot inline."""
    if not curves or shutil.which("gnuplot") is None:
        return
    blocks, parts = [], []
    for i, (title, points, style) in enumerate(curves):
        blocks.append(f"$d{i} << EOD\n" + "".join(f"{x} {y}\n" for x, y in points) + "EOD\n")
        quoted = title.replace("'", "''")
        parts.append(f"$d{i} using 1:2 {style} linecolor rgb '{COLOURS[i % len(COLOURS)]}' title '{quoted}'")
    path = os.path.join(folder, f"{slug}.png")
    script = "".join(blocks) + HEAD + f"set output '{path}'\n" + settings + f"plot {', '.join(parts)}\n"
    if subprocess.run(["gnuplot"], input=script, text=True, check=False).returncode != 0:
        print(f"{path} could not be drawn", flush=True) # the figures are there all the same


def shares(folder, slug, title, unit, raw, column, lowest=None):
    """Each row's runs as a cumulative curve: what never came keeps it from reaching the top."""
    curves = []
    for name, columns in raw.items():
        values = columns.get(column, [])
        there = sorted(value for value in values if value is not None)
        if there:
            curves.append((name, [(value, (i + 1) / len(values)) for i, value in enumerate(there)], "with steps linewidth 2"))
    settings = f"set title '{title}'\nset xlabel '{unit}'\nset ylabel 'share of runs'\nset yrange [0:1.05]\n"
    if lowest is not None:
        settings += f"set logscale x\nset xrange [{lowest}:*]\n"
    draw(folder, slug, settings, curves)


def change(folder, rows):
    """Over the number of names, both logarithmic: a straight line is a power."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    curves = []
    for column in columns:
        points = [(int(name.split()[0]), row[column]["median"]) for name, row in rows.items() if "median" in row[column]]
        if points:
            curves.append((column, points, "with linespoints linewidth 2 pointtype 7"))
    draw(folder, "change", "set title 'One change among many names, medians'\nset xlabel 'names'\nset ylabel 'ms'\nset logscale xy\n", curves)


def memory(folder, rows):
    points = [(int(name.split()[0]), row["resident kB"] / 1000) for name, row in rows.items()]
    draw(folder, "memory", "set title 'callsignd: resident memory'\nset xlabel 'names'\nset ylabel 'MB'\nset logscale xy\n",
         [("callsignd", points, "with linespoints linewidth 2 pointtype 7")])


def every(folder, results):
    """What can be drawn of these."""
    def there(name):
        return name in results and "error" not in results[name]
    if there("life"):
        raw = results["life"]["raw"]
        shares(folder, "started", "container started (State.StartedAt) to its name resolving", "ms", raw, "started")
        for how in ("kill -9", "docker kill", "docker stop"):
            shares(folder, how.replace(" ", "-"), f"{how}: from State.FinishedAt to the name being gone", "ms", raw, how)
    if there("burst"):
        shares(folder, "burst", "50 containers, 8 at a time: lag behind each start (logarithmic)", "ms", results["burst"]["raw"], "lag", 1)
    if there("delivery"):
        raw = {name: {"time": values} for name, values in results["delivery"]["raw"].items()}
        shares(folder, "delivery", "from the start of a program to its first message delivered", "ms", raw, "time")
    if there("change"):
        change(folder, results["change"]["rows"])
    if there("memory"):
        memory(folder, results["memory"]["rows"])
