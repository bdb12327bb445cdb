"""The look of a page: one style sheet in the page itself, light and dark."""

from __future__ import annotations

__all__ = ["STYLE"]

_DARK = """
  --page: #14161a; --card: #1c1f25; --ink: #e8eaed; --quiet: #a2a8b3; --line: #343943;
  --grid: #2b3038; --code: #12141a; --accent: #86b6ff;
  --c0: #5b9dff; --c1: #f08a4b; --c2: #3fc495; --c3: #d58be8; --c4: #e0bf45; --c5: #ee7a8e;
  --good: #54c98a; --bad: #ff8a80; --warn: #e3b341; --mark: #2a2617;
"""

STYLE = (
    """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1c1f24; --quiet: #5d6572; --line: #dfe3e8;
  --grid: #e9ecf0; --code: #f3f5f7; --accent: #1859b8;
  --c0: #1f6fd6; --c1: #cc5a12; --c2: #0b8a5e; --c3: #8d3fb0; --c4: #8a6d00; --c5: #c02f4b;
  --good: #0d7a46; --bad: #b3261e; --warn: #8a5a00; --mark: #fff6dd;
}
@media (prefers-color-scheme: dark) { :root {"""
    + _DARK
    + """} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .9rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0 .8rem; }
section, header.top {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.25rem 1.4rem; margin: 0 0 1.1rem;
}
.quiet, figcaption, .missing, footer { color: var(--quiet); }
.quiet, .missing, footer { font-size: .9rem; }
.missing { border-left: 3px solid var(--line); padding-left: .75rem; }
code, pre, .mono, .said { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
code, .mono { font-size: .88em; overflow-wrap: anywhere; }
.status {
  display: inline-block; border: 1px solid currentColor; border-radius: 99px;
  padding: .02rem .65rem; font-size: .82rem; font-weight: 600; vertical-align: .2em;
}
.status.succeeded { color: var(--good); } .status.failed, .status.cancelled { color: var(--bad); }
.status.paused { color: var(--warn); }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.6rem, 1fr)); gap: .6rem 1.2rem;
  margin: 1.1rem 0 0;
}
.tiles dt { color: var(--quiet); font-size: .82rem; }
.tiles dd { margin: 0; font-size: 1.2rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dd small { display: block; font-size: .8rem; font-weight: 400; color: var(--quiet); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .34rem .9rem .34rem 0; }
th { font-weight: 600; }
table.pairs td:first-child { width: 34%; }
thead th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.time { white-space: nowrap; }
td.wide { overflow-wrap: anywhere; min-width: 12rem; }
.scroll { overflow-x: auto; }
pre {
  background: var(--code); border: 1px solid var(--line); border-radius: 8px; margin: .4rem 0 1rem;
  padding: .8rem 1rem; overflow-x: auto; font-size: .84rem; line-height: 1.5;
}
details { margin: .6rem 0 0; } summary { cursor: pointer; color: var(--accent); }
figure { margin: 0 0 1.4rem; } figure:last-child { margin-bottom: 0; }
figure h3 { margin-top: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1.4rem; }
.pair figure { margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; font-size: .87rem; margin: 0 0 .3rem;
  padding: 0; list-style: none; }
.legend i { display: inline-block; width: 1.5rem; border-top: 2.5px solid; vertical-align: .25em;
  margin-right: .4rem; }
.legend .c1 i { border-top-style: dashed; } .legend .c3 i { border-top-style: dotted; }
figcaption { font-size: .87rem; }
svg.chart { display: block; width: 100%; height: auto; }
svg text { font: 12.5px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--quiet); }
svg text.mark { font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--quiet); }
svg .curve path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
svg .dense path { stroke-width: 1.2; opacity: .7; }
svg .curve circle { fill: currentColor; }
svg .c1 path { stroke-dasharray: 7 4; } svg .c3 path { stroke-dasharray: 2 4; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
.legend span { color: var(--ink); }
svg.narrow { display: none; }
.tiles .when { font-size: 1rem; white-space: nowrap; }
.answer { border-top: 1px solid var(--line); padding: 1.1rem 0 1.2rem; }
.answer:first-of-type { border-top: 0; padding-top: 0; }
.said { white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; font-size: .86rem;
  margin: 0; max-height: 22rem; overflow-y: auto; }
.turns { margin: 0 0 .8rem; }
.turns dt, .three dt { font-size: .8rem; color: var(--quiet); }
.turns dd { margin: 0 0 .4rem; }
.three { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .7rem;
  margin: 0; }
.three > div { background: var(--code); border: 1px solid var(--line); border-radius: 8px;
  padding: .5rem .75rem .65rem; min-width: 0; }
.three > div.same { border-color: var(--good); }
.three dd { margin: .15rem 0 0; }
tr.warning td { background: var(--mark); } tr.error td { color: var(--bad); }
@media (max-width: 40rem) {
  main { padding: 1rem .7rem 3rem; }
  section, header.top { padding: 1rem .95rem; border-radius: 10px; }
  h1 { font-size: 1.3rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  svg.wide { display: none; } svg.narrow { display: block; }
  .pair { grid-template-columns: 1fr; }
}
@media print {
  pre { white-space: pre-wrap; }
  body { background: #fff; } section, header.top { break-inside: avoid; border: 0; padding: 0; }
}
"""
)
