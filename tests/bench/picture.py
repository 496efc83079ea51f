"""A benchmark as a picture (SVG, drawn here: nothing else is needed): how many times as fast as sshfs, for each workload.

It stands in a README: its colours, with the background, follow the reader's light or dark scheme.
"""

import html
import math

from report import BASE

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 240, 262, 74, 44
BAR, BETWEEN, GAP = 13, 2, 11

STYLE = """
text { font: 13px -apple-system, "Segoe UI", "Liberation Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.times { font-weight: 600 }
.quiet { fill: #59636e; font-size: 12px }
.page { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.even { stroke: #59636e }
.c0 { fill: #0969da } .c1 { fill: #54aeff } .c2 { fill: #8250df } .c3 { fill: #bf8700 } .c4 { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .quiet { fill: #9198a1 }
  .page { fill: #0d1117 }
  .grid { stroke: #3d444d }
  .even { stroke: #9198a1 }
  .c0 { fill: #1f6feb } .c1 { fill: #79c0ff } .c2 { fill: #ab7df8 } .c3 { fill: #d29922 } .c4 { fill: #3fb950 }
}"""


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def figure(work, seconds, large):
    """As the table says it."""
    value = work.value(seconds, large)
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def rows(results, link, works, programs):
    """(work, seconds of sshfs, [(program, seconds), ...]) of what can be compared."""
    for work in works:
        base = results.median(link, work, BASE)
        seconds = [(program, results.median(link, work, program)) for program in programs]
        seconds = [(program, value) for program, value in seconds if value]
        if base and seconds:
            yield work, base, seconds


class Scale:
    """Logarithmic: a step to the right is a factor."""

    def __init__(self, factors):
        self.low = min(0, math.log10(min(factors)))
        self.high = max(1, math.log10(max(factors)))

    def x(self, factor):
        return LEFT + (math.log10(factor) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def marks(self):
        powers = range(math.ceil(self.low), math.floor(self.high) + 1)
        return [step * 10.0**power for power in powers for step in (1, 3) if math.log10(step) + power <= self.high]


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{html.escape(words)}</text>'


def legend(programs):
    parts, x = [], LEFT
    for place, program in enumerate(programs):
        parts += [f'<rect x="{x}" y="36" width="12" height="12" rx="2" class="c{place % 5}"/>', text(x + 18, 47, program)]
        x += 44 + 8 * len(program)
    return parts


def grid(scale, height):
    parts = []
    for factor in scale.marks():
        x = scale.x(factor)
        kind = "even" if factor == 1 else "grid"
        parts += [f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - BOTTOM + 4}" class="{kind}"/>',
                  text(x, TOP - 11, f"{factor:g}x", "quiet", "middle")]
    return parts


def bars(results, scale, works, programs):
    """What stands between grid and caption, and its lower end."""
    parts, y = [], TOP
    for work, base, seconds in works:
        height = len(seconds) * (BAR + BETWEEN)
        parts.append(text(LEFT - 12, y + height / 2 + 3, work.title, "", "end"))
        for program, value in seconds:
            start, end = sorted([scale.x(1), scale.x(base / value)])
            here, there = figure(work, value, results.large), figure(work, base, results.large)
            kind = f"c{programs.index(program) % 5}"
            parts += [f'<rect x="{start:.1f}" y="{y}" width="{max(end - start, 1.5):.1f}" height="{BAR}" rx="2" '
                      f'class="{kind}"/>',
                      f'<text x="{end + 6:.1f}" y="{y + BAR - 2}"><tspan class="times">{number(base / value)}x</tspan>'
                      f'<tspan class="quiet" dx="8">{here} {work.unit()}, sshfs {there}</tspan></text>']
            y += BAR + BETWEEN
        y += GAP
    return parts, y


def draw(results, link, works, programs, caption):
    """The picture's text, or None if there is nothing to compare. CAPTION: how it was measured."""
    programs = [program for program in programs if program != BASE]
    compared = list(rows(results, link, works, programs))
    if not compared:
        return None
    drawn = [program for program in programs if any(program in dict(seconds) for _, _, seconds in compared)]
    scale = Scale([base / value for _, base, seconds in compared for _, value in seconds])
    body, end = bars(results, scale, compared, drawn)
    height = end + BOTTOM - GAP
    title = f"Times as fast as sshfs: round trip {link[0]:g} ms, {link[1]:g} Mbit/s (logarithmic)"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
             f'height="{height}" role="img">', f"<title>{html.escape(title)}</title>", f"<style>{STYLE}</style>",
             '<rect class="page" width="100%" height="100%" rx="6"/>',
             text(12, 22, title, "title")]
    parts += legend(drawn) + grid(scale, height) + body + [text(12, height - 12, caption, "quiet"), "</svg>"]
    return "\n".join(parts) + "\n"
