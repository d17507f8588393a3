/** Writes expected/ anew from what the functions answer now. Read the difference before you commit it. */
import { writeFileSync } from 'node:fs';
import { linesOf } from '../../test/inMemory.ts';
import { NAMES, root, runOf } from './shop.ts';

for (const call of NAMES) writeFileSync(new URL(`expected/${call}.jsonl`, root), linesOf(await runOf(call)));
