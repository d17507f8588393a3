import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { seenSubject } from '@sinter/contract';
import { startTestBus } from '../local/nats/testBus.ts';
import { BusAway } from './cluster.ts';
import { signOperator } from './credentials.ts';
import { OperatorLink } from './link.ts';
import type { LinkSettings } from './link.ts';
import { units } from './testAttack.ts';
import { observation } from './testObservation.ts';

/** Waits for what must come, not for a time. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("the operator's connection", () => {
  let bus: Awaited<ReturnType<typeof startTestBus>>;
  const heard = new Map<number, number>();
  const states: boolean[] = [];
  let link: OperatorLink;

  const settings = (lifetimeMs = 60_000): LinkSettings => ({
    servers: [bus.urlOf('hub')],
    credential: signOperator(bus.keys, { nowMs: Date.now(), lifetimeMs }),
  });

  before(async () => {
    bus = await startTestBus({ machines: ['m1'] });
    link = new OperatorLink({
      listener: {
        onAnnouncement: () => undefined,
        onObservation: ({ windowMs }) => heard.set(windowMs, (heard.get(windowMs) ?? 0) + 1),
      },
      onState: (up) => states.push(up),
      onProblem: () => undefined,
    });
    await link.use(settings());
  });
  after(async () => {
    await link.close();
    await bus.stop();
  });

  it('hears everything once while it moves to other credentials', async () => {
    heard.clear();
    const speakers = await Promise.all([
      bus.connectUnit(units.u1, { at: 'hub' }),
      bus.connectUnit(units.u1, { at: 'm1' }),
    ]);
    const key = { ...units.u1, instance: 'i1' };
    let said = 0;
    const talk = setInterval(() => {
      for (const nc of speakers) {
        nc.publish(seenSubject(key), JSON.stringify(observation(key, { windowMs: said })));
        said += 1;
      }
    }, 2);
    for (let move = 0; move < 6; move++) await link.use(settings());
    clearInterval(talk);
    for (const nc of speakers) await nc.flush();
    await until(() => heard.size === said, `all of ${String(said)} are heard`);
    assert.ok(said > 300, `only ${String(said)} were said`);
    assert.deepEqual(
      [...heard].filter(([, times]) => times !== 1),
      [],
    );
  });

  it('ends what was asked on the connection on which it was asked', async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<undefined>();
    const asked = link.ask(async (nc) => {
      await goOn;
      return (await nc.request('$JS.hub.API.INFO')).json<{ type: string }>().type;
    });
    const moved = link.use(settings());
    setTimeout(() => {
      resolve(undefined);
    }, 400);
    assert.match(await asked, /account_info_response/);
    await moved;
  });

  it('does not move for the same settings', async () => {
    const now = settings();
    await link.use(now);
    const connection = link.connection;
    await link.use({ ...now });
    assert.equal(link.connection, connection);
  });

  it('says that the bus is away, at once, and comes back by itself', async () => {
    const lost = link.ask(() => new Promise<never>(() => undefined));
    const rejected = assert.rejects(lost, BusAway);
    await bus.servers.kill('hub');
    await rejected;
    await assert.rejects(
      link.ask((nc) => nc.flush()),
      BusAway,
    );
    assert.equal(states.at(-1), false);
    await bus.servers.restart('hub');
    await until(() => link.up, 'it is up again');
    assert.equal(states.at(-1), true);
    await link.ask((nc) => nc.request('$JS.hub.API.INFO'));
  });

  it('comes back with a renewed credential after the one in use has expired', async () => {
    await link.use(settings(3000)); // on a slow machine a second is over before it connects
    await until(() => !link.up, 'the server ends it');
    await link.use(settings());
    await until(() => link.up, 'it is up again');
    await link.ask((nc) => nc.request('$JS.hub.API.INFO'));
  });
});
