/**
 * `sinter demo PATH`: a workflow without any grouping gets better while it runs; the same calls before and after, side by side.
 *
 *   all apart, measured ─▶ calls go on, a better plan is looked for and tried ─▶ the plan that was found, measured
 *
 * Owns: the order of the show and what is measured. To measure: warm up, wait until the warm-up's work is done, send every
 * recorded input once, wait until all work is done. The run decides which plan is better, as it would for anybody.
 * Neighbours: `load.ts` sends, `text/comparison.ts` prints.
 *
 * Invariants
 * 1. It ends by itself: measuring takes at most MEASURE_MS each time, looking for a better plan `seconds`.
 * 2. Exit code 0 only if no call failed, at any time, and all work that the measured calls asked for was seen to be done.
 * 3. While it is measured nothing is tried.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { rmSync } from 'node:fs';
import { API_VERSION } from '@sinter/crds';
import { startLocalRun } from '@sinter/operator/local/main';
import type {
  AppliedWorkflow,
  LocalRun,
  PlanNews,
  RawObject,
  WorkflowFigures,
} from '@sinter/operator/local/run';
import { isError } from '@sinter/operator/model/finding';
import { isRefused, planPaths, printFindings, requireWorkflow } from '../application.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { GatewayClient } from '../gatewayClient.ts';
import { endedBy, onInterrupt } from '../interrupt.ts';
import type { Interrupt } from '../interrupt.ts';
import { offerLoad, quantile } from '../load.ts';
import type { LoadResult } from '../load.ts';
import { localMachines, thisArchitecture } from '@sinter/operator/local/machines';
import { Progress } from '../progress.ts';
import { executionsPerCall, recordedInputs, rootOf } from '../root.ts';
import type { Root } from '../root.ts';
import type { Colors, Terminal } from '../terminal.ts';
import { aboutRuns, plain } from '../terminal.ts';
import { comparisonLines } from '../text/comparison.ts';
import type { Measured } from '../text/comparison.ts';
import { findingLines } from '../text/findings.ts';
import { hanging, table, WIDTH, widthOf } from '../text/layout.ts';
import { artifactOf, edgeText, namedPlan, planLines, reasonOf } from '../text/plan.ts';
import type { NamedPlan } from '../text/plan.ts';

export interface DemoOptions {
  readonly path: string;
  /** How long a better plan is looked for, at most. */
  readonly seconds: number;
  readonly json: boolean;
}

const MEASURE_MS = 30_000;
const IMPROVE_CALLS_PER_SECOND = 40;
const CALLS_PER_SECOND = 25;
const CALLS_MAX = 200;
const WARM_UP_CALLS = 20;
const WARM_UP_PER_SECOND = 40;
const CONCURRENCY = 16;
const CALL_TIMEOUT_MS = 5_000;
/** How long work may still take after the last call: of the warm-up, and of the measured ones. */
const SETTLE_LIMIT_MS = 2_000;
const DRAIN_LIMIT_MS = 12_000; // longer than the bus waits before it hands out again what nobody acknowledged
const DRAIN_POLL_MS = 50;

interface Stage {
  readonly run: LocalRun;
  /** What became of plans so far; grows. */
  readonly news: readonly PlanNews[];
  readonly root: Root;
  readonly inputs: readonly string[];
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly interrupt: Interrupt;
  readonly improveMs: number;
}

export async function demoCommand(options: DemoOptions, terminal: Terminal): Promise<ExitCode> {
  const planned = await planPaths([options.path], localMachines(0));
  printFindings(planned.manifests.problems, planned.findings, planned.manifests, terminal.err);
  if (isRefused(planned)) return EXIT.refused;
  requireWorkflow(planned.manifests, [options.path]);
  const { objects } = planned.manifests;
  const root = rootOf(objects, options.path);
  const inputs = recordedInputs(options.path).slice(0, CALLS_MAX);
  if (root === undefined || inputs.length === 0) {
    const message = `${options.path}/readings: there is no *.jsonl with an input in each line; 'sinter run' needs none`;
    throw new Refusal(EXIT.refused, message);
  }
  let run: LocalRun | undefined;
  const news: PlanNews[] = [];
  const interrupt = onInterrupt(() => {
    if (run) rmSync(run.stateFile, { force: true });
  });
  try {
    run = await start(terminal, interrupt.signal, (one) => {
      news.push(one);
      if (one.kind !== 'Offered') say(`${one.kind.toLowerCase()}: ${one.message}`, options, terminal);
    });
    if (run === undefined) return endedBy(interrupt);
    const stage: Stage = {
      run,
      news,
      root,
      inputs,
      terminal,
      json: options.json,
      interrupt,
      improveMs: options.seconds * 1000,
    };
    const shown = await show(stage, objects);
    if (interrupt.signal.aborted) return endedBy(interrupt);
    report(shown, root, options, terminal);
    return shown.measured.every(isClean) && shown.between.failed === 0 ? EXIT.done : EXIT.callFailed;
  } finally {
    await run?.stop();
    interrupt.release();
  }
}

