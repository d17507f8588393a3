/**
 * A process that holds a run until it is told to stop, or killed: what `cleanup.test.ts` kills.
 *
 * It prints one line of JSON when the run serves: `{url, pids, stateFile}`. A line on standard input ends it in order.
 */
import { startLocalRun } from '../../operator/src/local/main.ts';
import { app } from './harness.ts';

const run = await startLocalRun({ machines: 1, onProgress: () => undefined, onLog: () => undefined });
await run.apply(
  app({
    functions: { front: (input, ctx) => ctx.call('back', input), back: (input) => input },
    edges: ['front>back'],
  }),
);
const { servers } = run.parts;
const hosts = run.parts.deployment('lab', 'flow')?.fleets.flatMap((f) => f.pids) ?? [];
const pids = [run.parts.gatewayPid(), servers.pidOf('hub'), servers.pidOf('machine-1'), ...hosts];
process.stdout.write(`${JSON.stringify({ url: run.gateway.url, pids, stateFile: run.stateFile })}\n`);
process.stdin.once('data', () => {
  void run.stop().then(() => process.exit(0));
});
