/** Writes expected/ anew from what the functions answer now. Read the difference before you commit it. */
import { writeFileSync } from 'node:fs';
import { linesOf, parsed } from '../../test/inMemory.ts';
import { applicationText, root, runApplication } from './tree.ts';

writeFileSync(
  new URL('expected/application.jsonl', root),
  linesOf(await runApplication(parsed(applicationText))),
);
