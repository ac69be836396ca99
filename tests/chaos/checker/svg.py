"""Plots as plain SVG text."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 34, 40
COLOURS = ["#1f5fa8", "#c2571a", "#3a7d44", "#7a3b8f"]
STEPS = 300  # points of a line


def _x(share):
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share):
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _text(x, y, text, anchor="middle"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


class Plot:
    """Lines over the time of a run, with its faults shaded. Seconds across; up is logarithmic or
    begins at 0."""

    def __init__(self, title, unit, duration_s, logarithmic=False):
        self.title, self.unit, self.logarithmic = title, unit, logarithmic
        self.duration_s = max(duration_s, 1e-9)
        self.shades, self.lines = [], []

    def shade(self, since_s, until_s, name):
        self.shades.append((since_s, until_s, name))

    def line(self, name, points):
        """points: (second, value or None), in order of time; None breaks the line."""
        self.lines.append((name, points))

    def _scale(self):
        values = [value for _, points in self.lines for _, value in points if value is not None]
        if not self.logarithmic:
            return 0.0, max(values, default=1) or 1.0
        positive = [value for value in values if value > 0] or [1]
        low = math.floor(math.log10(min(positive)))
        return float(low), float(max(math.ceil(math.log10(max(positive))), low + 1))

    def _up(self, value, low, high):
        if self.logarithmic:
            value = math.log10(max(value, 10**low))
        return _y((value - low) / (high - low))

    def _axes(self, low, high):
        parts = []
        if self.logarithmic:
            marks = [10**power for power in range(int(low), int(high) + 1)]
        else:
            marks = [high * part / 4 for part in range(5)]
        for mark in marks:
            y = self._up(mark, low, high)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            parts.append(_text(LEFT - 6, y + 4, f"{mark:g}", "end"))
        for part in range(7):
            second = self.duration_s * part / 6
            parts.append(_text(_x(part / 6), HEIGHT - BOTTOM + 16, f"{second:.4g}"))
        parts.append(_text(_x(0.5), HEIGHT - 8, "seconds since the start"))
        parts.append(_text(LEFT - 6, TOP - 10, self.unit, "end"))
        return parts

    def _shades(self):
        for since, until, name in self.shades:
            x, width = _x(since / self.duration_s), (until - since) / self.duration_s
            yield (
                f'<rect x="{x:.1f}" y="{TOP}" width="{max(width * (_x(1) - _x(0)), 1):.1f}" '
                f'height="{HEIGHT - TOP - BOTTOM}" fill="#f3c9c0" fill-opacity="0.6">'
                f"<title>{escape(name)}</title></rect>"
            )

    def _curve(self, points, colour, low, high):
        path, pen_down = [], False
        for second, value in points:
            if value is None:
                pen_down = False
                continue
            x, y = _x(second / self.duration_s), self._up(value, low, high)
            path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
            pen_down = True
        return (
            f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5" '
            'stroke-linecap="round"/>'
        )

    def render(self):
        low, high = self._scale()
        parts = [
            '<svg xmlns="http:'
            '//www.w3.org/2000/svg" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *self._shades(),
            *self._axes(low, high),
            _text(_x(0.5), 16, self.title),
        ]
        for number, (name, points) in enumerate(self.lines):
            colour = COLOURS[number % len(COLOURS)]
            parts.append(self._curve(points, colour, low, high))
            x = WIDTH - RIGHT - 90 * (len(self.lines) - number)
            parts.append(f'<rect x="{x}" y="{TOP - 12}" width="10" height="3" fill="{colour}"/>')
            parts.append(_text(x + 14, TOP - 7, name, "start"))
        return "\n".join([*parts, "</svg>", ""])


def by_step(pairs, duration_s, reduce):
    """Points of a line: (second, reduce(values of that step) or None when there is none)."""
    steps = [[] for _ in range(STEPS)]
    for second, value in pairs:
        steps[min(int(second / duration_s * STEPS), STEPS - 1)].append(value)
    return [
        ((number + 0.5) * duration_s / STEPS, reduce(values) if values else None)
        for number, values in enumerate(steps)
    ]
