/** How the page looks: phone and desktop, light and dark, on paper. Every pair of colours has a contrast of 4.5 : 1. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f3f5f7; --surface: #ffffff; --line: #d3d9e0; --text: #1a2029; --muted: #515b67; --link: #0b57a4;
  --passed: #146c39; --passed-tint: #e6f4eb;
  --failed: #b3231a; --failed-tint: #fdecea;
  --unknown: #7a4f00; --unknown-tint: #fdf3dc;
  --skipped: #515b67; --skipped-tint: #eaedf0;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --surface: #171d24; --line: #323c48; --text: #e7ebf0; --muted: #a3aebb; --link: #82b8ff;
    --passed: #5fcf8d; --passed-tint: #12291c;
    --failed: #ff9187; --failed-tint: #351713;
    --unknown: #edbd57; --unknown-tint: #2f240d;
    --skipped: #a3aebb; --skipped-tint: #232b34;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
code, .value { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
table .value, .about code, .parts code { font-size: 1em; }
a { color: var(--link); text-underline-offset: .15em; }
h1, h2, h3, p, dl, ul, figure { margin: 0; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h2 { font-size: 1.25rem; margin-bottom: 1rem; }
h3 { font-size: 1rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.wrap { max-width: 66rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem); }
.muted { color: var(--muted); }
.signs { position: absolute; width: 0; height: 0; }
.sign { width: 1.25em; height: 1.25em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.dashed { stroke-dasharray: 3 2.6; }
.passed { --tone: var(--passed); --tint: var(--passed-tint); }
.failed { --tone: var(--failed); --tint: var(--failed-tint); }
.could-not-check, .accepted { --tone: var(--unknown); --tint: var(--unknown-tint); }
.skipped, .unchecked, .left-out { --tone: var(--skipped); --tint: var(--skipped-tint); }
.sign, .tone { color: var(--tone); }

header { background: var(--tint); border-bottom: 1px solid var(--line); padding: clamp(1.5rem, 5vw, 2.75rem) 0; }
header .kind { font-size: .875rem; color: var(--muted); }
h1 { display: flex; gap: .5em; align-items: flex-start; font-size: clamp(1.5rem, 5vw, 2.25rem); color: var(--tone); margin: .4rem 0 .5rem; }
main section { margin-top: 2.5rem; }
.overview { display: grid; gap: 0 2.5rem; }
@media (min-width: 56rem) { .overview { grid-template-columns: minmax(0, 1fr) 22.5rem; } }

.counts { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(6.2rem, 1fr)); gap: .75rem; }
.counts li { background: var(--surface); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem .9rem; font-size: .875rem; }
.counts b { display: flex; align-items: center; gap: .4em; font-size: 1.5rem; line-height: 1.2; color: var(--tone); font-variant-numeric: tabular-nums; }
.counts b .sign { width: .85em; height: .85em; }
.counts .none b { color: var(--muted); }
.facts { margin-top: 1.25rem; display: grid; grid-template-columns: minmax(6rem, auto) minmax(0, 1fr); gap: .45rem 1.25rem; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; }

.diagram { display: block; width: 100%; max-width: 22.5rem; height: auto; overflow: visible; }
.diagram rect { fill: var(--surface); stroke: var(--line); stroke-width: 1.5; }
.diagram .failed rect, .diagram .accepted rect, .diagram .could-not-check rect { fill: var(--tint); }
.diagram .part:not(.plain) rect { stroke: var(--tone); }
.diagram .unchecked rect { stroke-dasharray: 5 4; }
.diagram text { fill: var(--text); font-size: 12.5px; }
.diagram .name { font-size: 15px; font-weight: 600; }
.diagram .wire { fill: none; stroke: var(--tone); stroke-width: 2; marker-end: url(#arrow); }
.diagram .wire.unchecked { stroke-dasharray: 5 4; }
.diagram .wire.failed { stroke-dasharray: 2 4; }
.diagram .hole { fill: var(--page); }
.diagram marker path { fill: context-stroke; }
figcaption { margin-top: .9rem; font-size: .875rem; color: var(--muted); max-width: 24rem; }

.finding, details { background: var(--surface); border: 1px solid var(--line); border-radius: .5rem; }
.finding { border-color: var(--tone); padding: 1rem 1.15rem 1.1rem; margin-top: .9rem; }
.finding h3 { display: flex; gap: .55em; align-items: flex-start; }
.about { display: flex; flex-wrap: wrap; gap: .15rem .9rem; font-size: .875rem; color: var(--muted); }
.finding .about { margin: .3rem 0 .8rem 1.8rem; }
.finding .critical { color: var(--text); font-weight: 600; }
.explained { display: grid; gap: .1rem 1.25rem; }
.explained dt { font-weight: 600; }
.explained dd { margin: 0 0 .7rem; }
@media (min-width: 40rem) {
  .explained { grid-template-columns: 8rem minmax(0, 1fr); }
}
.finding > p:last-child { font-size: .875rem; }

details { margin-top: .5rem; }
summary { cursor: pointer; list-style: none; padding: .7rem 1rem; display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 0 .7rem; align-items: start; border-radius: .5rem; }
summary::-webkit-details-marker { display: none; }
summary::after { content: ""; width: .5rem; height: .5rem; margin: .45rem .2rem 0; border: solid var(--muted); border-width: 0 2px 2px 0; transform: rotate(45deg); }
[open] > summary::after { transform: rotate(225deg); margin-top: .7rem; }
summary:hover { background: var(--skipped-tint); }
summary .sign { margin-top: .15em; }
summary h3 { font-weight: 600; }
.body { padding: .3rem 1rem 1rem; border-top: 1px solid var(--line); padding-top: .9rem; scroll-margin-top: 6rem; }
.body > .evidence { margin-top: .3rem; }
.evidence > h4 { margin: 0 0 .4rem; font-size: 1rem; }

table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0; border-top: 1px solid var(--line); }
tr:first-child > th, tr:first-child > td { border-top: 0; }
thead th { color: var(--muted); font-weight: 600; overflow-wrap: break-word; }
.facts-of { table-layout: fixed; }
thead + tbody tr:first-child > * { border-top: 1px solid var(--line); }
th[scope="row"] { font-weight: 400; color: var(--muted); }
.facts-of > tbody > tr > th { width: 9.5rem; }
td td, td th { padding-top: .15rem; padding-bottom: .15rem; }
ul.values { list-style: none; padding: 0; }
.scroll { overflow-x: auto; }
.scroll table { min-width: 44rem; }
.scroll th[scope="row"] { min-width: 8.5rem; overflow-wrap: break-word; }
.scroll td { min-width: 6rem; }
.legend { margin-bottom: 1.5rem; }
.legend .state { white-space: normal; }
@media (min-width: 40rem) { .legend { grid-template-columns: 11rem minmax(0, 1fr); } }
.parts { list-style: none; padding: 0; display: grid; gap: 1.1rem 2.5rem; margin-top: .9rem; }
.parts li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .1rem 1rem; align-content: start; }
.parts h4 { margin: 0; font-size: 1rem; }
.parts p { grid-column: 1 / -1; }
.parts p + p { font-size: .875rem; }
@media (min-width: 48rem) { .parts { grid-template-columns: 1fr 1fr; } }
.state { white-space: nowrap; }
.state .sign { vertical-align: -.25em; margin-right: .35em; }
.left-out-list { list-style: none; padding: 0; }
.left-out-list li { background: var(--surface); border: 1px dashed var(--line); border-radius: .5rem; padding: .7rem 1rem; margin-top: .5rem; }
footer p { margin: 3rem 0 2rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; color: var(--muted); }

@media (max-width: 40rem) {
  .facts-of > tbody > tr > th { width: auto; }
  .facts-of, .facts-of > tbody, .facts-of > tbody > tr, .facts-of > tbody > tr > th, .facts-of > tbody > tr > td { display: block; padding-right: 0; }
  .facts-of > tbody > tr > td { border-top: 0; padding-top: 0; }
  td .facts-of { padding-left: .8rem; }
}
@media print {
  :root { --page: #ffffff; }
  body { font-size: 10pt; }
  @page { margin: 16mm 14mm; }
  header { padding: 0 0 1rem; background: none; }
  .wrap { padding: 0; max-width: none; }
  .overview { grid-template-columns: minmax(0, 1fr) 19rem; }
  main section { margin-top: 1.5rem; }
  h2, h3, h4, summary { break-after: avoid; }
  .counts li, figure, tr:not(:has(table)), .left-out-list li, .parts li { break-inside: avoid; }
  .about { break-after: avoid; }
  .finding > p:last-child { display: none; }
  summary::after { display: none; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  .scroll { overflow: visible; }
  .scroll table { min-width: 0; font-size: .8rem; }
  .scroll th[scope="row"], .scroll td { min-width: 0; }
  a { color: inherit; text-decoration: none; }
}
`;
