/**
 * The page of a workflow: one document that is whole by itself, in parts that can be replaced one by one.
 *
 * Owns: the document and its parts. `web/` serves both: the document once, later only parts that have changed. Addresses are
 * relative, because the page may be behind a proxy.
 */
import { detailArticles } from './details.ts';
import { agoText, clockText, countText, durationText, rateText, shownOf } from './figures.ts';
import { graphPictures } from './graph.ts';
import { html } from './html.ts';
import type { Markup } from './html.ts';
import { historyText, planOf, trialText } from './plans.ts';
import type { Scene } from './scene.ts';
import type { WorkflowName } from '../model/nouns.ts';

/** What stands in the element with this id. */
export interface Part {
  readonly id: PartId;
  readonly text: string;
}

export const PART_IDS = ['status', 'news', 'trial', 'picture', 'details', 'calls', 'plans'] as const;
export type PartId = (typeof PART_IDS)[number];

type Parts = Readonly<Record<PartId, Markup>>;

/** Of a workflow that is there. */
export function partsOf(scene: Scene): readonly Part[] {
  const parts = partsIn(scene);
  return PART_IDS.map((id) => ({ id, text: parts[id].text }));
}

function partsIn(scene: Scene): Parts {
  const plan = planOf(scene, scene.current);
  const shown = shownOf(scene);
  const last = scene.news.at(-1);
  return {
    status: statusText(scene),
    news: last ? html`<time>${clockText(last.atMs)}</time> ${last.message}` : html``,
    trial: trialText(scene),
    picture: plan ? graphPictures(scene, plan, shown) : html`<p>Nothing runs yet.</p>`,
    details: plan ? detailArticles(scene, plan, shown) : html``,
    calls: callsText(scene),
    plans: historyText(scene),
  };
}

function statusText(scene: Scene): Markup {
  const { policy, planRef, current, findings } = scene;
  const plan = planOf(scene, current);
  const units = plan?.spec.units ?? [];
  const functions = units.reduce((n, unit) => n + unit.functions.length, 0);
  const what = plan
    ? html`Plan
        <a href="#plan:${current}"><code>${current}</code></a>
        runs${planRef === '' ? '' : ', chosen by hand'}:
        <b>${functions} functions in ${units.length} units</b>.`
    : html`No plan runs.`;
  return html`<p>
      ${what} Policy ${policy.name === '' ? 'by default' : policy.name}: mode ${policy.mode}, fusion
      ${policy.fusion}, objective ${policy.objective}, roll-out ${policy.rollout}.
    </p>
    ${findings.map(
      (f) => html`<p class="finding ${f.severity.toLowerCase()}"><b>${f.reason}</b> ${f.message}</p>`,
    )}`;
}

function callsText({ observations: { roots, windowSeconds } }: Scene): Markup {
  if (roots.length === 0) return html`<p>No call has come in yet.</p>`;
  const duration = (ms: number | null): string => (ms === null ? '–' : durationText(ms));
  return html`<table>
      <thead>
        <tr>
          <th scope="col">Entry</th>
          <th scope="col">Rate</th>
          <th scope="col">p50</th>
          <th scope="col">p99</th>
          <th scope="col">Failed</th>
        </tr>
      </thead>
      <tbody>
        ${roots.map(
          (root) =>
            html`<tr>
              <th scope="row">
                <a href="#fn:${root.function}">${root.function}</a>${root.call === 'Async' ? ' (queue)' : ''}
              </th>
              <td>${rateText(root.ratePerSecond)}</td>
              <td>${duration(root.p50Ms)}</td>
              <td>${duration(root.p99Ms)}</td>
              <td>${countText(root.failures)} of ${countText(root.samples)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    ${windowSeconds > 0 ? html`<p class="aside">Over the last ${agoText(windowSeconds * 1000)}; what is older weighs less.</p>` : ''}`;
}

const head = (title: string, root: string): Markup =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${root}page.css" />
      </head>
    </html>`;

/** `others`: the workflows that there are, this one among them. */
export function documentOf(scene: Scene, others: readonly WorkflowName[]): string {
  const { namespace, workflow, atMs } = scene;
  const parts = partsIn(scene);
  const section = (id: PartId, title: string): Markup =>
    html`<section aria-labelledby="${id}-title">
      <h2 id="${id}-title">${title}</h2>
      <div id="${id}">${parts[id]}</div>
    </section>`;
  return html`${head(`${workflow}, ${namespace} – Sinter`, '../')}<script src="../page.js" defer></script></head>
<body data-events="${workflow}/events"><a class="skip" href="#plans">Skip the graph</a>
<header><p class="brand">Sinter</p><h1>${workflow} <small>in ${namespace}</small></h1>
<p id="live">As of ${clockText(atMs)} UTC; load the page again for what is new.</p>${navigation(others, scene, '../')}
<div id="status">${parts.status}</div><p id="news" role="status">${parts.news}</p></header>
<main><section id="trial" aria-labelledby="trial-title">${parts.trial}</section>
<section id="graph" aria-labelledby="graph-title"><h2 id="graph-title">Graph</h2>
<p class="legend"><span class="sync">waits for the answer</span><span class="async">does not wait</span> Channel, calls per second, time on the way.</p>
<div class="sheet"><div id="picture">${parts.picture}</div>
<aside id="details-of" aria-label="Details"><p class="hint">Choose a function, a unit or the label of an edge to see what is known of it, and why it is so.</p>
<div id="details">${parts.details}</div></aside></div></section>
${section('calls', 'Calls that come in')}${section('plans', 'Plans')}</main>
<footer><p>Times are UTC. Nothing can be changed here: <code>sinter approve</code> and <code>sinter revert</code> choose plans.</p></footer></body></html>
`.text;
}

/** Where there is more than one to choose from. */
function navigation(all: readonly WorkflowName[], here: WorkflowName | undefined, root: string): Markup {
  if (here && all.length < 2) return html``;
  const isHere = (w: WorkflowName): boolean =>
    w.namespace === here?.namespace && w.workflow === here.workflow;
  return html`<nav aria-label="Workflows">
    <ul>
      ${all.map(
        (w) =>
          html`<li>
            <a href="${root}${w.namespace}/${w.workflow}" ${isHere(w) ? CURRENT : ''}
              >${w.namespace}/${w.workflow}</a
            >
          </li>`,
      )}
    </ul>
  </nav>`;
}

const CURRENT = html` aria-current="page"`;

/** What there is to see. */
export const indexOf = (all: readonly WorkflowName[]): string =>
  html`${head('Workflows – Sinter', './')}</head><body><header><p class="brand">Sinter</p><h1>Workflows</h1></header>
<main>${all.length === 0 ? html`<p>There is none yet.</p>` : navigation(all, undefined, './')}</main></body></html>
`.text;
