/**
 * Plans over time: the comparison that is under way, and what became of each plan before.
 *
 * Owns: these two parts of the page. Who is better is `rollout/`'s to say, and is shown with what it is not sure of.
 */
import type { WorkflowPlanObject } from '../model/nouns.ts';
import { figuresOf } from '../rollout/index.ts';
import type { Figures } from '../rollout/index.ts';
import { planShape } from '../resources/planObject.ts';
import { decisionText } from './details.ts';
import { agoText, clockText, countText, durationText, shareText } from './figures.ts';
import { html } from './html.ts';
import type { Content, Markup } from './html.ts';
import type { Scene, SceneTrial } from './scene.ts';

export const hashOf = (plan: WorkflowPlanObject): string => planShape(plan).hash;

export const planOf = ({ plans }: Scene, hash: string): WorkflowPlanObject | undefined =>
  plans.find((plan) => hashOf(plan) === hash);

/** Empty where nothing is compared. */
export function trialText(scene: Scene): Markup {
  if (!scene.trial) return html``;
  const { trial } = scene.trial;
  const { current, candidate } = trial.totals;
  const [before, after] = [figuresOf(current, candidate), figuresOf(candidate, current)];
  const { hash } = trial.plan;
  return html`<h2 id="trial-title">Under comparison</h2>
    <p>
      Plan ${planLink(hash)} beside ${planLink(trial.current)} for ${agoText(trial.elapsedMs)}:
      ${phaseText(scene.trial)}
    </p>
    <p class="share">
      <meter
        min="0"
        max="100"
        value="${trial.weightPercent}"
        aria-label="Share of the calls that the candidate gets"
      ></meter>
      <span><b>${trial.weightPercent} %</b> of the calls go to the candidate</span>
    </p>
    <div class="columns">
      <div>${intervalText(scene.trial, scene.policy.objective)} ${groupsText(planOf(scene, hash))}</div>
      ${figuresTable(before, after)}
    </div>`;
}

const planLink = (hash: string): Markup => html`<a href="#plan:${hash}"><code>${hash}</code></a>`;

const PHASES = {
  Starting: 'its units are starting',
  WarmingUp: 'it is warming up, nothing is compared yet',
  Comparing: 'calls are being compared',
  Held: 'it is held',
} as const;

const phaseText = ({ trial: { phase, problem } }: SceneTrial): string =>
  `${PHASES[phase]}${problem ? ` (${problem.message})` : ''}`;

/** Where the difference lies for sure, on a scale from half to twice. */
function intervalText({ interval, verdict, reason }: SceneTrial, objective: string): Markup {
  const { low, high } = interval;
  const what = objective === 'Balanced' ? 'latency and cost together' : objective.toLowerCase();
  if (!Number.isFinite(low) || !Number.isFinite(high))
    return html`<p>Too few calls to tell yet: ${what} will decide.</p>`;
  const at = (log: number): number => 150 + 140 * Math.max(-1, Math.min(1, log / Math.LN2));
  const share = (log: number): string => shareText(Math.expm1(log));
  const width = Math.max(2, at(high) - at(low)).toFixed(1);
  return html`<figure class="interval">
    <svg
      viewBox="0 0 300 40"
      width="300"
      height="40"
      role="img"
      aria-label="${what} of the candidate: between ${share(low)} and ${share(high)}"
    >
      <line class="axis" x1="10" x2="290" y1="14" y2="14" />
      <rect
        class="${high < 0 ? 'better' : low > 0 ? 'worse' : 'open'}"
        x="${at(low).toFixed(1)}"
        y="8"
        width="${width}"
        height="12"
        rx="3"
      />
      <line class="zero" x1="150" x2="150" y1="4" y2="24" />
      <text x="10" y="37">−50 %</text>
      <text class="middle" x="150" y="37">same</text>
      <text class="end" x="290" y="37">+100 %</text>
    </svg>
    <figcaption>
      ${what}: between <b>${share(low)}</b> and <b>${share(high)}</b>,
      <span class="verdict ${verdict.toLowerCase()}">${verdict}</span> <span class="reason">${reason}</span>
    </figcaption>
  </figure>`;
}

type Row = readonly [string, Content, Content, number | undefined];

