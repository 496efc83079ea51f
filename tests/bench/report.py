"""What a benchmark says in the end: a table for each link, and a TSV of every single run, which can be read again.

The bytes of a run are those on the wire, both ways, and its requests are SFTP's: of mount, work and unmount together.
"""

import os
import re
import statistics

COLUMNS = ["round_trip_ms", "rate_mbit", "work", "program", "version", "round", "result", "seconds", "server_seconds",
           "value", "unit", "bytes_out", "bytes_in", "requests", "machine"]
NUMBERS = ["round_trip_ms", "rate_mbit", "seconds", "server_seconds", "value"]
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

    def read_tsv(self, path):
        """Adds what an earlier run has written, if there was one."""
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as file:
            names = file.readline().rstrip("\n").split("\t")
            for line in file:
                row = dict(zip(names, line.rstrip("\n").split("\t")))
                row.update({name: float(row[name]) for name in NUMBERS if row.get(name)})
                self.add(**row)

    def forget(self, link, works, programs):
        """What is about to be measured anew."""
        again = [(*link, work.name, program) for work in works for program in programs]
        self.rows = [row for row in self.rows
                     if (row["round_trip_ms"], row["rate_mbit"], row["work"], row["program"]) not in again]

    def seen(self, column):
        """All values of it, in the order in which they came."""
        return list(dict.fromkeys(row[column] for row in self.rows))

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
            times = base / seconds
            text += f" {times:.0f}x" if times >= 100 else f" {times:.2g}x"
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
