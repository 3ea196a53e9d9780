"""Draws the plots of the documents from the figures of the load generator.

`draw.py BENCH FOLDER` reads bench.json and writes SVG into the folder. What is not in the file is
left out. The same figures give the same bytes, so that a diff shows which of them have changed.
"""

import json
import sys
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

OWN = "chinwag"
# In the order of the bars. The floor is no server: it sends the same bytes and does nothing else.
SERVERS = [OWN, "axum", "ws", "floor"]

# The colours of the page, and those of its dark scheme. A name stands beside each line and bar, so
# that colour is not needed to tell them apart.
GROUND, INK, SOFT, LINE, ACCENT = "#f5f4ef", "#1d2322", "#545d59", "#d9d6cb", "#0e6a5b"
DARK = {GROUND: "#14191a", INK: "#e8ecea", SOFT: "#9caaa5", LINE: "#323d3f", ACCENT: "#74d3be"}

# 800 pixels of a browser, at 96 an inch: the width that a README shows without scaling.
WIDTH = 800 / 96
STYLE = {
    "axes.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.titlecolor": SOFT,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.ymargin": 0.1,
    "figure.facecolor": GROUND,
    "font.sans-serif": "DejaVu Sans",
    "grid.color": LINE,
    "svg.fonttype": "none",
    "svg.hashsalt": OWN,
    "text.color": INK,
    "xtick.color": SOFT,
    "xtick.labelsize": 8.5,
    "ytick.color": SOFT,
    "ytick.left": False,
}

SATURATED = {"saturated 8": "8 in flight", "saturated 64": "64 in flight"}
PACED = {"quiet": "quiet", "busy": "busy", "fanout": "fanout"}
# The name of a band of bars, its unit, its figure and its scenarios.
BANDS = [
    ("Deliveries in a second: more is better", "M", ("deliveries_per_second", 1e6, SATURATED)),
    ("CPU for a delivery: less is better", "µs", ("cpu_ns_per_delivery", 1e3, PACED)),
    ("Half of the deliveries come within: less is better", "ms", ("latency_p50_ns", 1e6, PACED)),
]


def main(bench, folder):
    measured = json.loads(Path(bench).read_text(encoding="utf-8"))
    rows = measured.get("rows", [])
    # Compares servers that do the same: send lines of text, and store nothing.
    rows = [row for row in rows if row.get("dialect", "plain") == "plain" and not row.get("kept")]
    growth = [row for row in rows if row["scenario"] == "growth"]
    if not growth:
        sys.exit(f"{bench} has no rows of the scenario growth; make bench measures all scenarios.")
    for row in rows:
        for note in row["notes"]:
            print(f"{row['scenario']}, {row['server']}, {row['clients']:,} clients: {note}")
    matplotlib.rcdefaults()  # Ignores the configuration of this machine.
    matplotlib.rcParams.update(STYLE)
    plots = {
        "growth-cost": growth_cost(growth),
        "growth-memory": growth_memory(growth),
        "peers": peers(rows),
    }
    for name, figure in plots.items():
        if any(axes.has_data() for axes in figure.get_axes()):
            figure.supxlabel(measured["cores"], x=0.015, ha="left", size=8, color=SOFT)
            save(figure, Path(folder, f"{name}.svg"))
        else:
            print(f"{bench} has no figures for {name}.svg.")


def growth_cost(growth):
    figure = new_figure("CPU for a delivery, in µs", height=3.6)
    clients, rooms = figure.subplots(1, 2, sharey=True)
    cost = ("cpu_ns_per_delivery", 1e3)
    for server, is_floor in [("floor", True), (OWN, False)]:
        words = server + " {}"
        line(clients, series(growth, "clients", *cost, server=server, rooms=1), words, is_floor)
        line(rooms, series(growth, "rooms", *cost, server=server, clients=1_000), words, is_floor)
    clients.set(ylim=(0, None), xlabel="clients in one room")
    rooms.set(xlabel="rooms, with 1,000 clients in all")
    return figure


