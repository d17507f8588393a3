import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromEnvironment } from './bootstrap.ts';

const TOLD = {
  servers: ['tls://10.0.0.7:4222', 'tls://sinter-nats.sinter-system.svc:4222'],
  leafServerName: 'sinter-nats-leaf',
  machine: 'm1',
  instance: 'i1',
};

const pod = (told: object = TOLD): NodeJS.ProcessEnv => ({
  PATH: '/bin',
  SINTER_HOST_IP: '10.0.0.7',
  SINTER_MACHINE: 'm1',
  SINTER_INSTANCE: 'i1',
  SINTER_JWT: 'the jwt',
  SINTER_SEED: 'the seed',
  SINTER_BUS_CA: 'the ca',
  SINTER_BOOTSTRAP: JSON.stringify(told),
});

describe('the bootstrap of a pod', () => {
  it('has its secrets from variables of their own, and its architecture from the process', () => {
    const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch;
    assert.deepEqual(fromEnvironment(pod()), {
      ...TOLD,
      architecture,
      credential: { jwt: 'the jwt', seed: 'the seed' },
      ca: 'the ca',
    });
  });

  it('leaves nothing of itself in the environment, also when it cannot be read', () => {
    const [env, broken] = [pod(), { ...pod(), SINTER_BOOTSTRAP: '{"secret' }];
    fromEnvironment(env);
    assert.throws(() => fromEnvironment(broken), /holds no bootstrap/);
    assert.deepEqual([env, broken], [{ PATH: '/bin' }, { PATH: '/bin' }]);
  });

  it('says which variables are missing, and never what they hold', () => {
    const env = pod();
    delete env['SINTER_SEED'];
    assert.throws(
      () => fromEnvironment(env),
      (error: Error) => error.message.includes('SINTER_SEED') && !error.message.includes('the jwt'),
    );
  });

  it('may be complete in itself, as whoever starts a process by hand gives it', () => {
    const credential = { jwt: 'a', seed: 'b' };
    const told = { ...TOLD, architecture: 's390x', credential };
    const { credential: read, architecture } = fromEnvironment({ SINTER_BOOTSTRAP: JSON.stringify(told) });
    assert.deepEqual([read, architecture], [credential, 's390x']);
  });

  it('has no authority where the bus has no TLS', () => {
    assert.ok(!('ca' in fromEnvironment({ ...pod(), SINTER_BUS_CA: '' })));
  });

  it('brackets an address of IPv6, which the kubelet fills in bare', () => {
    const servers = ['tls://fd00:10::7:4222', 'tls://[fd00::8]:4222', 'nats://a.b:4222', '10.0.0.1:4222'];
    assert.deepEqual(fromEnvironment(pod({ ...TOLD, servers })).servers, [
      'tls://[fd00:10::7]:4222',
      'tls://[fd00::8]:4222',
      'nats://a.b:4222',
      '10.0.0.1:4222',
    ]);
  });
});
