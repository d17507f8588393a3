/**
 * The house has rooms, and arrows between them go one way (docs/ARCHITECTURE.md). This reads every import of every source
 * file and fails when an arrow turns round, and when a room that must be pure reaches for a clock, a file or a network.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '..');

/** What each room may import, besides itself and packages from outside. A room that is not here does not exist. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  crds: [],
  'runtimes/contract': [],
  'runtimes/bus': ['runtimes/contract'],
  'runtimes/host': ['runtimes/contract', 'runtimes/bus'],
  'runtimes/gateway': ['runtimes/contract', 'runtimes/bus'],
  'operator/src/model': ['crds'],
  'operator/src/snapshot': ['operator/src/model'],
  'operator/src/spans': ['operator/src/model', 'operator/src/snapshot'],
  'operator/src/planner': ['operator/src/model', 'operator/src/snapshot'],
  'operator/src/resources': [
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/planner',
    'runtimes/contract',
  ],
  'operator/src/observations': [
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/rollout',
    'runtimes/contract',
  ],
  'operator/src/bus': ['operator/src/observations', 'operator/src/rollout', 'runtimes/contract'],
  'operator/src/kube': ['operator/src/model'],
  'operator/src/rollout': ['operator/src/model', 'runtimes/contract'],
  'operator/src/page': [
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/resources',
    'operator/src/rollout',
  ],
  'operator/src/web': ['operator/src/model', 'operator/src/page'],
  'operator/src/config': ['operator/src/model'],
  'operator/src/telemetry': ['operator/src/kube'],
  'operator/src/reconcile': [
    'crds',
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/planner',
    'operator/src/resources',
    'operator/src/rollout',
    'operator/src/observations',
    'operator/src/bus',
    'operator/src/kube',
    'operator/src/page',
    'operator/src/web',
    'runtimes/contract',
  ],
  'operator/src/main.ts': [
    'crds',
    'operator/src/resources',
    'operator/src/reconcile',
    'operator/src/bus',
    'operator/src/kube',
    'operator/src/config',
    'operator/src/telemetry',
    'operator/src/rollout',
    'operator/src/web',
    'runtimes/contract',
  ],
  'operator/src/local': [
    'crds',
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/planner',
    'operator/src/resources',
    'operator/src/rollout',
    'operator/src/observations',
    'operator/src/bus',
    'operator/src/page',
    'operator/src/web',
    'runtimes/contract',
  ],
  cli: [
    'crds',
    'operator/src/model',
    'operator/src/snapshot',
    'operator/src/spans',
    'operator/src/planner',
    'operator/src/resources',
    'operator/src/local',
    'operator/src/kube', // only to read: `explain` and `plan` against a cluster; loaded where they need it
  ],
  bench: [
    'cli',
    'e2e/testbed', // a hop is made longer there
    'operator/src/snapshot',
    'operator/src/planner',
    'operator/src/rollout',
    'operator/src/kube',
    'operator/src/local',
    'operator/src/bus',
    'operator/src/rollout',
    'runtimes/contract',
    'runtimes/bus',
    'runtimes/host',
  ],
  // What generators have in common, and the schema of a snapshot.
  scripts: ['crds', 'operator/src/snapshot'],
};

/** Rooms whose code is a function of its arguments (D13). */
const PURE = [
  'operator/src/planner',
  'operator/src/resources',
  'operator/src/snapshot',
  'operator/src/spans',
  'operator/src/rollout',
  'operator/src/observations',
  'operator/src/page',
];
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\(|\bnew Date\(\)|\bperformance\./, 'reads a clock'],
  [/\bsetTimeout\(|\bsetInterval\(/, 'waits'],
  [/\bMath\.random\(|\brandomBytes\(/, 'draws at random'],
  [/\bprocess\.|\bconsole\./, 'touches the process'],
  [/from 'node:(?!crypto'|util')/, 'imports a module of Node other than crypto and util'],
];

/** `@sinter/x` by its package's folder. */
const PACKAGES: Readonly<Record<string, string>> = {
  '@sinter/crds': 'crds/src/index.ts',
  '@sinter/contract': 'runtimes/contract/src/index.ts',
  '@sinter/bus': 'runtimes/bus/src/index.ts',
  '@sinter/host': 'runtimes/host/src/index.ts',
  '@sinter/gateway': 'runtimes/gateway/src/index.ts',
  '@sinter/cli': 'cli/src/main.ts',
};

const rooms = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const roomOf = (path: string): string | undefined =>
  rooms.find((room) => path === room || path.startsWith(`${room}/`));

/** Tests, and what only tests use: `testBus.ts`, `fixtures/`. */
const isTest = (path: string): boolean =>
  /\.test\.ts$|\/test\/|\/testing\/|\/conformance\/|\/test[A-Z]\w*\.ts$|\.fixture\.ts$|\/fixtures\//.test(
    path,
  );

async function sources(): Promise<readonly string[]> {
  const found: string[] = [];
  const patterns = ['crds', 'operator', 'runtimes', 'cli', 'bench', 'scripts'].map((f) => `${f}/**/*.ts`);
  const exclude = (name: string): boolean => /(^|\/)(node_modules|dist)(\/|$)/.test(name);
  for await (const path of glob(patterns, { cwd: root, exclude })) found.push(path);
  return found.filter((path) => !exclude(path) && !isTest(path)).sort();
}

function target(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(path), specifier));
  const known = PACKAGES[specifier];
  if (known !== undefined) return known;
  if (specifier.startsWith('@sinter/operator/'))
    return join('operator/src', specifier.slice('@sinter/operator/'.length));
  return undefined;
}

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

test('every arrow between rooms goes the way that the house allows', async () => {
  const wrong: string[] = [];
  for (const path of await sources()) {
    const room = roomOf(path);
    if (room === undefined) {
      wrong.push(`${path} lies in no room`);
      continue;
    }
    for (const { fileName } of ts.preProcessFile(textOf(path), true, true).importedFiles) {
      const to = target(path, fileName);
      const other = to === undefined ? undefined : roomOf(to);
      if (other === undefined || other === room || MAY_IMPORT[room]?.includes(other)) continue;
      wrong.push(`${path} imports ${fileName}: ${room} may not look into ${other}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('rooms that must be pure read no clock, wait for nothing and touch no file or network', async () => {
  const wrong: string[] = [];
  for (const path of await sources()) {
    if (!PURE.some((room) => path.startsWith(`${room}/`))) continue;
    const code = textOf(path).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const [pattern, what] of IMPURE) if (pattern.test(code)) wrong.push(`${path} ${what}`);
  }
  assert.deepEqual(wrong, []);
});

test('only composition roots read the environment', async () => {
  const allowed =
    /(^|\/)main\.ts$|^cli\/|^bench\/|^scripts\/|bootstrap\.ts$|stateFile\.ts$|locate\.ts$|generate\.ts$|threads\/|nats\//;
  const wrong = (await sources()).filter(
    (path) => !allowed.test(path) && /\bprocess\.env\b/.test(textOf(path).replace(/\/\*[\s\S]*?\*\//g, '')),
  );
  assert.deepEqual(wrong, []);
});
