"""Results as Markdown, JSON and plots."""
import json
import os
import platform
import shutil
import subprocess

COLOURS = ("#0b6e4f", "#c8553d", "#3d5a80", "#8a5082", "#b8860b", "#666666")


def cell(value):
    if isinstance(value, dict) and "runs" in value:
        if "median" not in value:
            return "never"
        text = f"{number(value['median'])} / {number(value['p95'])}"
        return text if not value["never"] else f"{text} ({value['never']} of {value['runs']} never)"
    return number(value)


def number(value):
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
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
    return f"{len(models)} × {models[0] if models else platform.processor()}, Linux {platform.release()}"


def markdown(results, titles, quick):
    parts = [f"# Measured on {machine()}", "", "Medians / 95th percentiles." + (" A quick run: few runs a figure." if quick else ""), ""]
    for name, result in results.items():
        parts += [f"## {titles[name]}", ""]
        if "error" in result:
            parts += [f"Not measured: {result['error']}", ""]
        else:
            parts += [f"In {result['unit']}." if result["unit"] else "", "", table(result), ""]
    return "\n".join(parts) + "\n"


def plot_life(folder, result, column, title):
    """Each peer's runs as a cumulative curve."""
    names = [name for name, columns in result["raw"].items() if any(value is not None for value in columns.get(column, []))]
    if not names or shutil.which("gnuplot") is None:
        return
    slug = column.replace(" ", "-")
    curves = []
    for i, name in enumerate(names):
        path = f"{folder}/{slug}-{name}.dat"
        values = sorted(value for value in result["raw"][name][column] if value is not None)
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{value} {(n + 1) / len(result['raw'][name][column])}\n" for n, value in enumerate(values))
        curves.append(f"'{path}' using 1:2 with steps linewidth 2 linecolor rgb '{COLOURS[i % len(COLOURS)]}' title '{name}'")
    script = (f"set terminal pngcairo size 900,520\nset output '{folder}/{slug}.png'\nset title '{title}'\nset xlabel 'ms'\n"
              "set ylabel 'share of runs'\nset yrange [0:1.05]\nset key bottom right\nset grid\n"
              f"plot {', '.join(curves)}\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    for name in names:
        os.unlink(f"{folder}/{slug}-{name}.dat")


def write(folder, results, titles, quick):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/results.json", "w", encoding="utf-8") as file:
        json.dump({"machine": machine(), "quick": quick, "results": results}, file, indent=1)
        file.write("\n")
    with open(f"{folder}/results.md", "w", encoding="utf-8") as file:
        file.write(markdown(results, titles, quick))
    if "life" in results and "raw" in results["life"]:
        plot_life(folder, results["life"], "started", "container started to its name resolving")
        plot_life(folder, results["life"], "kill -9", "kill -9, from FinishedAt to the name being gone")
    if "burst" in results and "raw" in results["burst"]:
        plot_life(folder, results["burst"], "lag", "50 containers, 8 at a time: lag behind each start")
