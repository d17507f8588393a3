/**
 * `sinter run PATH`: applies manifests on this machine, stays up, and applies them again when a file changes.
 *
 * Owns: the loop of read, apply, print, wait. What is applied is a LocalRun's affair. Invariant: whatever the manifests
 * say, the loop goes on until somebody ends it; then everything that was started is ended.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startLocalRun } from '@sinter/operator/local/main';
import { removeState } from '@sinter/operator/local/stateFile';
import type { ApplyReport, AppliedWorkflow, LocalRun, LogRecord, PlanNews } from '@sinter/operator/local/run';
import { isError } from '@sinter/operator/model/finding';
import { declaresWorkflow, isRefused, planPaths, printFindings, requireWorkflow } from '../application.ts';
import type { Planned } from '../application.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { ExitCode } from '../exit.ts';
import { onInterrupt } from '../interrupt.ts';
import type { Interrupt } from '../interrupt.ts';
import { localMachines } from '@sinter/operator/local/machines';
import type { Terminal } from '../terminal.ts';
import { aboutRuns, plain } from '../terminal.ts';
import { rootOf } from '../root.ts';
import type { Root } from '../root.ts';
import { findingLines } from '../text/findings.ts';
import { hanging, middle, WIDTH } from '../text/layout.ts';
import { namedPlan, planLines } from '../text/plan.ts';
import { Watch } from '../watch.ts';

export interface RunOptions {
  readonly path: string;
  readonly machines: number;
  readonly state: string | undefined;
  readonly port: number;
  /** One JSON object a line instead of text. */
  readonly json: boolean;
}

