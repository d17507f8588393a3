import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronProblem, isTimeZone } from './cron.ts';

const GOOD = [
  '0 3 * * *',
  '*/15 * * * *',
  '0-30/10 9-17 * * mon-fri',
  '0 0 1,15 JAN,Jul ?',
  '5/20 * * * *',
  '0 0 29 2 *',
  '0 0 31 2 MON',
  '0 0 * * 7',
  '  0 3 * * *  ',
  '@hourly',
  '@midnight',
];

const BAD: Readonly<Record<string, RegExp>> = {
  '': /has 0 fields/,
  '0 3 * *': /has 4 fields/,
  '0 3 * * * *': /has 6 fields/,
  '60 * * * *': /'60' as minute/,
  '* 24 * * *': /'24' as hour/,
  '* * 0 * *': /'0' as day of month/,
  '* * * 13 *': /'13' as month/,
  '* * * * 8': /'8' as day of week/,
  '* * * * funday': /'funday'/,
  '30-10 * * * *': /'30-10'/,
  '*/0 * * * *': /'\*\/0'/,
  '1,,2 * * * *': /'' as minute/,
  '1-2-3 * * * *': /'1-2-3'/,
  '1/2/3 * * * *': /'1\/2\/3'/,
  '-1 * * * *': /'-1'/,
  '1.5 * * * *': /'1\.5'/,
  '0 0 30 2 *': /never comes/,
  '0 0 31 4,6,9,11 *': /never comes/,
  '@fortnightly': /@hourly/,
  '@every 1h': /no known word/,
};

for (const schedule of GOOD) {
  test(`'${schedule}' is a schedule`, () => {
    assert.equal(cronProblem(schedule), undefined);
  });
}

for (const [schedule, says] of Object.entries(BAD)) {
  test(`'${schedule}' is none, and the message says why`, () => {
    assert.match(cronProblem(schedule) ?? '', says);
  });
}

test('time zones are those that the machine knows', () => {
  assert.ok(isTimeZone('Europe/Berlin'));
  assert.ok(isTimeZone('Etc/UTC'));
  assert.ok(!isTimeZone('Europe/Atlantis'));
  assert.ok(!isTimeZone(''));
});
