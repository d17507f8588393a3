/** Writes expected/ anew from what the functions answer now. Read the difference before you commit it. */
import { writeFileSync } from 'node:fs';
import { EXPECTED, expectedOf, loadHandlers, readings, root, runReading } from './in-memory.ts';

const handlers = await loadHandlers();
for (const number of EXPECTED) {
  const run = await runReading(handlers, readings()[number - 1] ?? null);
  writeFileSync(new URL(`expected/reading-${number}.jsonl`, root), expectedOf(run));
}
