"""Folded call chains as a flame graph: SVG without scripts. A box is as wide as its share of all samples and stands on
whoever called it; hovering tells name and share."""
import zlib
from html import escape

from folding import KERNEL

WIDTH, ROW, MARGIN, TITLE = 1400, 17, 10, 34
NARROWEST = 0.4          # px: what is less is left out, with all above it
CHARACTER = 6.6          # px of one letter of the font at its size


class Box:
    def __init__(self, name):
        self.name = name
        self.weight = 0
        self.inner = {}


def tree(chains):
    root = Box("all")
    for chain, weight in chains.items():
        root.weight += weight
        box = root
        for name in chain:
            box = box.inner.setdefault(name, Box(name))
            box.weight += weight
    return root


def depth(box, scale):
    shown = [inner for inner in box.inner.values() if inner.weight * scale >= NARROWEST]
    return 1 + max((depth(inner, scale) for inner in shown), default=0)


def colour(name):
    """The same for a name in every graph: warm for the program, cool for the kernel."""
    number = zlib.crc32(name.encode())
    if name.endswith(KERNEL):
        return f"hsl({195 + number % 40},{45 + number // 64 % 20}%,{68 + number // 4096 % 10}%)"
    return f"hsl({15 + number % 40},{75 + number // 64 % 20}%,{60 + number // 4096 % 12}%)"


def draw_box(box, x, bottom, scale, whole, out):
    width = box.weight * scale
    share = f"{100 * box.weight / whole:.2f} %"
    out.append(f'<g><title>{escape(box.name)}: {share}</title>'
               f'<rect x="{x:.2f}" y="{bottom - ROW:.0f}" width="{width:.2f}" height="{ROW - 1}" rx="1" '
               f'fill="{colour(box.name)}"/>')
    letters = int((width - 4) / CHARACTER)
    if letters >= 3:
        label = box.name if len(box.name) <= letters else box.name[:letters - 1] + "…"
        out.append(f'<text x="{x + 3:.2f}" y="{bottom - 5:.0f}">{escape(label)}</text>')
    out.append("</g>\n")
    for _, inner in sorted(box.inner.items()):
        if inner.weight * scale >= NARROWEST:
            draw_box(inner, x, bottom - ROW, scale, whole, out)
            x += inner.weight * scale


def svg(chains, title):
    root = tree(chains)
    scale = (WIDTH - 2 * MARGIN) / max(root.weight, 1)
    height = TITLE + depth(root, scale) * ROW + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           f'font-family="monospace" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
           f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}</text>\n']
    draw_box(root, MARGIN, height - MARGIN, scale, max(root.weight, 1), out)
    out.append("</svg>\n")
    return "".join(out)
