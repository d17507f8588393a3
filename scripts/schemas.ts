/**
 * Writes the JSON Schemas of files that people may write by hand: today that of a snapshot.
 *
 *     node scripts/schemas.ts
 *
 * A test beside the schema fails when the committed file is another one.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { snapshotJsonSchema } from '@sinter/operator/snapshot/schema';

const path = join(import.meta.dirname, '../docs/reference/snapshot.schema.json');
writeFileSync(path, `${JSON.stringify(snapshotJsonSchema(), undefined, 2)}\n`);
