/** The options of `bench -- fusion`, and its end, however it comes. */
import { parseArgs } from 'node:util';
import { clusterStage } from './clusterStage.ts';
import { fusion } from './fusion.ts';

export async function fusionBench(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      cpu: { type: 'string', default: '250' },
      rate: { type: 'string', default: '5' },
      objective: { type: 'string', default: 'Balanced' },
      partitions: { type: 'string', default: '4' },
      repeats: { type: 'string', default: '3' },
      observe: { type: 'string', default: '60' },
      warm: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '15' },
      keep: { type: 'string' },
      'hop-delay': { type: 'string', default: '0' },
      find: { type: 'string', default: '0' },
    },
  });
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      ended.abort(new Error('interrupted'));
    });
  const stage = await clusterStage();
  try {
    await fusion(stage, {
      examples: positionals.length > 0 ? positionals : ['traffic', 'tree'],
      cpuMillis: values.cpu.split(',').map(Number),
      perSecond: Number(values.rate),
      objective: values.objective as 'Balanced',
      partitions: Number(values.partitions),
      repeats: Number(values.repeats),
      observeSeconds: Number(values.observe),
      warmSeconds: Number(values.warm),
      seconds: Number(values.seconds),
      hopDelayMs: Number(values['hop-delay']),
      findSeconds: Number(values.find),
      keep: values.keep,
      signal: ended.signal,
    });
  } finally {
    await stage.close();
  }
}