def growth_memory(growth):
    figure = new_figure("Resident memory of chinwag", height=3.6)
    total, each = figure.subplots(1, 2)
    total.set_yscale("log")
    room = {"server": OWN, "rooms": 1}
    line(total, series(growth, "clients", "resident_kib", 1024, **room), "{} MiB")
    line(each, series(growth, "clients", "resident_kib_per_client", 1, **room), "{} KiB")
    total.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    total.yaxis.set_major_formatter("{x:,g}")
    each.set(ylim=(0, None))
    for axes, title in (total, "all of it, in MiB"), (each, "for each client, in KiB"):
        axes.set(title=title, xlabel="clients in one room")
    return figure


def series(rows, x, figure, unit, **those):
    rows = [row for row in rows if those.items() <= row.items() and figure in row]
    return sorted({int(row[x]): row[figure] / unit for row in rows}.items())


def line(axes, points, words, is_floor=False):
    """Writes the label at the end of the line, with the last figure."""
    if not points:
        return
    # The floor is below, and so is its label where the two lines meet.
    style, colour, y, va = ("--", SOFT, -2, "top") if is_floor else ("-", ACCENT, 2, "bottom")
    xs, ys = zip(*points)
    axes.plot(xs, ys, style, color=colour, marker="o", markersize=4, clip_on=False)
    look = {"textcoords": "offset points", "va": va, "color": colour, "weight": "bold"}
    axes.annotate(words.format(short(ys[-1])), points[-1], (7, y), **look)
    axes.grid(axis="y", visible=True)
    axes.set_xscale("log")
    axes.set_xticks(xs, [f"{number:,}" for number in xs])
    axes.minorticks_off()


def peers(rows):
    bands = [(*words, list(panels(rows, *wanted))) for *words, wanted in BANDS]
    bands = [band for band in bands if band[-1]]
    figure = new_figure("Beside other servers", height=0.6 + 1.7 * len(bands))
    parts = figure.subfigures(max(1, len(bands)), squeeze=False).flat
    for part, (title, unit_name, found) in zip(parts, bands):
        part.suptitle(title, x=0.015, ha="left", size="medium")
        servers = [server for server in SERVERS if any(server in figures for _, figures in found)]
        row = part.subplots(1, len(found), sharey=True, squeeze=False).flat
        for axes, (heading, figures) in zip(row, found):
            bars(axes, figures, servers, unit_name)
            axes.set_title(heading)
    return figure


def panels(rows, figure, unit, scenarios):
    """Yields headings and the figure of each server, if there are others than chinwag."""
    for scenario, words in scenarios.items():
        found = [row for row in rows if row["scenario"] == scenario and figure in row]
        figures = {row["server"]: row[figure] / unit for row in found if row["server"] in SERVERS}
        if figures.keys() > {OWN}:
            yield f"{words}, {found[0]['clients']:,} clients", figures


def bars(axes, figures, servers, unit_name):
    for place, server in enumerate(servers):
        if server in figures:
            edge = ACCENT if server == OWN else SOFT
            inside = "none" if server == "floor" else edge
            bar = axes.barh(place, figures[server], 0.6, edgecolor=edge, facecolor=inside)
            axes.bar_label(bar, [f"{short(figures[server])} {unit_name}"], padding=4)
    axes.set_yticks(range(len(servers)), servers)
    # The first on top, and space for the label behind the longest bar.
    axes.set(ylim=(len(servers) - 0.5, -0.5), xlim=(0, 1.5 * max(figures.values())), xticks=[])


def short(number):
    """Formats three digits, which is more than two runs have in common."""
    return f"{number:,.0f}" if number >= 99.95 else f"{number:#.3g}"


def new_figure(title, height):
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.08)
    figure.suptitle(title, x=0.015, ha="left", size=12, weight="bold")
    return figure


def save(figure, path):
    figure.savefig(path, metadata={"Date": None})
    svg = path.read_text(encoding="utf-8")
    path.write_text(svg.replace("</style>", dark_rules() + "</style>", 1), encoding="utf-8")
    print(path)


def dark_rules():
    """Returns rules that override the colours of elements without classes."""
    rules = [
        f'[style*="{part}: {light}"] {{ {part}: {dark} !important }}\n'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    ]
    return f"\n@media (prefers-color-scheme: dark) {{\n{''.join(rules)}}}\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