function figuresTable(before: Figures, after: Figures): Markup {
  const duration = (ms: number | undefined): Content => (ms === undefined ? '–' : durationText(ms));
  const cost = (value: number | undefined): Content => (value === undefined ? '–' : value.toPrecision(3));
  const rows: readonly Row[] = [
    ['Root calls', countText(before.calls), countText(after.calls), undefined],
    ['p50', duration(before.p50Ms), duration(after.p50Ms), ratioOf(before.p50Ms, after.p50Ms)],
    ['p99', duration(before.p99Ms), duration(after.p99Ms), ratioOf(before.p99Ms, after.p99Ms)],
    [
      'Cost of a call',
      cost(before.costPerCall),
      cost(after.costPerCall),
      ratioOf(before.costPerCall, after.costPerCall),
    ],
    ['Failures', countText(before.failures), countText(after.failures), undefined],
  ];
  return html`<table>
    <thead>
      <tr>
        <th scope="col"><span class="aside">Figure</span></th>
        <th scope="col">Current</th>
        <th scope="col">Candidate</th>
        <th scope="col">Change</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ([name, a, b, change]) =>
          html`<tr>
            <th scope="row">${name}</th>
            <td>${a}</td>
            <td>${b}</td>
            <td class="${change === undefined ? '' : change < 0 ? 'better' : 'worse'}">
              ${change === undefined ? '' : shareText(change)}
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

const ratioOf = (before: number | undefined, after: number | undefined): number | undefined =>
  before === undefined || after === undefined || before === 0 ? undefined : after / before - 1;

/** Newest first. */
export function historyText(scene: Scene): Markup {
  if (scene.plans.length === 0) return html`<p>No plan yet.</p>`;
  const newestFirst = [...scene.plans].sort((a, b) => (b.status?.sequence ?? 0) - (a.status?.sequence ?? 0));
  return html`<ol class="plans" reversed>
    ${newestFirst.map((plan) => planItem(plan, scene))}
  </ol>`;
}

function planItem(plan: WorkflowPlanObject, scene: Scene): Markup {
  const hash = hashOf(plan);
  const { sequence, state = 'Proposed', comparison } = plan.status ?? {};
  const why = plan.spec.decisions.filter((d) => d.kind === 'Rollout' || d.kind === 'Policy');
  const news = scene.news.filter((n) => n.hash === hash);
  const verdict = comparison?.verdict;
  return html`<li id="plan:${hash}" tabindex="-1">
    <h3>
      <span class="state ${state.toLowerCase()}">${state}</span>
      <span>${sequence === undefined ? '' : `Plan ${String(sequence)} `}<code>${hash}</code></span
      >${verdict === undefined ? '' : html` <span class="verdict ${verdict.toLowerCase()}">${verdict}</span>`}
    </h3>
    ${groupsText(plan)} ${comparison ? comparedText(comparison) : ''}
    ${news.map((n) => html`<p class="news"><time>${clockText(n.atMs)}</time> ${n.message}</p>`)}
    ${
      why.length === 0
        ? ''
        : html`<details id="why:${hash}">
            <summary>Why this plan</summary>
            ${why.map(decisionText)}
          </details>`
    }
  </li>`;
}

type Comparison = NonNullable<NonNullable<WorkflowPlanObject['status']>['comparison']>;

/** What was measured of the plan, and of the one beside it. */
function comparedText({ message, current, candidate }: Comparison): Markup {
  const pairs = (['rootP50', 'rootP99', 'costPerCall', 'errors', 'calls'] as const).flatMap((figure) => {
    const [before, after] = [current?.[figure], candidate?.[figure]];
    return before === undefined || after === undefined
      ? []
      : [`${FIGURES[figure]} ${plainText(before)} → ${plainText(after)}`];
  });
  return html`${message === undefined ? '' : html`<p>${message}</p>`}
  ${pairs.length === 0 ? '' : html`<p class="aside">${pairs.join('; ')}</p>`}`;
}

const FIGURES = {
  rootP50: 'p50',
  rootP99: 'p99',
  costPerCall: 'cost of a call',
  errors: 'failed',
  calls: 'calls',
} as const;

const plainText = (figure: string | number): string =>
  typeof figure === 'number' ? countText(figure) : figure;

/** Who shares a process with whom. */
const groupsText = (plan: WorkflowPlanObject | undefined): Markup =>
  plan
    ? html`<ul class="groups" aria-label="Units">
        ${plan.spec.units.map((unit) => html`<li>${unit.functions.join(' + ')}</li>`)}
      </ul>`
    : html``;
