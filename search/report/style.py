"""How the page looks: on a phone, on a wide screen, in the dark, on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1e22; --quiet: #59616b; --line: #dfe3e8; --card: #f5f7f9;
  --win: #c2410c; --base: #0b62a3; --mark: #33689e; --faint: #a9b4c0; --good: #00694f; --bad: #b3261e;
  --band: #d6e3f0; --s0: #eaf0f6; --s1: #cfdeec; --s2: #b0cae2; --s3: #86acd1; --s4: #4176ad; --s5: #2a5f98;
  --s6: #123f74; --onlow: #1b1e22; --onhigh: #fff; }
@media screen and (prefers-color-scheme: dark) { :root { --ground: #14171a; --text: #e6e8eb; --quiet: #a0a8b2;
  --line: #31373e; --card: #1c2025; --win: #ff9a5c; --base: #6cb9f2; --mark: #7fb0e0; --faint: #56616d;
  --good: #5fcfae; --bad: #ff8a80; --band: #24384d; --s0: #1c2833; --s1: #21394f; --s2: #274d72; --s3: #2f6096;
  --s4: #6b9dd4; --s5: #93bbe6; --s6: #c9dff7; --onlow: #e6e8eb; --onhigh: #10151b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.25rem 1rem 4rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; text-wrap: pretty; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 0; } section > h3 { margin-top: 1.4rem; }
p { margin: .35rem 0; max-width: 46rem; }
.quiet { color: var(--quiet); } .small, .over { font-size: .85rem; } .over { margin: 0 0 .2rem; }
section { border-top: 1px solid var(--line); padding-top: 1.2rem; margin-top: 2rem; }
nav { margin-top: 1.5rem; font-size: .9rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
a { color: var(--base); }
.chips { display: flex; flex-wrap: wrap; gap: .3rem .4rem; margin: .6rem 0; }
.chips > span { border: 1px solid var(--line); background: var(--card); border-radius: 4px; padding: .05rem .5rem;
  font-size: .9rem; } .chips b { font-weight: 500; color: var(--quiet); }
.tiles { display: flex; gap: .5rem 2.2rem; margin: .8rem 0 0; font-variant-numeric: tabular-nums; }
.tile { display: flex; flex-direction: column; line-height: 1.3; }
.tile span { color: var(--quiet); font-size: .85rem; } .tile b { font-size: 1.75rem; font-weight: 650; }
.tile small { font-size: .9rem; font-weight: 400; } #margin p { margin: .15rem 0 .5rem; }
.tile.winner b { color: var(--win); } .tile.baseline b { color: var(--base); }
.verdict { border-left: 4px solid var(--faint); background: var(--card); border-radius: 0 5px 5px 0; margin: .7rem 0;
  padding: .5rem .8rem; }
pre { margin: .3rem 0; white-space: pre-wrap; }
code { font: .87rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
figure { margin: 0; min-width: 0; } figcaption { margin-bottom: .5rem; line-height: 1.4; }
figcaption .quiet { font-size: .87rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 2rem 2.5rem;
  margin: 1rem 0; align-items: start; }
.charts > figure { max-width: 32rem; } .charts > div > figure { margin-top: 1.8rem; }
.small-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1.2rem 1rem;
  margin: 1rem 0; align-items: start; }
.small-charts figure { max-width: 17rem; display: grid; grid-template-rows: subgrid; grid-row: span 2; gap: .4rem;
  align-items: start; }
.small-charts figcaption { font-size: .87rem; line-height: 1.3; margin: 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-size: 12px;
  font-variant-numeric: tabular-nums; }
svg text { fill: var(--text); stroke: var(--ground); stroke-width: 3px; paint-order: stroke; }
svg text[class^=t] { stroke: none; } svg text.quiet { fill: var(--quiet); } svg text.strong { font-weight: 600; }
svg .grid, svg .axis { stroke: var(--line); } svg .axis { stroke: var(--quiet); } svg .zero { stroke: var(--quiet); }
svg .dotted { stroke-dasharray: 2 2; }
.bar { fill: var(--mark); stroke: var(--mark); } .bar.unsure { fill: none; }
.band { fill: var(--band); } .curve { fill: none; stroke: var(--mark); stroke-width: 1.8; stroke-linejoin: round; }
.dot { fill: var(--mark); } .dot.won { fill: var(--win); }
.interval { stroke: var(--mark); stroke-width: 2; }
.interval.won { stroke: var(--win); } .wonline { stroke: var(--win); stroke-dasharray: 4 3; }
.wonmark { fill: var(--win); }
.dot.hollow { fill: var(--ground); stroke: var(--faint); } .dot.complete { fill: var(--mark); }
.ring { fill: none; stroke: var(--win); stroke-width: 2.2; }
.cross { stroke: var(--bad); fill: none; stroke-width: 1.3; }
.curve.best { stroke: var(--quiet); stroke-width: 1.2; }
.curve.pruned { stroke: var(--faint); stroke-width: .9; opacity: .65; }
.curve.complete { stroke-width: 1; opacity: .75; }
.point { fill: var(--faint); } .curve.winner { stroke: var(--win); stroke-width: 2.6; }
.curve.baseline { stroke: var(--base); stroke-width: 2.2; stroke-dasharray: 6 3; }
svg text.winner { fill: var(--win); font-weight: 600; } svg text.baseline { fill: var(--base); font-weight: 600; }
.better { color: var(--good); } .worse { color: var(--bad); }
svg text.better { fill: var(--good); font-weight: 600; } svg text.worse { fill: var(--bad); font-weight: 600; }
.dot.better { fill: var(--good); } .dot.worse { fill: var(--bad); }
.interval.better { stroke: var(--good); } .interval.worse { stroke: var(--bad); }
.thread { fill: none; stroke-width: 1; opacity: .85; }
.thread.winner { stroke: var(--win); stroke-width: 2.6; opacity: 1; }
.l0 { stroke: var(--s1); } .l1 { stroke: var(--s1); } .l2 { stroke: var(--s2); } .l3 { stroke: var(--s3); }
.l4 { stroke: var(--s4); } .l5 { stroke: var(--s5); } .l6 { stroke: var(--s6); }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); }
svg .t0, svg .t1, svg .t2, svg .t3 { fill: var(--onlow); font-size: 11px; }
svg .t4, svg .t5, svg .t6 { fill: var(--onhigh); font-size: 11px; }
.one { white-space: nowrap; }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { text-align: right; padding: .22rem .9rem .22rem 0; vertical-align: top; white-space: nowrap; }
th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line); vertical-align: bottom; }
.figures th { white-space: normal; }
.word { text-align: left; } td.recipe { white-space: normal; overflow-wrap: anywhere; }
table.trials { width: 100%; } tr.won { font-weight: 600; } tr.won td:first-child, tr.won td b { color: var(--win); }
tr.pruned, tr.running, tr.waiting { color: var(--quiet); } tr.fail { color: var(--bad); }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-decoration: underline dotted; }
th[aria-sort=ascending] button::after { content: " ↑"; } th[aria-sort=descending] button::after { content: " ↓"; }
dl { margin: .5rem 0; } dl > div { margin: .4rem 0; max-width: 50rem; } dt { font-weight: 600; } dd { margin: 0; }
.commands dt { font-weight: 400; color: var(--quiet); }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--base); }
footer { margin-top: 3rem; font-size: .85rem; color: var(--quiet); }
@media (min-width: 60rem) {
  .small-charts { grid-template-columns: repeat(4, 1fr); gap: 1.6rem 1.5rem; } .tall { grid-row: span 2; }
  .recipes > div { display: grid; grid-template-columns: 12rem 1fr; gap: 1rem; }
}
@media (max-width: 34rem) {
  body { padding-top: .8rem; } h1 { font-size: 1.35rem; } header p { font-size: .92rem; line-height: 1.4; }
  .tiles { gap: .5rem 1.1rem; } .tile b { font-size: 1.3rem; } .tile small { font-size: .8rem; }
  .chips > span { font-size: .82rem; padding: 0 .4rem; }
  .figures thead { display: none; } .figures, .figures tbody, .figures tr { display: block; }
  .figures tr { border-bottom: 1px solid var(--line); padding: .35rem 0; }
  .figures td { display: flex; justify-content: space-between; gap: 1rem; padding: 0; white-space: normal; }
  .figures td::before { content: attr(data-head); color: var(--quiet); }
  .figures td:first-child { font-weight: 600; }
  .trials thead { display: none; } .trials tr { display: grid; grid-template-columns: 5.5rem 5.6rem 1fr 1fr 1fr;
    border-bottom: 1px solid var(--line); padding: .3rem 0; } .trials td { padding: 0; white-space: normal; }
  .trials td:first-child { text-align: left; } .trials td.recipe { grid-column: 1 / -1; font-size: .87rem; }
}

.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); gap: 1.2rem; margin: 1rem 0; }
.gallery figcaption { margin: .3rem 0 0; font-size: .87rem; line-height: 1.35; }
.pictures { display: flex; gap: .3rem; align-items: start; }
.pictures img { width: 2.9rem; height: 2.9rem; object-fit: contain; background: var(--card); display: block; }
.pictures img.missed { width: 4.2rem; height: 4.2rem; outline: 2px solid var(--win); }
.pictures small { display: block; width: 2.9rem; font-size: .72rem; line-height: 1.2; color: var(--quiet);
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: center; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; } nav, .sortable th button::after { display: none; }
  section { break-inside: auto; margin-top: 1.2rem; }
  h2, h3, figcaption, summary, h2 + p, h3 + p, h3 + p + p { break-after: avoid; }
  figure, .verdict, .tiles, p, pre, tr, dl > div { break-inside: avoid; } th button { display: contents; }
  .charts { grid-template-columns: 1fr 1fr; gap: 1rem 1.2rem; } .tall { grid-row: span 2; }
  .wide { overflow: visible; } table { font-size: 8pt; } th, td { padding-right: .5rem; }
  details::details-content { content-visibility: visible; block-size: auto; } a { color: inherit; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

SCRIPT = """
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const read = (row, index) => { const cell = row.cells[index], value = cell.dataset.value ?? cell.textContent;
    return value === '-' ? NaN : isNaN(value) ? value : Number(value); };
  heads.forEach((head, index) => {
    const button = document.createElement('button');
    button.type = 'button'; button.append(...head.childNodes); head.append(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') === 'descending';
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const rows = [...body.rows].map(row => [read(row, index), row]);
      rows.sort(([a], [b]) => Number.isNaN(a) - Number.isNaN(b) || (up ? 1 : -1) * ((a > b) - (a < b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(one => one.open = true));
"""
"""All that the page runs: the table of trials sorts by a click, and paper shows what is folded. It reads without."""
