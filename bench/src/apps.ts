/** The small applications that benchmarks run, as objects. */
import type { RawObject } from '@sinter/operator/local/run';

const NAMESPACE = 'bench';

/** An object of twenty parts, about 1 KB as JSON. */
export const KILOBYTE: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 20 }, (_, i) => [`part-${String(i).padStart(2, '0')}`, 'x'.repeat(38)]),
);

const fn = (name: string, source: string): RawObject => ({
  apiVersion: 'sinter.dev/v1alpha1',
  kind: 'Function',
  metadata: { name, namespace: NAMESPACE },
  spec: { artifacts: [{ name: 'js', type: 'JavaScript', module: { inline: source } }], concurrency: 64 },
});

const ECHO = 'export default (input) => input;';

/** Calls `echo` so often as its input says and gives the microseconds of each call. */
const TIMED = `export default async ({ times, value }, ctx) => {
  const us = [];
  for (let i = 0; i < times; i++) {
    const at = performance.now();
    await ctx.call('echo', value);
    us.push(Math.round((performance.now() - at) * 1000));
  }
  return us;
};`;

export function echoApp(grouped: boolean): readonly RawObject[] {
  return [
    fn('echo', ECHO),
    fn('timed', TIMED),
    {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'OptimizationPolicy',
      metadata: { name: 'bench', namespace: NAMESPACE },
      spec: grouped
        ? { fusion: { mode: 'Manual', groups: [{ name: 'all', functions: ['echo', 'timed'] }] } }
        : { fusion: { mode: 'Off' } },
    },
    {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'bench', namespace: NAMESPACE },
      spec: {
        functions: [{ name: 'echo' }, { name: 'timed' }],
        edges: [{ from: 'timed', to: 'echo', call: 'Sync' }],
        triggers: [trigger('echo', '/echo'), trigger('timed', '/timed')],
        policyRef: { name: 'bench' },
      },
    },
  ];
}

const trigger = (to: string, path: string): object => ({
  name: to,
  to,
  type: 'Http',
  http: { path, methods: ['POST'], auth: { type: 'None' } },
});

/** One unit of so many functions that do nothing. */
export function idleApp(count: number): readonly RawObject[] {
  const names = Array.from({ length: count }, (_, i) => `idle-${String(i)}`);
  return [
    ...names.map((name) => fn(name, ECHO)),
    {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'OptimizationPolicy',
      metadata: { name: 'bench', namespace: NAMESPACE },
      spec: { fusion: { mode: 'Manual', groups: [{ name: 'all', functions: names }] } },
    },
    {
      apiVersion: 'sinter.dev/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'bench', namespace: NAMESPACE },
      spec: {
        functions: names.map((name) => ({ name })),
        edges: names.slice(1).map((to) => ({ from: names[0], to, call: 'Sync' })),
        triggers: [trigger(names[0] ?? '', '/idle')],
        policyRef: { name: 'bench' },
      },
    },
  ];
}
