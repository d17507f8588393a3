/**
 * What Argo CD and Flux make of Sinter's objects, by the scripts and expressions that `docs/guides/gitops/` gives to users: run
 * by a Lua interpreter and by a CEL interpreter over statuses that the operator's own code writes.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { celEnv, isCelError, parse as parseCel, plan } from '@bufbuild/cel';
import { parse as parseYaml } from 'yaml';
import type { WorkflowObject } from '../crds/src/index.ts';
import type { Finding } from '../operator/src/model/finding.ts';
import { workflowStatus } from '../operator/src/reconcile/workflowStatus.ts';
import type { WorkflowFacts } from '../operator/src/reconcile/workflowStatus.ts';
import type { RolloutStatus, Waiting } from '../operator/src/rollout/index.ts';

const GUIDES = resolve(import.meta.dirname, '../docs/guides/gitops');
const read = (name: string): unknown => parseYaml(readFileSync(join(GUIDES, name), 'utf8'));

type Argo = 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended';
type Flux = 'Current' | 'InProgress' | 'Failed';
interface Case {
  readonly kind: 'Workflow' | 'Function' | 'WorkflowPlan';
  readonly status?: object;
  readonly argo: Argo;
  /** Absent: the kind does not come from Git. */
  readonly flux?: Flux;
}

const GENERATION = 3;
const NOW = '2030-01-01T00:00:00Z';

/** The status of a workflow, written by the operator's own code; settled and serving where nothing else is said. */
const workflow = (facts: Partial<WorkflowFacts>, rollout: Partial<RolloutStatus> = {}): object =>
  workflowStatus({
    workflow: undefined,
    generation: GENERATION,
    deleting: false,
    findings: [],
    planned: '0123456789',
    bus: { ready: true, findings: [] },
    rollout: {
      current: '0123456789',
      serves: false,
      draining: [],
      waiting: [],
      down: [],
      ending: [],
      settled: true,
      ...rollout,
    },
    unreadableKeys: [],
    summary: undefined,
    gatewayUrl: 'http://gateway',
    before: [],
    statusBefore: {},
    now: NOW,
    ...facts,
  });

const ERROR: Finding = {
  severity: 'Error',
  reason: 'SyncCycle',
  object: { kind: 'Workflow', namespace: 'y', name: 'x' },
  field: 'spec.edges',
  given: '',
  message: 'spec.edges: "a" calls "b"\nand "b" calls "a"',
};
const suspended = { spec: { suspend: true, triggers: [] } } as unknown as WorkflowObject;
const unit = (reason?: string): Waiting => ({
  unit: 'x-a-0123456789',
  serving: 0,
  desired: 1,
  ...(reason === undefined ? {} : { problem: { reason, message: 'why' } }),
});

const aFunction = (ready: string): object => ({
  observedGeneration: GENERATION,
  conditions: [
    {
      type: 'Ready',
      status: ready,
      reason: 'Why',
      message: 'because of "it"',
      observedGeneration: GENERATION,
      lastTransitionTime: NOW,
    },
  ],
});