/** Undefined: it was ended before it had begun, which is no failure. */
async function start(
  { err }: Terminal,
  signal: AbortSignal,
  onNews: (news: PlanNews) => void,
): Promise<LocalRun | undefined> {
  try {
    return await startLocalRun({
      signal,
      onNews,
      machines: 0,
      onProgress: (line) => err.line(err.colors.dim(plain(line))),
      onLog: ({ level, source, message, function: fn }) => {
        if (level !== 'warn' && level !== 'error') return;
        for (const line of hanging(`${fn ?? source}: `, plain(message))) err.line(err.colors.yellow(line));
      },
    });
  } catch (cause) {
    if (signal.aborted) return undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal(EXIT.refused, `the demo could not be started: ${why}`, { cause });
  }
}

interface Shown {
  /** Before, and after where a better plan was found. */
  readonly measured: readonly Measured[];
  readonly news: readonly PlanNews[];
  /** Calls while a better plan was looked for. */
  readonly between: LoadResult;
}

/** Whatever the manifests say of grouping: nothing is grouped by hand, and the planner may do it or only say what it would. */
const policyOf = (mode: 'Observe' | 'Optimize', seconds: number): RawObject => ({
  mode,
  objective: 'Latency',
  fusion: { mode: 'Auto' },
  rollout: { mode: 'Automatic', cooldownSeconds: 0, maximumDurationSeconds: seconds },
});

async function show(stage: Stage, objects: readonly RawObject[]): Promise<Shown> {
  const { root, terminal, news } = stage;
  const apply = (mode: 'Observe' | 'Optimize'): Promise<AppliedWorkflow> =>
    applyOne(stage, withPolicy(objects, root, policyOf(mode, stage.improveMs / 1000)));
  say('starting every function in a unit of its own', stage, terminal);
  const apart = await apply('Observe');
  const before = await measure(stage, apart, 'before');
  if (isOver(stage)) return { measured: [before], news, between: NO_LOAD };
  say('calls go on while a better plan is looked for and tried beside this one', stage, terminal);
  await apply('Optimize');
  stage.run.resetFigures();
  const between = await improve(stage);
  if (isOver(stage) || !isBetter(news)) return { measured: [before], news, between };
  const perCall = executionsPerCall(root.function, before.named.plan.channels);
  await workDone(stage, times(perCall, between.ok), DRAIN_LIMIT_MS, stage.interrupt.signal);
  const found = await apply('Observe');
  return { measured: [before, await measure(stage, found, 'after')], news, between };
}

/** As a call, because it may have changed during a wait. */
const isOver = ({ interrupt }: Stage): boolean => interrupt.signal.aborted;

const times = (counts: ReadonlyMap<string, number>, n: number): ReadonlyMap<string, number> =>
  new Map([...counts].map(([fn, each]) => [fn, each * n]));

const NO_LOAD: LoadResult = { sent: 0, ok: 0, failed: 0, tookMs: [], failures: [] };
const isBetter = (news: readonly PlanNews[]): boolean => news.some((one) => one.kind === 'Promoted');

