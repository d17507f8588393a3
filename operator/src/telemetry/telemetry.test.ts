/** What the operator tells of itself, over HTTP and in lines. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metrics, errorText, newLogger, telemetryServer } from './index.ts';

const IDLE = { depth: 2, waitingForTime: 0, processing: 0, unfinishedMs: 1500, longestRunningMs: 0 };

describe('metrics', () => {
  it('come under the names that dashboards know', async () => {
    const metrics = new Metrics();
    const hooks = metrics.controller('workflow', () => IDLE);
    hooks.queue?.added?.('ns/a');
    hooks.started?.('ns/a', 'id');
    const report = { controller: 'workflow', key: 'ns/a', reconcileId: 'id', durationMs: 20, failures: 1 };
    hooks.finished?.({ ...report, outcome: 'error', error: new Error('no') });
    const text = await metrics.registry.metrics();
    for (const line of [
      'controller_runtime_reconcile_total{controller="workflow",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="workflow"} 1',
      'controller_runtime_active_workers{controller="workflow"} 0',
      'workqueue_adds_total{name="workflow"} 1',
      'workqueue_depth{name="workflow"} 2',
      'workqueue_unfinished_work_seconds{name="workflow"} 1.5',
    ])
      assert.ok(text.includes(line), line);
  });

  it('count calls of what is declared only, and forget a workflow that is gone', async () => {
    const metrics = new Metrics();
    const seen = (fn: string) => ({
      function: fn,
      artifact: 'js',
      executions: 3,
      failures: 1,
      runMs: { sumMs: 1500 },
      cpuMs: 250,
    });
    const entry = { call: 'Sync', calls: 5, failures: 2, fellBack: 1, latencyMs: { sumMs: 3000 } };
    const of = { namespace: 'ns', workflow: 'wf', edges: [{ channel: 'Node', calls: 2, failures: 0 }] };
    metrics.seen(
      {
        ...of,
        functions: [seen('a'), seen('made-up'), { ...seen('a'), artifact: 'made-up' }],
        entries: [
          { ...entry, function: 'a' },
          { ...entry, function: 'made-up' },
        ],
      },
      (fn, artifact) => fn === 'a' && artifact !== 'made-up',
    );
    const text = await metrics.registry.metrics();
    assert.match(text, /sinter_function_executions_total\{.*function="a".*result="success"\} 2/);
    assert.match(text, /sinter_calls_total\{.*channel="Node",result="success"\} 2/);
    assert.match(text, /sinter_function_seconds_total\{.*function="a".*of="run"\} 1\.5/);
    assert.match(text, /sinter_function_seconds_total\{.*function="a".*of="cpu"\} 0\.25/);
    assert.match(text, /sinter_root_calls_total\{.*function="a",call="Sync",result="success"\} 3/);
    assert.match(text, /sinter_root_calls_total\{.*result="fallback"\} 1/);
    assert.match(text, /sinter_root_seconds_total\{.*function="a",call="Sync"\} 3/);
    assert.ok(!text.includes('made-up'));
    metrics.forget('ns', 'wf');
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!(await metrics.registry.metrics()).includes('workflow="wf"'));
  });
});

it('the server tells health, readiness, metrics and figures, and nothing else', async () => {
  const server = await telemetryServer({
    port: 0,
    host: '127.0.0.1',
    health: () => ({ ok: true, says: 'alive' }),
    readiness: () => ({ ok: false, says: 'not all is known yet of: pods' }),
    metrics: () => Promise.resolve({ type: 'text/plain', text: 'a 1' }),
    figures: (namespace, workflow) => (workflow === 'gone' ? undefined : { of: `${namespace}/${workflow}` }),
  });
  const ask = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${String(server.port)}${path}`);
    return `${String(answer.status)} ${(await answer.text()).trim()}`;
  };
  try {
    assert.equal(await ask('/healthz'), '200 alive');
    assert.equal(await ask('/readyz'), '503 not all is known yet of: pods');
    assert.equal(await ask('/metrics'), '200 a 1');
    assert.equal(await ask('/figures/ns/wf'), '200 {"of":"ns/wf"}');
    for (const path of ['/', '/figures/ns', '/figures/ns/gone', '/figures/ns/wf/more'])
      assert.match(await ask(path), /^404/);
  } finally {
    await server.close();
  }
});

it('a line is one JSON object with its time, level and what it is about', () => {
  const lines: string[] = [];
  const log = newLogger('info', { write: (line) => void lines.push(line) });
  log.debug('not told');
  log.warn({ controller: 'workflow', reconcileID: 'x' }, 'told');
  const line = JSON.parse(lines[0] ?? '') as Readonly<Record<string, unknown>>;
  assert.equal(lines.length, 1);
  assert.deepEqual(
    { level: line['level'], message: line['message'], controller: line['controller'] },
    { level: 'warn', message: 'told', controller: 'workflow' },
  );
  assert.match(String(line['time']), /^\d{4}-.*Z$/);
});

it('an error is told with its causes', () => {
  assert.equal(errorText(new Error('outer', { cause: new Error('inner') })), 'outer: inner');
});
