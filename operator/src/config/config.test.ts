/** What the operator takes from its environment, and how it refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig, variables } from './config.ts';

const NEEDED = {
  SINTER_NAMESPACE: 'sinter-system',
  SINTER_POD_NAME: 'sinter-operator-0',
  SINTER_IMAGE: 'sinter:1',
  SINTER_NATS_URLS: 'tls://sinter-nats.sinter-system.svc:4222',
};

const refusal = (more: Readonly<Record<string, string>>): string => {
  try {
    parseConfig({ ...NEEDED, ...more });
  } catch (cause) {
    return String(cause);
  }
  return 'nothing was refused';
};

describe('the environment', () => {
  it('has a default for everything that can have one', () => {
    const config = parseConfig(NEEDED);
    assert.equal(config.SINTER_NATS_MODE, 'Bundled');
    assert.equal(config.SINTER_CREDENTIAL_LIFETIME_SECONDS, 2_592_000);
    assert.equal(config.SINTER_LEADER_ELECTION, true);
    assert.deepEqual(config.SINTER_WATCH_NAMESPACES, []);
    assert.equal(config.SINTER_DEFAULT_POLICY, undefined);
    assert.equal(config.SINTER_TRIGGER_HOSTS, undefined);
    assert.ok(Object.isFrozen(config));
  });

  it('reads lists, numbers, flags and JSON', () => {
    const config = parseConfig({
      ...NEEDED,
      SINTER_NATS_URLS: 'tls://a:4222, nats://b:4222,',
      SINTER_WATCH_NAMESPACES: 'shop,traffic',
      SINTER_METRICS_PORT: '9090',
      SINTER_LEADER_ELECTION: 'false',
      SINTER_DEFAULT_POLICY: '{"objective":"Cost"}',
      OTHER: 'ignored',
    });
    assert.deepEqual(config.SINTER_NATS_URLS, ['tls://a:4222', 'nats://b:4222']);
    assert.deepEqual(config.SINTER_WATCH_NAMESPACES, ['shop', 'traffic']);
    assert.equal(config.SINTER_METRICS_PORT, 9090);
    assert.equal(config.SINTER_LEADER_ELECTION, false);
    assert.deepEqual(config.SINTER_DEFAULT_POLICY, { objective: 'Cost' });
  });

  it('takes an empty variable for one that is not there', () => {
    assert.equal(parseConfig({ ...NEEDED, SINTER_FULLNAME: '' }).SINTER_FULLNAME, 'sinter');
  });

  it('names every wrong variable at once, with what was given and what is allowed', () => {
    const text = refusal({ SINTER_NATS_MODE: 'bundled', SINTER_METRICS_PORT: '80a', SINTER_NAMESPACE: '' });
    assert.match(text, /SINTER_NATS_MODE 'bundled' is not allowed: must be one of 'Bundled', 'SigningKey'/);
    assert.match(text, /SINTER_METRICS_PORT '80a' is not allowed: must be a whole number/);
    assert.match(text, /SINTER_NAMESPACE is missing: must be given/);
  });

  const REFUSED: Readonly<Record<string, readonly [Readonly<Record<string, string>>, RegExp]>> = {
    'a port beyond 65535': [{ SINTER_METRICS_PORT: '70000' }, /must be at most 65535/],
    'an address that is none': [{ SINTER_NATS_URLS: 'http://a' }, /must be addresses like tls:\/\/host:4222/],
    'no address': [{ SINTER_NATS_URLS: ',' }, /must name at least one server/],
    'a policy that is no JSON': [{ SINTER_DEFAULT_POLICY: '{' }, /must be a JSON object/],
    'a flag that is neither': [{ SINTER_NATS_LEAF: 'yes' }, /must be one of 'true', 'false'/],
    'a life of a second': [{ SINTER_CREDENTIAL_LIFETIME_SECONDS: '1' }, /must be at least 60/],
  };
  for (const [what, [given, says]] of Object.entries(REFUSED))
    it(`refuses ${what}`, () => {
      assert.match(refusal(given), says);
    });

  it('says a sentence about each variable', () => {
    for (const { name, says } of variables) assert.match(says, /^[A-Z].*\.$/, name);
  });
});
