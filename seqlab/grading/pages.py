"""What every page of the grader is made of: a whole page, escaped text, a table.

A page is one HTML file without script and without anything from elsewhere: it opens from a mail, a drive, a disk.
"""

import html
import re

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #4f5965; --line: #d3d9e0; --paper: #ffffff; --box: #f4f6f8;
  --good: #0b6b3a; --bad: #a3260f; --bar: #2a6f97; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a9b4c0; --line: #3b444e; --paper: #15181c;
  --box: #1f242a; --good: #6fd39c; --bad: #ff9d85; --bar: #6cb6dc; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body.wide { max-width: 70rem; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; display: flex; flex-wrap: wrap; gap: .25rem 1rem;
  justify-content: space-between; }
h2 span, .score { font-variant-numeric: tabular-nums; }
.score { font-size: 1.9rem; line-height: 1.2; font-weight: 650; margin: .5rem 0 0; }
.soft { color: var(--soft); margin: 0; }
ul { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line); }
li { border-bottom: 1px solid var(--line); padding: .55rem 0; overflow-wrap: anywhere; }
ul.plain { list-style: disc; border: 0; padding-left: 1.25rem; } ul.plain li { border: 0; padding: .15rem 0; }
.line { display: grid; grid-template-columns: 1.4rem 1fr auto; gap: .5rem; align-items: baseline; }
.passed { color: var(--good); } .lost { color: var(--bad); } .sign { font-weight: 700; }
.hint { margin: .25rem 0 0 1.9rem; color: var(--soft); }
details { margin: .6rem 0 0; } summary { cursor: pointer; padding: .25rem 0; }
pre { background: var(--box); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem; margin: .3rem 0;
  overflow-x: auto; font: .85rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.note { background: var(--box); border-left: .25rem solid var(--bar); padding: .6rem .9rem; margin: 1rem 0; }
.note p { margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; } caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
a { color: inherit; } :focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
.bars { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.25rem; margin: .75rem 0; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
.nav { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1rem 0 0; padding: 0; border: 0; }
.nav li { border: 0; padding: .2rem 0; }
.histogram { display: grid; grid-template-columns: repeat(10, 1fr); align-items: end; height: 13rem; gap: 2px;
  margin: 1.2rem 0 0; border-bottom: 1px solid var(--soft); }
.histogram div { text-align: center; font-size: .8rem; font-variant-numeric: tabular-nums; }
.histogram i { display: block; background: var(--bar); }
.axis { display: flex; justify-content: space-between; font-size: .8rem; color: var(--soft); }
.box { position: relative; height: 1.1rem; margin: .35rem 0 0; }
.box i { position: absolute; top: .5rem; height: 2px; background: var(--soft); }
.box b { position: absolute; top: .1rem; height: .9rem; background: var(--line); border: 1px solid var(--soft); }
.box u { position: absolute; top: 0; height: 1.1rem; width: 4px; margin-left: -2px; background: var(--ink); }
.part { display: inline-block; width: 4rem; height: .6rem; background: var(--line); margin-right: .5rem; }
.part i { display: block; height: 100%; background: var(--bar); } td.number .part + span { min-width: 2.6rem; }
td.number { white-space: nowrap; } td.number span { display: inline-block; }
th small { font-weight: 400; color: var(--soft); display: block; }
.whole { height: .5rem; background: var(--line); margin: .4rem 0 0; border-radius: .25rem; overflow: hidden; }
.whole i { display: block; height: 100%; background: var(--good); }
.written { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--box); border: 1px solid var(--line);
  border-radius: .4rem; padding: .75rem; margin: .3rem 0; }
.class th { font-weight: 500; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.names { columns: 14rem; list-style: none; padding: 0; border: 0; } .names li { border: 0; padding: .1rem 0; }
@media print { body { max-width: none; padding: 0; } details > * { display: block; } }
"""


def shown(text):
    """A stranger's text as HTML: escaped, without terminal codes, with invisible and turning letters made visible."""
    text = ANSI.sub("", str(text)).replace("\r\n", "\n").replace("\r", "\n")
    letters = []
    for letter in text:
        number = ord(letter)
        hidden = (number < 32 and letter not in "\n\t") or 127 <= number < 160 or 0xD800 <= number < 0xE000
        turning = number in (0x200E, 0x200F, 0xFEFF, 0x2028, 0x2029) or 0x202A <= number <= 0x202E
        turning = turning or 0x2066 <= number <= 0x2069 or 0x200B <= number <= 0x200D
        letters.append(f"\\u{number:04x}" if hidden or turning else letter)
    return html.escape("".join(letters), quote=True)


def prose(text):
    """A sentence of the author's as HTML: what stands between `backticks` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", shown(text))


def page(title, body, wide=False, style=""):
    """A whole page: escaped title, body as HTML, `style` after the style of all pages."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{shown(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body{' class=wide' if wide else ''}>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def points(number):
    """So many points, in words."""
    return f"{number:g} point{'' if number == 1 else 's'}"


def table(title, caption, words, numbers, head, rows, *, level=2, kind=""):
    """A table that scrolls sideways on a phone, under a heading of its own.

    Parameters
    ----------
    words, numbers : titles of the first columns, of text and of numbers; `head` holds the cells after those, as HTML.
    rows : HTML, a row each.
    level : of the heading; 0 where there is none.
    """
    named = [f'<th scope="col">{word}</th>' for word in words]
    named += [f'<th scope="col" class="number">{number}</th>' for number in numbers]
    heading = f"<h{level}>{title}</h{level}>" if level else ""
    return (
        f'{heading}<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table'
        f"{f' class={kind}' if kind else ''}><caption>{caption}</caption><thead><tr>{''.join(named)}{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