export async function runCommand(options: RunOptions, terminal: Terminal): Promise<ExitCode> {
  const first = await planPaths([options.path], localMachines(options.machines));
  if (!isRefused(first)) requireWorkflow(first.manifests, [options.path]);
  const voice = new Voice(options, terminal);
  if (isRefused(first)) {
    voice.refused(first);
    return EXIT.refused;
  }
  let run: LocalRun | undefined;
  const interrupt = onInterrupt(() => {
    if (run) rmSync(run.stateFile, { force: true });
  });
  try {
    run = await start(options, voice, interrupt.signal);
    if (run === undefined) return EXIT.done;
    // Not awaited after an interrupt: applying may wait for a unit that never comes, and stopping ends that too.
    const loop = new Loop(run, options, voice, interrupt).go(first);
    await Promise.race([loop, aborted(interrupt.signal)]);
    return EXIT.done;
  } finally {
    if (run) await end(run, voice);
    interrupt.release();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** The state file goes last: an apply that was under way may have written it again. */
async function end(run: LocalRun, voice: Voice): Promise<void> {
  voice.close('stopping: calls under way are finished; Ctrl-C again ends at once');
  await run.stop();
  await removeState(run.stateFile);
}

/** Undefined: it was ended before it had begun, which is no failure. */
async function start(options: RunOptions, voice: Voice, signal: AbortSignal): Promise<LocalRun | undefined> {
  try {
    return await startLocalRun({
      signal,
      machines: options.machines,
      port: options.port,
      ...(options.state === undefined ? {} : { stateFolder: options.state }),
      onProgress: (line) => {
        voice.say('progress', line);
      },
      onLog: (record) => {
        voice.log(record);
      },
      onNews: (news) => {
        voice.news(news);
      },
    });
  } catch (cause) {
    if (signal.aborted) return undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Refusal(EXIT.refused, `the run could not be started: ${why}`, { cause });
  }
}

class Loop {
  readonly #run: LocalRun;
  readonly #options: RunOptions;
  readonly #voice: Voice;
  readonly #interrupt: Interrupt;
  #wake: () => void = () => undefined;
  #dirty = false;
  #last = '';
  #shown = false;

  constructor(run: LocalRun, options: RunOptions, voice: Voice, interrupt: Interrupt) {
    this.#run = run;
    this.#options = options;
    this.#voice = voice;
    this.#interrupt = interrupt;
  }

  async go(first: Planned): Promise<void> {
    const watch = new Watch(() => {
      this.#dirty = true;
      this.#wake();
    });
    const aborted = (): void => {
      this.#wake();
    };
    this.#interrupt.signal.addEventListener('abort', aborted);
    try {
      watch.set(first.manifests.files, first.manifests.folders);
      await this.#apply(first);
      while (await this.#changed()) {
        const next = await planPaths([this.#options.path], localMachines(this.#options.machines));
        watch.set(next.manifests.files, next.manifests.folders);
        await this.#apply(next);
      }
    } finally {
      this.#interrupt.signal.removeEventListener('abort', aborted);
      watch.close();
    }
  }

  /** Resolves to true at the next change, to false at the end. The timer keeps the process alive meanwhile. */
  async #changed(): Promise<boolean> {
    const alive = setInterval(() => undefined, 1 << 30);
    while (!this.#dirty && !this.#interrupt.signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    clearInterval(alive);
    this.#dirty = false;
    return !this.#interrupt.signal.aborted;
  }

  /**
   * Bad manifests are printed and not applied: what runs goes on. So are manifests without any Workflow: an editor that
   * empties a file before it writes it must not end what runs. The same content twice is applied once.
   */
  async #apply(planned: Planned): Promise<void> {
    const { objects, problems } = planned.manifests;
    const content = JSON.stringify([objects, problems]);
    if (content === this.#last) return;
    this.#last = content;
    if (isRefused(planned)) {
      this.#voice.refused(planned);
      return;
    }
    if (!declaresWorkflow(planned.manifests)) {
      this.#voice.emptied(this.#options.path);
      return;
    }
    this.#voice.notices(planned);
    const report = await this.#run.apply(objects);
    if (this.#interrupt.signal.aborted) return;
    this.#voice.applied(report);
    if (this.#shown || report.workflows.every((w) => w.hash === '')) return;
    this.#shown = true;
    this.#voice.ready(this.#run, planned);
  }
}

/** What the run says, as text or as a line of JSON. */
class Voice {
  readonly #options: RunOptions;
  readonly #terminal: Terminal;
  readonly #hashes = new Map<string, string>();
  #closed = false;

  constructor(options: RunOptions, terminal: Terminal) {
    this.#options = options;
    this.#terminal = terminal;
  }

  /** The last words: what still comes from units that are being ended is of no interest. */
  close(message: string): void {
    this.say('stopping', message);
    this.#closed = true;
  }

  say(event: string, message: string): void {
    if (this.#options.json) this.#json({ event, message });
    else
      for (const line of hanging('', plain(message)))
        this.#terminal.err.line(this.#terminal.err.colors.dim(line));
  }

  log({ level, source, message, function: fn }: LogRecord): void {
    const { err } = this.#terminal;
    if (this.#closed) return;
    if (this.#options.json) {
      this.#json({ event: 'log', level, source, message, ...(fn === undefined ? {} : { function: fn }) });
      return;
    }
    if (level === 'debug' || (level === 'info' && fn === undefined)) return; // what hosts say of themselves
    const paint = level === 'error' ? err.colors.red : level === 'warn' ? err.colors.yellow : err.colors.dim;
    const lines = hanging(`${fn ?? source}: `, plain(message));
    for (const line of lines) err.line(paint(line));
  }

  /** What becomes of plans by themselves. */
  news(news: PlanNews): void {
    if (this.#closed) return;
    const { namespace, workflow, kind, hash, message } = news;
    if (kind === 'Promoted' || (kind === 'Chosen' && hash !== ''))
      this.#hashes.set(`${namespace}/${workflow}`, hash);
    if (this.#options.json) {
      this.#json({ event: 'plan', ...news });
      return;
    }
    const { out } = this.#terminal;
    const paint = {
      Offered: out.colors.yellow,
      Tried: out.colors.cyan,
      Promoted: out.colors.green,
      Withdrawn: out.colors.yellow,
      Chosen: out.colors.cyan,
    };
    for (const line of hanging('', plain(`${workflow}: ${message}`))) out.line(paint[kind](line));
  }

  refused({ manifests, findings }: Planned): void {
    const going = this.#hashes.size > 0;
    if (this.#options.json) {
      this.#json({ event: 'refused', problems: manifests.problems, findings });
      return;
    }
    printFindings(manifests.problems, findings, manifests, this.#terminal.err);
    if (going) this.say('refused', 'not applied: what runs goes on unchanged');
  }

  emptied(path: string): void {
    this.say('refused', `not applied: there is no Workflow in ${path} any more; what runs goes on unchanged`);
  }

  notices({ manifests, findings }: Planned): void {
    if (!this.#options.json) printFindings(manifests.problems, findings, manifests, this.#terminal.err);
  }

  applied(report: ApplyReport): void {
    const gone = [...this.#hashes.keys()].filter(
      (id) => !report.workflows.some((w) => `${w.namespace}/${w.workflow}` === id),
    );
    for (const id of gone) this.#hashes.delete(id);
    if (this.#options.json) {
      const workflows = report.workflows.map(({ plan: _, ...rest }) => rest);
      this.#json({ event: 'applied', findings: report.findings, workflows });
    } else {
      for (const workflow of report.workflows) this.#workflow(workflow);
      for (const id of gone) this.#terminal.out.line(`${id}: taken away`);
    }
    for (const { namespace, workflow, hash } of report.workflows)
      if (hash !== '') this.#hashes.set(`${namespace}/${workflow}`, hash);
  }

  #workflow(applied: AppliedWorkflow): void {
    const { namespace, workflow, hash, plan, planObject, findings, started, kept, drained } = applied;
    const { out, err } = this.#terminal;
    const id = `${namespace}/${workflow}`;
    for (const finding of findings.filter(isError))
      for (const line of findingLines(finding, err.colors)) err.line(line);
    if (hash === '' || plan === undefined || planObject === undefined) return;
    if (this.#hashes.has(id)) {
      const same = this.#hashes.get(id) === hash;
      const nothing = same && started.length === 0;
      out.line(`${middle(id, 70)}: plan ${hash}${nothing ? ' as before' : ''}`);
      if (!nothing) for (const line of changeLines({ started, kept, drained })) out.line(line);
      if (same) return;
    }
    const machines = localMachines(this.#options.machines);
    out.line();
    for (const line of planLines(namedPlan(plan, hash, planObject), machines, out.colors)) out.line(line);
  }

  /** Where calls go in, once, with two commands to try. */
  ready(run: LocalRun, { manifests }: Planned): void {
    const { out, command } = this.#terminal;
    const root = rootOf(manifests.objects, this.#options.path);
    if (this.#options.json) {
      const { gateway, page, stateFile } = run;
      this.#json({ event: 'ready', gateway: gateway.url, page: page.url, stateFile });
      return;
    }
    out.line();
    out.line(`${out.colors.bold('gateway')}  ${run.gateway.url}`);
    out.line(`${out.colors.bold('page')}     ${run.page.url}`);
    out.line('try, in another terminal:');
    for (const line of root === undefined
      ? []
      : examples(root, this.#options.path, run.gateway.url, aboutRuns(command)))
      out.line(line);
    out.line('files are watched: a change is applied when it is saved; Ctrl-C ends the run');
  }

  #json(event: object): void {
    this.#terminal.out.line(JSON.stringify(event));
  }
}

function changeLines(units: Pick<AppliedWorkflow, 'started' | 'kept' | 'drained'>): readonly string[] {
  const list = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
  return [
    ...hanging('  started  ', list(units.started)),
    ...hanging('  kept     ', list(units.kept)),
    ...hanging('  drained  ', list(units.drained)),
  ];
}

/** Commands that can be pasted; one that is too long goes on in a second line. */
function examples(root: Root, path: string, url: string, self: string): readonly string[] {
  const data = root.sample === undefined ? "-d '{}'" : `-d @${join(path, root.sample)}`;
  const curl = `curl -s ${url}${root.path ?? ''} -H 'content-type: application/json'`;
  const invoke = `${self} invoke ${root.workflow}/${root.function}`;
  const commands = [...(root.path === undefined ? [] : [curl]), invoke].flatMap((command) =>
    command.length + data.length < WIDTH - 3 ? [`${command} ${data}`] : [`${command} \\`, `  ${data}`],
  );
  return [...commands, `${self} explain ${root.workflow}`].map((line) => `  ${line}`);
}
