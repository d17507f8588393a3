import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { accountClaims } from './external.ts';

const GUIDE = new URL('../../../docs/guides/nats-accounts.json', import.meta.url);

it("what users are told to put into their accounts is what Sinter's own accounts have", () => {
  assert.deepEqual(
    JSON.parse(readFileSync(GUIDE, 'utf8')),
    accountClaims('<public key of calls>', '<public key of store>'),
  );
});