const CASES: Readonly<Record<string, Case>> = {
  'a workflow that was just stored': { kind: 'Workflow', argo: 'Progressing', flux: 'InProgress' },
  'a workflow with an empty status': {
    kind: 'Workflow',
    status: {},
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow whose last version was good': {
    kind: 'Workflow',
    status: workflow({ generation: 2 }),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow whose last version was refused': {
    kind: 'Workflow',
    status: workflow({ generation: 2, findings: [ERROR] }),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow while nobody can ask the bus': {
    kind: 'Workflow',
    status: workflow({ rollout: undefined, bus: { ready: false, findings: [] } }),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow whose units start': {
    kind: 'Workflow',
    status: workflow({}, { current: '', candidate: '0123456789', waiting: [unit()], settled: false }),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow whose unit ends again and again': {
    kind: 'Workflow',
    status: workflow({}, { current: '', waiting: [unit('CrashLoopBackOff')], settled: false }),
    argo: 'Degraded',
    flux: 'Failed',
  },
  'a workflow that serves': { kind: 'Workflow', status: workflow({}), argo: 'Healthy', flux: 'Current' },
  'a workflow that serves while the last plan drains': {
    kind: 'Workflow',
    status: workflow({}, { draining: ['abcdefabcd'], settled: false }),
    argo: 'Healthy',
    flux: 'Current',
  },
  'a workflow with an instance down': {
    kind: 'Workflow',
    status: workflow({}, { down: [unit()], settled: false }),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a workflow that is refused': {
    kind: 'Workflow',
    status: workflow({ findings: [ERROR] }, { current: '' }),
    argo: 'Degraded',
    flux: 'Failed',
  },
  'a workflow whose new version is refused while the old one runs': {
    kind: 'Workflow',
    status: workflow({ findings: [ERROR] }),
    argo: 'Degraded',
    flux: 'Failed',
  },
  'a workflow that is suspended': {
    kind: 'Workflow',
    status: workflow({ workflow: suspended }),
    argo: 'Suspended',
    flux: 'Current',
  },
  'a function that was just stored': { kind: 'Function', argo: 'Progressing', flux: 'InProgress' },
  'a function that is fine': {
    kind: 'Function',
    status: aFunction('True'),
    argo: 'Healthy',
    flux: 'Current',
  },
  'a function whose module does not validate': {
    kind: 'Function',
    status: aFunction('False'),
    argo: 'Degraded',
    flux: 'Failed',
  },
  'a function without a judgement': {
    kind: 'Function',
    status: aFunction('Unknown'),
    argo: 'Progressing',
    flux: 'InProgress',
  },
  'a plan that was just made': { kind: 'WorkflowPlan', argo: 'Progressing' },
  'a plan that waits': { kind: 'WorkflowPlan', status: { state: 'Proposed' }, argo: 'Suspended' },
  'a plan that is tried': { kind: 'WorkflowPlan', status: { state: 'Candidate' }, argo: 'Progressing' },
  'a plan that runs': { kind: 'WorkflowPlan', status: { state: 'Current' }, argo: 'Healthy' },
  'a plan that is replaced': { kind: 'WorkflowPlan', status: { state: 'Retired' }, argo: 'Healthy' },
};

const objectOf = ({ kind, status }: Case): Record<string, unknown> => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind,
  metadata: { name: 'x', namespace: 'y', generation: GENERATION },
  spec: {},
  ...(status ? { status } : {}),
});

const lua = findLua();

describe('health in Argo CD', { skip: lua === undefined ? 'no Lua on PATH; set SINTER_LUA' : false }, () => {
  const { data } = read('argocd-cm.yaml') as { data: Readonly<Record<string, string>> };
  for (const [what, given] of Object.entries(CASES))
    it(`${what} is ${given.argo}`, () => {
      const script = data[`resource.customizations.health.sinter.dev_${given.kind}`] ?? '';
      const { status, message } = runLua(script, objectOf(given));
      assert.equal(status, given.argo);
      assert.notEqual(message, '');
    });
});

describe('health in Flux', () => {
  const { spec } = read('flux-kustomization.yaml') as {
    spec: { healthCheckExprs: readonly { kind: string; current: string; failed: string }[] };
  };
  for (const [what, given] of Object.entries(CASES))
    if (given.flux)
      it(`${what} is ${given.flux}`, () => {
        const expressions = spec.healthCheckExprs.find(({ kind }) => kind === given.kind);
        assert.ok(expressions);
        const object = objectOf(given);
        const [current, failed] = [runCel(expressions.current, object), runCel(expressions.failed, object)];
        assert.ok(!(current && failed), 'both current and failed');
        assert.equal(failed ? 'Failed' : current ? 'Current' : 'InProgress', given.flux);
      });
});

/** As Flux: the fields of the object are the variables. */
function runCel(expression: string, object: Readonly<Record<string, unknown>>): boolean {
  const outcome = plan(celEnv(), parseCel(expression))({ spec: {}, status: {}, ...object });
  if (isCelError(outcome)) throw outcome;
  assert.equal(typeof outcome, 'boolean');
  return outcome === true;
}

function findLua(): string | undefined {
  const { SINTER_LUA: named, PATH: path = '' } = process.env;
  if (named) return named;
  const names = ['lua5.1', 'luajit', 'lua', 'lua5.4', 'lua5.3', 'glua'];
  const candidates = path.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** As Argo CD: the script sees `obj` and returns a table. */
function runLua(script: string, object: unknown): { readonly status: string; readonly message: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-lua-'));
  try {
    const program = [
      `obj = ${luaOf(object)}`,
      `local function judge()\n${script}\nend`,
      'local health = judge()',
      'io.write(health.status, "\\n", health.message)',
    ].join('\n');
    writeFileSync(join(folder, 'health.lua'), program);
    const said = execFileSync(lua ?? 'lua', [join(folder, 'health.lua')], { encoding: 'utf8' });
    const end = said.indexOf('\n');
    return { status: said.slice(0, end), message: said.slice(end + 1) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function luaOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(luaOf).join(', ')}}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `[${JSON.stringify(key)}] = ${luaOf(item)}`)
    .join(', ')}}`;
}
