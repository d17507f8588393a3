import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { HASH, sceneOf } from '../page/testScene.ts';
import type { Scene } from '../page/index.ts';
import { PageServer } from './server.ts';
import type { Sights } from './server.ts';

const KEY = 'k'.repeat(32);
const SCENE = sceneOf(['a > b'], ['a', 'b']);

interface Place {
  readonly url: string;
  readonly problems: string[];
  /** How often it was looked. */
  looks: number;
  scene: Scene | undefined;
}

async function withPage(test: (place: Place) => Promise<void>, sights: Partial<Sights> = {}): Promise<void> {
  const place: { -readonly [K in keyof Place]: Place[K] } = { url: '', problems: [], looks: 0, scene: SCENE };
  const server = await PageServer.start({
    sights: {
      workflows: () => [SCENE],
      scene: ({ workflow }) => {
        place.looks += 1;
        return workflow === SCENE.workflow ? place.scene : undefined;
      },
      ...sights,
    },
    key: KEY,
    host: '127.0.0.1',
    port: 0,
    onProblem: (problem) => place.problems.push(problem),
  });
  place.url = `http://127.0.0.1:${String(server.port)}`;
  try {
    await test(place);
  } finally {
    await server.stop();
  }
}

/** Open until it is destroyed, or the server ends it. */
const listen = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request(url, resolve).once('error', reject).end();
  });

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!holds()) {
    assert.ok(performance.now() < limit, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the page over HTTP', () => {
  it('says nothing to who does not know the key', () =>
    withPage(async ({ url }) => {
      for (const path of [
        '/',
        '/shop/orders',
        '/page.js',
        `/${KEY}x/`,
        `/${KEY.slice(1)}/shop/orders`,
        '/?key=x',
      ]) {
        const answer = await fetch(url + path, { redirect: 'manual' });
        assert.deepEqual([answer.status, await answer.text()], [404, 'there is nothing here\n'], path);
      }
    }));

  it('leads to the only workflow, by addresses that go through a proxy', () =>
    withPage(async ({ url }) => {
      const first = await fetch(`${url}/${KEY}`, { redirect: 'manual' });
      assert.equal(first.headers.get('location'), `./${KEY}/`);
      const answer = await fetch(`${url}/${KEY}`);
      assert.equal(answer.url, `${url}/${KEY}/shop/orders`);
      assert.match(await answer.text(), /<h1>\s*orders/);
    }));

  it('runs and loads nothing but what is its own, is kept by nobody, and only reads', () =>
    withPage(async ({ url }) => {
      const page = `${url}/${KEY}/shop/orders`;
      const { headers } = await fetch(page);
      assert.match(
        headers.get('content-security-policy') ?? '',
        /default-src 'none'; style-src 'self'; script-src 'self'/,
      );
      assert.deepEqual(
        ['x-content-type-options', 'referrer-policy', 'cache-control'].map((name) => headers.get(name)),
        ['nosniff', 'no-referrer', 'no-store'],
      );
      for (const [path, type] of [
        ['page.css', 'text/css'],
        ['page.js', 'text/javascript'],
      ] as const)
        assert.match(
          (await fetch(`${url}/${KEY}/${path}`)).headers.get('content-type') ?? '',
          new RegExp(`^${type}`),
        );
      for (const method of ['POST', 'PUT', 'DELETE'])
        assert.equal((await fetch(page, { method })).status, 405);
      for (const path of [
        'shop',
        'shop/other',
        'shop/orders/x',
        'shop/orders/events/x',
        '../page.js',
        '%2e%2e/x',
      ])
        assert.equal((await fetch(`${url}/${KEY}/${path}`)).status, 404, path);
    }));

  it('tells all parts first, then what has changed, and looks no more when nobody listens', () =>
    withPage(async (place) => {
      const stream = await listen(`${place.url}/${KEY}/shop/orders/events`);
      let said = '';
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      stream.on('error', () => undefined);
      const told = (): readonly (readonly string[])[] =>
        [...said.matchAll(/^data: (.*)$/gm)].map(([, json = '']) =>
          (JSON.parse(json) as { id: string }[]).map((p) => p.id),
        );
      await until('all is told', () => told().length === 1);
      assert.deepEqual(told()[0], ['status', 'news', 'trial', 'picture', 'details', 'calls', 'plans']);
      const before = place.looks;
      await until('it goes on looking', () => place.looks > before + 1);
      assert.equal(told().length, 1, 'what is as it was is not told again');
      place.scene = { ...SCENE, news: [{ atMs: 0, kind: 'Tried', hash: HASH, message: 'tries' }] };
      await until('the change is told', () => told().length === 2);
      assert.deepEqual(told()[1], ['news', 'plans']);
      stream.destroy();
      // One look may be under way. That nothing comes can only be seen by waiting.
      const last = place.looks + 1;
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      assert.ok(place.looks <= last, `${String(place.looks)} looks`);
    }));

  it('ends what is told of a workflow that is taken away', () =>
    withPage(async (place) => {
      const stream = await listen(`${place.url}/${KEY}/shop/orders/events`);
      let ended = false;
      stream.resume().once('end', () => (ended = true));
      place.scene = undefined;
      await until('the end', () => ended);
    }));

  it('a picture that cannot be drawn is told to the log, not to the reader', () =>
    withPage(
      async ({ url, problems }) => {
        const answer = await fetch(`${url}/${KEY}/shop/orders`);
        assert.equal(answer.status, 500);
        assert.doesNotMatch(await answer.text(), /secret/);
        assert.match(problems.join(), /secret/);
      },
      {
        scene: () => {
          throw new Error('secret');
        },
      },
    ));

  it('many readers are not more than it can serve', () =>
    withPage(async ({ url }) => {
      const streams = await Promise.all(
        Array.from({ length: 64 }, () => listen(`${url}/${KEY}/shop/orders/events`)),
      );
      const last = await listen(`${url}/${KEY}/shop/orders/events`);
      assert.equal(last.statusCode, 503);
      for (const stream of [...streams, last]) stream.on('error', () => undefined).destroy();
    }));
});