/** Calls at a steady rate until a better plan runs, or time is up. */
async function improve(stage: Stage): Promise<LoadResult> {
  const client = new GatewayClient(stage.run.gateway.url);
  const found = new AbortController();
  const look = setInterval(() => {
    if (isBetter(stage.news)) found.abort();
  }, DRAIN_POLL_MS);
  const { signal } = stage.interrupt;
  // Calls under way are finished: only sending ends.
  const enough = AbortSignal.any([signal, found.signal, AbortSignal.timeout(stage.improveMs)]);
  try {
    return await load(stage, client, signal, Infinity, IMPROVE_CALLS_PER_SECOND, undefined, enough);
  } finally {
    clearInterval(look);
    client.close();
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const isRoot = (object: RawObject, root: Root): boolean => {
  const { name, namespace } = fieldsOf(object['metadata']);
  return (
    object['kind'] === 'Workflow' && name === root.workflow && (namespace ?? 'default') === root.namespace
  );
};

const POLICY = 'demo';

/** The same objects, and the workflow under a policy of the demo's own. */
const withPolicy = (objects: readonly RawObject[], root: Root, spec: RawObject): readonly RawObject[] => [
  ...objects.map((object) =>
    isRoot(object, root)
      ? { ...object, spec: { ...fieldsOf(object['spec']), policyRef: { name: POLICY }, planRef: {} } }
      : object,
  ),
  {
    apiVersion: API_VERSION,
    kind: 'OptimizationPolicy',
    metadata: { name: POLICY, namespace: root.namespace },
    spec,
  },
];

async function measure(stage: Stage, applied: AppliedWorkflow, title: string): Promise<Measured> {
  const { run, root, terminal } = stage;
  const { plan, planObject, hash } = applied;
  if (!plan || !planObject)
    throw new Refusal(EXIT.refused, `${root.namespace}/${root.workflow} does not run`);
  const named = namedPlan(plan, hash, planObject);
  if (!stage.json) showPlan(named, terminal);
  const perCall = executionsPerCall(root.function, plan.channels);
  const client = new GatewayClient(run.gateway.url);
  try {
    const signal = AbortSignal.any([stage.interrupt.signal, AbortSignal.timeout(MEASURE_MS)]);
    run.resetFigures();
    const warm = await load(stage, client, signal, WARM_UP_CALLS, WARM_UP_PER_SECOND);
    const left = await workDone(stage, times(perCall, warm.sent), SETTLE_LIMIT_MS, signal);
    run.resetFigures();
    const progress = new Progress(terminal.err, title, stage.inputs.length);
    const result = await load(stage, client, signal, stage.inputs.length, CALLS_PER_SECOND, (done) => {
      progress.update(done);
    });
    progress.end();
    // What the warm-up left behind is done, and counted, among the rest.
    const wanted = new Map([...perCall].map(([fn, n]) => [fn, n * result.sent + (left.get(fn) ?? 0)]));
    const drained = (await workDone(stage, wanted, DRAIN_LIMIT_MS, signal)).size === 0;
    const figures = inOrder(run.figures(root.namespace, root.workflow), [...perCall.keys()]);
    return { title, hash, named, result, figures, drained, wanted: stage.inputs.length };
  } finally {
    client.close();
  }
}

/** What happens, as it happens. */
function say(text: string, { json }: Pick<DemoOptions, 'json'>, { out, err }: Terminal): void {
  const to = json ? err : out;
  for (const line of hanging('', plain(text))) to.line(line);
}

/** At once, so that there is something to read while the calls run. */
function showPlan(named: NamedPlan, { out }: Terminal): void {
  out.line();
  for (const line of planLines(named, localMachines(0), out.colors)) out.line(line);
  out.line();
}

/** Functions in the order in which calls reach them. */
const inOrder = (figures: WorkflowFigures, order: readonly string[]): WorkflowFigures => ({
  ...figures,
  functions: figures.functions.toSorted((a, b) => order.indexOf(a.function) - order.indexOf(b.function)),
});

async function applyOne(
  { run, root, terminal }: Stage,
  objects: readonly RawObject[],
): Promise<AppliedWorkflow> {
  const { workflows } = await run.apply(objects);
  const applied = workflows.find((w) => w.workflow === root.workflow && w.namespace === root.namespace);
  const errors = (applied?.findings ?? []).filter(isError);
  for (const finding of errors)
    for (const line of findingLines(finding, terminal.err.colors)) terminal.err.line(line);
  if (!applied || errors.length > 0)
    throw new Refusal(
      EXIT.refused,
      `${root.namespace}/${root.workflow} was not applied: the findings above say why`,
    );
  return applied;
}

async function load(
  { run, root, inputs }: Stage,
  client: GatewayClient,
  signal: AbortSignal,
  calls: number,
  perSecond: number,
  onProgress?: (done: number) => void,
  enough = signal,
): Promise<LoadResult> {
  const open = root.path !== undefined;
  const path = root.path ?? `/call/${root.namespace}/${root.workflow}/${root.function}`;
  const headers = {
    'Content-Type': 'application/json',
    ...(open ? {} : { Authorization: `Bearer ${run.gateway.token}` }),
  };
  const send = async (index: number): Promise<string | undefined> => {
    const body = Buffer.from(inputs[index % inputs.length] ?? '');
    const method = open ? root.method : 'POST';
    try {
      const answer = await client.send({ method, path, headers, body, timeoutMs: CALL_TIMEOUT_MS, signal });
      return answer.status === 200 ? undefined : failureText(answer.status, answer.body);
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause);
    }
  };
  const options = { calls, perSecond, concurrency: CONCURRENCY, send, signal: enough };
  return offerLoad(onProgress === undefined ? options : { ...options, onProgress });
}

function failureText(status: number, body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  try {
    const { code, detail } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return `${String(code)}: ${String(detail)}`;
  } catch {
    return `HTTP ${String(status)}: ${text.slice(0, 200)}`; // not the gateway's own answer
  }
}

/** Waits until every function was seen to run so often. Gives what was not seen in time: empty where all was. */
async function workDone(
  { run, root }: Stage,
  wanted: ReadonlyMap<string, number>,
  limitMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const missing = (): ReadonlyMap<string, number> => {
    const seen = executionsOf(run.figures(root.namespace, root.workflow));
    const short = [...wanted].map(([fn, n]) => [fn, n - (seen.get(fn) ?? 0)] as const);
    return new Map(short.filter(([, n]) => n > 0));
  };
  const untilMs = performance.now() + limitMs;
  while (missing().size > 0 && performance.now() < untilMs && !signal.aborted) await pause(DRAIN_POLL_MS); // figures come in once a second, and there is no event for them in the port
  return missing();
}

function executionsOf(figures: WorkflowFigures): ReadonlyMap<string, number> {
  const seen = new Map<string, number>();
  for (const { function: fn, count } of figures.functions) seen.set(fn, (seen.get(fn) ?? 0) + count);
  return seen;
}

/** No call failed, none was left out, and all work was done without a failure. */
const isClean = ({ result, drained, figures, wanted }: Measured): boolean =>
  result.failed === 0 &&
  result.sent === wanted &&
  drained &&
  figures.functions.every((f) => f.failures === 0);

function report(
  { measured, news, between }: Shown,
  root: Root,
  options: DemoOptions,
  { out, err, command }: Terminal,
): void {
  for (const { title, result, drained, wanted } of measured) {
    for (const failure of result.failures)
      for (const line of hanging(`${title}: `, plain(failure))) err.line(err.colors.red(line));
    if (result.sent < wanted)
      err.line(
        err.colors.red(`${title}: only ${String(result.sent)} of ${String(wanted)} calls were sent in time`),
      );
    if (!drained) err.line(err.colors.red(`${title}: not all asynchronous work was seen to be done`));
  }
  for (const failure of between.failures)
    for (const line of hanging('in between: ', plain(failure))) err.line(err.colors.red(line));
  if (options.json) {
    const calls = { sent: between.sent, ok: between.ok, failed: between.failed };
    out.line(
      JSON.stringify({ workflow: root.workflow, plans: measured.map(planJson), news, between: calls }),
    );
    return;
  }
  out.line();
  for (const line of comparisonLines(measured, out.colors)) out.line(line);
  out.line();
  out.line(out.colors.bold('what to try next'));
  const self = aboutRuns(command);
  const next: readonly (readonly [string, string])[] = [
    [`${self} run ${options.path}`, 'stays up: change spec.policyRef or a function and save'],
    [`${self} explain ${root.workflow}`, 'every decision, while that runs'],
    [`${self} plan -f ${options.path}`, 'what would run, without starting anything'],
  ];
  for (const line of nextLines(next, out.colors)) out.line(`  ${line}`);
}

/** Side by side; a command that leaves no room beside it has its text below, for it must not be cut. */
function nextLines(next: readonly (readonly [string, string])[], colors: Colors): readonly string[] {
  const room = Math.max(...next.map(([, text]) => widthOf(text))) + 4;
  if (next.some(([command]) => widthOf(command) > WIDTH - room))
    return next.flatMap(([command, text]) => [command, `    ${colors.dim(text)}`]);
  return table([{ title: '' }, { title: '', style: colors.dim }], next, { width: WIDTH - 2 });
}

const planJson = ({ title, hash, named, result, figures }: Measured): object => ({
  title,
  hash,
  units: named.plan.units.map((unit, i) => ({
    name: named.unitNames[i] ?? '',
    functions: unit.functions,
    artifacts: unit.functions.map((fn) => artifactOf(unit, fn, thisArchitecture())),
  })),
  channels: named.plan.channels.map(({ from, to, channel }) => ({
    from,
    to,
    channel,
    reason: reasonOf(named.plan, 'Channel', edgeText(from, to)),
  })),
  calls: { sent: result.sent, ok: result.ok, failed: result.failed },
  rootMs: { p50: rounded(quantile(result.tookMs, 0.5)), p99: rounded(quantile(result.tookMs, 0.99)) },
  functions: figures.functions.map((f) => ({
    name: f.function,
    calls: f.count,
    p50Ms: rounded(f.p50Ms),
    p99Ms: rounded(f.p99Ms),
  })),
});

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
