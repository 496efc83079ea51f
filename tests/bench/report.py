"""What a benchmark says in the end: a table for each link, a TSV of every single run, and a picture (SVG).

The bytes of a run are those on the wire, both ways, and its requests are SFTP's: of mount, work and unmount together.
"""

import html
import math
import re
import statistics

COLUMNS = ["round_trip_ms", "rate_mbit", "work", "program", "version", "round", "result", "seconds", "server_seconds",
           "value", "unit", "bytes_out", "bytes_in", "requests"]
BASE = "sshfs"
LATER = 1.1  # the server had it later than this times the program's end: the table says so


class Results:
    """Rows are dictionaries of COLUMNS; `result` is "ok" or what went wrong."""

    def __init__(self, large):
        self.large, self.rows = large, []

    def add(self, **row):
        self.rows.append({column: row.get(column, "") for column in COLUMNS})

    def write_tsv(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for row in [dict(zip(COLUMNS, COLUMNS))] + self.rows:
                file.write("\t".join(re.sub(r"\s", " ", str(row[column])) for column in COLUMNS) + "\n")

    def of(self, link, work, program):
        return [row for row in self.rows
                if (row["round_trip_ms"], row["rate_mbit"], row["work"], row["program"]) == (*link, work.name, program)]

    def median(self, link, work, program, column="seconds"):
        seconds = [row[column] for row in self.of(link, work, program) if row["result"] == "ok"]
        return statistics.median(seconds) if seconds else None

    def cell(self, link, work, program, payload_rate):
        rows = self.of(link, work, program)
        seconds = self.median(link, work, program)
        if seconds is None:
            return rows[0]["result"].split(":")[0][:12] if rows else "-"
        value = work.value(seconds, self.large)
        text = f"{value:.3g}" if value < 100 else f"{value:.0f}"
        if work.size and work.name != "reread":
            text += f" ({value * 1e6 / payload_rate:.0%})"
        later = self.median(link, work, program, "server_seconds")
        if later > seconds * LATER:
            text += f" [{work.value(later, self.large):.3g}]"
        base = self.median(link, work, BASE)
        if base and program != BASE and program.startswith("clusterfs"):
            text += f" {base / seconds:.2g}x"
        if any(row["result"] != "ok" for row in rows):
            text += " !"
        return text

    def table(self, link, works, programs, payload_rate):
        """As text that is Markdown, too."""
        lines = [f"round trip {link[0]:g} ms, {link[1]:g} Mbit/s (TCP can carry {payload_rate / 1e6:.1f} MB/s)", ""]
        grid = [["work", ""] + programs]
        for work in works:
            cells = [self.cell(link, work, program, payload_rate) for program in programs]
            grid.append([work.title, work.unit()] + cells)
        widths = [max(len(row[column]) for row in grid) for column in range(len(grid[0]))]
        grid.insert(1, ["-" * width for width in widths])
        lines += ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in grid]
        return "\n".join(lines) + "\n"


# --- the picture: how many times faster than the base, on a logarithmic scale ---

COLOURS = ["#2b6cb0", "#63b3ed", "#38a169", "#a0aec0", "#d69e2e"]
LEFT, WIDTH, BAR, GAP, TOP = 260, 620, 12, 10, 70


def bars(results, link, works, programs):
    """(work, [(program, factor), ...]) of what can be compared."""
    for work in works:
        base = results.median(link, work, BASE)
        factors = [(program, results.median(link, work, program)) for program in programs]
        factors = [(program, base / seconds) for program, seconds in factors if base and seconds]
        if factors:
            yield work, factors


def picture(results, link, works, programs, title):
    programs = [program for program in programs if program != BASE]
    drawn = list(bars(results, link, works, programs))
    if not drawn:
        return None
    everything = [factor for _, factors in drawn for _, factor in factors]
    low = math.floor(min(0, math.log10(min(everything))))
    high = math.ceil(max(1, math.log10(max(everything))))

    def x(factor):
        return LEFT + (math.log10(factor) - low) / (high - low) * WIDTH

    height = TOP + sum(len(factors) * BAR + GAP for _, factors in drawn) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">{html.escape(title)}</text>']
    for number, program in enumerate(programs):
        place = LEFT + number * 150
        parts.append(f'<rect x="{place}" y="30" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>'
                     f'<text x="{place + 18}" y="40">{html.escape(program)}</text>')
    for power in range(low, high + 1):
        place = x(10.0**power)
        parts.append(f'<line x1="{place}" y1="{TOP - 8}" x2="{place}" y2="{height - 16}" '
                     f'stroke="{"black" if power == 0 else "#ddd"}"/><text x="{place}" y="{TOP - 12}" '
                     f'text-anchor="middle">{10.0**power:g}x</text>')
    y = TOP
    for work, factors in drawn:
        middle = y + len(factors) * BAR / 2 + 4
        parts.append(f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{html.escape(work.title)}</text>')
        for program, factor in factors:
            start, end = sorted([x(1), x(factor)])
            colour = COLOURS[programs.index(program) % len(COLOURS)]
            parts.append(f'<rect x="{start:.1f}" y="{y}" width="{max(end - start, 1):.1f}" '
                         f'height="{BAR - 2}" fill="{colour}"/>'
                         f'<text x="{end + 4:.1f}" y="{y + BAR - 3}" font-size="10">{factor:.2g}x</text>')
            y += BAR
        y += GAP
    return "\n".join(parts + ["</svg>"]) + "\n"
