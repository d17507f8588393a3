/**
 * How the page looks: light and dark, one column on a phone.
 *
 * Owns: the stylesheet, as the browser gets it. Text has a contrast of at least 4.5 to 1 on what it stands on, lines and focus 3 to 1
 * (WCAG 2.2, AA). Nothing is told by colour alone.
 */
export const STYLE = String.raw`
:root {
  color-scheme: light dark;
  --paper: #f7f7f4; --sheet: #fff; --ink: #1d2330; --soft: #565d6d; --line: #d9dbe0; --edge: #7a8294;
  --accent: #0b57d0; --unit: #eef3fb; --unit-line: #6a8cbf; --fn: #fff; --fn-line: #5b6473;
  --process: #1a7340; --bus: #0b57d0; --queue: #8a4b00; --good: #146c37; --bad: #b3261e; --wait: #7a5200;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12151b; --sheet: #1a1f28; --ink: #e8eaef; --soft: #a9b1c0; --line: #333a47; --edge: #8e97a8;
    --accent: #8ab4f8; --unit: #202a3a; --unit-line: #5f7ba6; --fn: #171b23; --fn-line: #8b94a5;
    --process: #78d19a; --bus: #8ab4f8; --queue: #e8b26a; --good: #78d19a; --bad: #ff9c93; --wait: #e8c06a;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; padding: 0 8px 2rem;
  background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 0 0 .6rem; font-size: 1.1rem; }
h3 { margin: 0 0 .4rem; font-size: 1rem; }
small { color: var(--soft); font-weight: 400; font-size: .8em; }
p { margin: .3rem 0; }
a { color: var(--accent); }
code { font: .92em ui-monospace, monospace; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 8px; padding: .4rem .8rem; background: var(--sheet); z-index: 1; }
header { padding: 1rem .3rem .6rem; }
.brand { margin: 0; color: var(--soft); font-weight: 600; font-size: .85rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .4rem 0; padding: 0; list-style: none; }
nav a[aria-current] { color: inherit; font-weight: 600; }
#live { color: var(--soft); font-size: .85rem; }
#live.on::before { content: '● '; color: var(--good); }
#live.off { color: var(--bad); }
#news:not(:empty) { margin: .5rem 0; padding: .4rem .8rem; border-left: 4px solid var(--accent); background: var(--sheet); }
time { color: var(--soft); font-variant-numeric: tabular-nums; }
.finding { padding: .3rem .8rem; border-left: 4px solid var(--wait); background: var(--sheet); }
.finding.error { border-color: var(--bad); }
section { margin: 0 0 1rem; padding: .8rem .6rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; }
#trial:empty { display: none; }
#trial { border-color: var(--accent); }
.legend, .aside, .hint { color: var(--soft); font-size: .85rem; }
.legend span { margin-right: 1rem; white-space: nowrap; }
.legend span::before { content: ''; display: inline-block; width: 1.8rem; margin-right: .4rem; vertical-align: middle; border-top: 2px solid var(--edge); }
.legend .async::before { border-top-style: dashed; }
.sheet { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
#picture { text-align: center; }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto; font-family: system-ui, sans-serif; }
svg.wide { display: none; }
svg text { fill: var(--ink); }
svg a { text-decoration: none; }
svg a:focus-visible { outline: none; }
svg.graph a:hover > rect, svg.graph a:focus-visible > rect { stroke: var(--accent); stroke-width: 3; }
.unit > rect { fill: var(--unit); stroke: var(--unit-line); stroke-width: 1.2; }
.size { fill: var(--soft); stroke: var(--unit); stroke-width: 4px; paint-order: stroke; font-size: 10px; pointer-events: none; }
.fn > rect { fill: var(--fn); stroke: var(--fn-line); }
.fn.entry > rect { stroke-width: 2; }
.fn.service > rect { stroke-dasharray: 2 3; }
.fn text, .label text { text-anchor: middle; }
.fn .name { font-size: 12.5px; font-weight: 600; }
.fn .facts { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
path.edge { fill: none; stroke: var(--edge); stroke-width: 1.6; }
path.edge.async { stroke-dasharray: 5 4; }
path.edge.inprocess { stroke: var(--process); stroke-width: 2.4; }
path.edge.queue { stroke: var(--queue); }
path.edge.node, path.edge.remote { stroke: var(--bus); }
.arrow path { fill: var(--edge); }
.label > rect { fill: var(--sheet); stroke: var(--line); }
.label text { fill: var(--bus); font-size: 10.5px; font-variant-numeric: tabular-nums; }
.label.inprocess text, .label.pod text { fill: var(--process); }
.label.queue text, .label.localqueue text { fill: var(--queue); }
#details article { display: none; padding: .3rem .5rem; outline-offset: 0; }
#details article:target { display: block; }
#details-of:has(:target) .hint { display: none; }
#details-of { align-self: start; padding: .5rem; border: 1px solid var(--line); border-radius: 8px; }
dl { margin: 0 0 .6rem; }
dl div { display: flex; gap: .8rem; padding: .15rem 0; border-bottom: 1px solid var(--line); }
dt { flex: 0 0 42%; color: var(--soft); }
dd { margin: 0; font-variant-numeric: tabular-nums; }
.decision { margin: .5rem 0; font-size: .92rem; }
.decision p { margin: 0; }
.reason { color: var(--soft); font-size: .85em; }
.not { color: var(--soft); padding-left: 1rem; }
.back { display: inline-block; padding: .3rem 0; }
table { border-collapse: collapse; width: 100%; max-width: 46rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); font-weight: 400; }
td { white-space: nowrap; }
th:first-child { text-align: left; }
thead th { color: var(--soft); font-size: .85rem; }
.better { color: var(--good); }
.worse { color: var(--bad); }
.undecided, .pending { color: var(--wait); }
.verdict { font-weight: 600; }
.share { display: flex; align-items: center; gap: .6rem; }
meter { width: 8rem; height: 1rem; flex: none; }
.interval { margin: .6rem 0; }
.interval svg { margin: 0; }
.interval .axis { stroke: var(--line); stroke-width: 2; }
.interval .zero { stroke: var(--ink); stroke-width: 1.5; }
.interval text { fill: var(--soft); font-size: 11px; }
.interval .middle { text-anchor: middle; }
.interval .end { text-anchor: end; }
.interval rect { fill: var(--wait); }
.interval rect.better { fill: var(--good); }
.interval rect.worse { fill: var(--bad); }
.plans { margin: 0; padding: 0; list-style: none; }
.plans > li { padding: .7rem 0; border-top: 1px solid var(--line); }
.plans > li:first-child { border-top: 0; padding-top: 0; }
.state { display: inline-block; margin-right: .4rem; padding: 0 .5rem; border: 1px solid var(--fn-line); border-radius: 99px; font-size: .8rem; font-weight: 600; }
.state.current { background: var(--good); border-color: var(--good); color: var(--sheet); }
.state.candidate { background: var(--accent); border-color: var(--accent); color: var(--sheet); }
.groups { display: flex; flex-wrap: wrap; gap: .3rem; margin: .3rem 0; padding: 0; list-style: none; font-size: .82rem; }
.groups li { padding: .05rem .5rem; background: var(--unit); border: 1px solid var(--unit-line); border-radius: 6px; }
.news { font-size: .92rem; }
summary { cursor: pointer; color: var(--accent); width: fit-content; padding: .2rem 0; }
footer { color: var(--soft); font-size: .85rem; }
@media (min-width: 760px) {
  body { padding-left: max(24px, calc((100vw - 1440px) / 2)); padding-right: max(24px, calc((100vw - 1440px) / 2)); }
  section { padding: 1rem; }
  .columns { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem 2rem; align-items: start; }
  svg.wide { display: block; }
  svg.narrow { display: none; }
}
@media (min-width: 1100px) {
  .sheet { grid-template-columns: minmax(0, 1fr) 22rem; }
  #details-of { position: sticky; top: 1rem; max-height: calc(100vh - 2rem); overflow: auto; }
}
@media (prefers-reduced-motion: no-preference) {
  html { scroll-behavior: smooth; }
  svg rect { transition: stroke .15s; }
}
@media (forced-colors: active) {
  svg rect { stroke: CanvasText; }
  svg.graph a:focus-visible > rect { stroke: Highlight; }
}
`.trimStart();
