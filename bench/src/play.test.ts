/** Playing a load: sent when it is due, counted by what came back, and never sent to a stranger. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { figuresOf, play, reportLines } from './play.ts';
import type { PlayedCall } from './play.ts';
import type { Timetable } from './profile.ts';

/** A server that answers by the path, until the test is over. */
async function withServer<T>(
  answer: (path: string, body: string, res: http.ServerResponse) => void,
  use: (gateway: string) => Promise<T>,
): Promise<T> {
  const server = http.createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => answer(req.url ?? '', Buffer.concat(chunks).toString(), res));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const every = (ms: number, visits: number, ...paths: readonly string[]): Timetable => ({
  dueMs: Array.from({ length: visits }, (_, n) => n * ms),
  visit: (n) => paths.map((path) => ({ call: path.slice(1), path, body: JSON.stringify({ n }) })),
});

const call = (name: string, status: number, ms: number, text = ''): PlayedCall => ({
  atMs: ms,
  revision: '',
  call: name,
  visit: 0,
  body: '',
  status,
  text,
  ms,
});

describe('playing a load', () => {
  it('makes the calls of a visit one after the other and gives every answer', () =>
    withServer(
      (path, body, res) => res.end(`${path} ${body}`),
      async (gateway) => {
        const played = await play({ gateway, timetable: every(1, 5, '/a', '/b') });
        assert.equal(played.length, 10);
        for (const { call: name, visit, status, text } of played)
          assert.deepEqual([status, text], [200, `/${name} {"n":${String(visit)}}`]);
        const ofOne = played.filter(({ visit }) => visit === 3).map((p) => p.call);
        assert.deepEqual(ofOne, ['a', 'b']);
      },
    ));

  it('begins a visit when it is due although none before it was answered', () => {
    const held: http.ServerResponse[] = [];
    return withServer(
      (_path, _body, res) => {
        held.push(res);
        if (held.length === 4) for (const one of held) one.end();
      },
      async (gateway) => {
        const played = await play({ gateway, timetable: every(50, 4, '/a') });
        assert.deepEqual(
          played.map(({ status }) => status),
          [200, 200, 200, 200],
        );
        const [first, , , last] = played.toSorted((a, b) => a.visit - b.visit);
        assert.ok((first?.ms ?? 0) > (last?.ms ?? 0), 'a wait counts from when the visit was due');
      },
    );
  });

  it('gives a call up after its limit, and goes on with the visit', () =>
    withServer(
      (path, _body, res) => {
        if (path === '/b') res.end('ok');
      },
      async (gateway) => {
        const played = await play({ gateway, timetable: every(1, 1, '/a', '/b'), limitMs: 200 });
        assert.deepEqual(
          played.map(({ status, text }) => [status, text]),
          [
            [0, 'no answer within 200 ms'],
            [200, 'ok'],
          ],
        );
      },
    ));

  it('begins no visit after it was ended', () =>
    withServer(
      (_path, _body, res) => res.end(),
      async (gateway) => {
        const signal = AbortSignal.abort();
        assert.deepEqual(await play({ gateway, timetable: every(1, 1_000, '/a'), signal }), []);
      },
    ));

  it('refuses a gateway that is not of this machine or of the range for benchmarks', async () => {
    for (const gateway of [
      'http://192.0.2.1:80',
      'http://198.20.0.1',
      'https://127.0.0.1',
      'http://example.org',
    ])
      await assert.rejects(
        play({ gateway, timetable: every(1, 1, '/a') }),
        /give http:\/\/ and an address in/,
      );
  });

  it('says so when nobody listens', async () => {
    const gateway = await withServer(
      () => undefined,
      (url) => Promise.resolve(url),
    );
    const [played] = await play({ gateway, timetable: every(1, 1, '/a') });
    assert.equal(played?.status, 0);
    assert.match(played.text, /ECONNREFUSED/);
  });
});

describe('the report', () => {
  const played = [
    ...Array.from({ length: 100 }, (_, i) => call('look', 200, i + 1)),
    call('look', 429, 9_999, '{"code":"Overloaded","callId":"x"}'),
    call('look', 429, 9_999, '{"code":"Overloaded","callId":"y"}'),
    call('pay', 0, 9_999, 'no answer within 200 ms'),
  ];

  it('has quantiles of what was answered and counts the rest by kind', () => {
    assert.deepEqual(figuresOf(played), [
      { call: 'look', sent: 102, p50Ms: 50, p99Ms: 99, failures: new Map([['429 Overloaded', 2]]) },
      { call: 'pay', sent: 1, p50Ms: NaN, p99Ms: NaN, failures: new Map([['0 no answer within 200 ms', 1]]) },
    ]);
  });

  it('is a table', () => {
    assert.deepEqual(reportLines(figuresOf(played)), [
      'call        sent         p50         p99      failed',
      'look         102     50.0 ms     99.0 ms           2',
      '  2 × 429 Overloaded',
      'pay            1           -           -           1',
      '  1 × 0 no answer within 200 ms',
    ]);
  });
});
