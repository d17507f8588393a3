/** What a registry can do wrong that a real one does not when asked: the wire is faked, byte by byte. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import tls from 'node:tls';
import { newAuthority, newServerCertificate } from '../../../operator/src/bus/certificates.ts';
import { ImageError } from '../src/images/imageError.ts';
import { pullModule } from '../src/images/pull.ts';
import type { PullOptions } from '../src/images/pull.ts';
import { dockerConfig, image, index, layer, referenceTo, sha256 } from './registry.ts';
import type { Descriptor, Store } from './registry.ts';

type Answering = (req: IncomingMessage, res: ServerResponse) => void;

/** Serves what was put, and by path what the test wants instead. */
class FaultyRegistry implements Store {
  readonly faults = new Map<string, Answering>();
  readonly asked: { readonly path: string; readonly authorization: string | undefined }[] = [];
  readonly #content = new Map<string, { readonly type: string; readonly bytes: Uint8Array }>();
  readonly #server: Server;
  readonly #scheme: string;

  constructor(secure?: { readonly key: string; readonly cert: string }) {
    this.#scheme = secure ? 'https' : 'http';
    const serve: Answering = (req, res) => this.serve(req, res);
    this.#server = secure ? createTlsServer(secure, serve) : createServer(serve);
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  get host(): string {
    return `localhost:${String((this.#server.address() as AddressInfo).port)}`;
  }

  get url(): string {
    return `${this.#scheme}://${this.host}`;
  }

  putBlob(bytes: Uint8Array): Promise<void> {
    this.#content.set(sha256(bytes), { type: 'application/octet-stream', bytes });
    return Promise.resolve();
  }

  putManifest(digest: string, type: string, bytes: Uint8Array): Promise<void> {
    this.#content.set(digest, { type, bytes });
    return Promise.resolve();
  }

  serve(req: IncomingMessage, res: ServerResponse, path = (req.url ?? '').split('?')[0] ?? ''): void {
    this.asked.push({ path, authorization: req.headers.authorization });
    const fault = this.faults.get(path);
    if (fault) fault(req, res);
    else this.give(res, path);
  }

  give(res: ServerResponse, path: string): void {
    const found = this.#content.get(path.split('/').at(-1) ?? '');
    if (found) res.writeHead(200, { 'content-type': found.type }).end(found.bytes);
    else res.writeHead(404).end();
  }

  bytes(digest: string): Uint8Array {
    return this.#content.get(digest)?.bytes ?? new Uint8Array();
  }
}

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answering =>
  (_, res) => {
    res.writeHead(code, headers).end();
  };
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

describe('a registry that', () => {
  let registry: FaultyRegistry;
  let elsewhere: FaultyRegistry;
  let found: Descriptor;
  let of: Descriptor;
  let manifests: string;
  let blobs: string;
  const pauses: number[] = [];
  const problems: string[] = [];

  before(async () => {
    registry = await new FaultyRegistry().start();
    elsewhere = await new FaultyRegistry().start();
    found = await layer(registry, { 'a.mjs': 'one', b: Buffer.alloc(200_000, 'noise') }, '');
    of = await image(registry, [found]);
    manifests = `/v2/team/cars/manifests/${of.digest}`;
    blobs = `/v2/team/cars/blobs/${found.digest}`;
  });
  after(() => Promise.all([registry.stop(), elsewhere.stop()]));
  beforeEach(() => {
    for (const r of [registry, elsewhere]) {
      r.faults.clear();
      r.asked.length = 0;
    }
    pauses.length = 0;
    problems.length = 0;
  });

  const pull = async (more: Partial<PullOptions> = {}, what = of, path = '/a.mjs'): Promise<string> => {
    const bytes = await pullModule(
      { reference: referenceTo(registry.host, what), path },
      {
        settings: { configs: [], insecure: [registry.host] },
        architecture: 'amd64',
        onProblem: (p) => problems.push(p),
        pause: (ms) => {
          pauses.push(ms);
          return Promise.resolve();
        },
        ...more,
      },
    );
    return Buffer.from(bytes).toString();
  };
  const withConfig = (...configs: readonly string[]): Partial<PullOptions> => ({
    settings: { configs, insecure: [registry.host] },
  });
  const fails = async (pulling: Promise<string>, problem: string, says: RegExp): Promise<void> => {
    await assert.rejects(pulling, (e) => {
      assert.ok(e instanceof ImageError, String(e));
      assert.equal(e.problem, problem, e.message);
      assert.match(e.message, says);
      return true;
    });
  };
  /** The first `n` answers are faults. */
  const atFirst = (n: number, fault: Answering, path: string): void => {
    let left = n;
    registry.faults.set(path, (req, res) => {
      if (left-- > 0) fault(req, res);
      else registry.give(res, path);
    });
  };
  const cutOff: Answering = (_, res) => {
    const bytes = registry.bytes(found.digest);
    res.writeHead(200, { 'content-length': String(bytes.length) });
    res.write(bytes.subarray(0, 100_000), () => res.destroy());
  };
  const short: Answering = (_, res) => {
    res.writeHead(200).end(registry.bytes(found.digest).subarray(0, 100_000));
  };
  const garbage: Answering = (_, res) => {
    res.writeHead(200).end(Buffer.alloc(found.size, 'x'));
  };
  const longer: Answering = (_, res) => {
    res.writeHead(200).end(Buffer.concat([registry.bytes(found.digest), Buffer.alloc(10)]));
  };

  describe('fails for a while is asked again, with longer and longer pauses:', () => {
    const rows: Readonly<Record<string, readonly [() => string, Answering]>> = {
      'a blob that breaks off': [() => blobs, (req, res) => cutOff(req, res)],
      'a blob that ends too early': [() => blobs, short],
      'a blob with something else in it': [() => blobs, garbage],
      'a blob with something behind it': [() => blobs, longer],
      'a blob that is refused for load': [() => blobs, status(503)],
      'a manifest that is refused for number': [() => manifests, status(429)],
      'a manifest that is another': [() => manifests, (_, res) => res.end('{"layers":[]}')],
      'a connection that is closed': [() => manifests, (req) => req.socket.destroy()],
    };
    for (const [name, [path, fault]] of Object.entries(rows))
      it(name, async () => {
        atFirst(3, fault, path());
        assert.equal(await pull(), 'one');
        assert.deepEqual(pauses, [500, 1000, 2000]);
        assert.equal(problems.length, 3);
      });
  });

  describe('goes on failing is given up:', () => {
    const rows: Readonly<Record<string, readonly [() => string, Answering, string, RegExp]>> = {
      'a blob that breaks off': [() => blobs, (q, s) => cutOff(q, s), 'RegistryUnreachable', /broke off/],
      'a blob that ends too early': [() => blobs, short, 'DigestMismatch', /came with 100000 bytes as/],
      'a blob with something behind it': [
        () => blobs,
        longer,
        'DigestMismatch',
        /has more bytes than the manifest says/,
      ],
      'another blob of the same size': [() => blobs, garbage, 'DigestMismatch', /came with \d+ bytes as/],
      'another manifest': [
        () => manifests,
        (_, res) => res.end('{"layers":[]}'),
        'DigestMismatch',
        /manifest sha256:\w+ came as sha256:/,
      ],
      'no answer but errors': [() => manifests, status(502), 'RegistryUnreachable', /answered 502/],
    };
    for (const [name, [path, fault, problem, says]] of Object.entries(rows))
      it(name, async () => {
        registry.faults.set(path(), fault);
        await fails(pull(), problem, says);
        assert.equal(pauses.length, 3);
      });
  });

  describe('is wrong for good is not asked again:', () => {
    const endless: Answering = (_, res) => res.end(Buffer.alloc(5 * 1024 * 1024, ' '));
    const rows: Readonly<Record<string, readonly [() => string, Answering, string, RegExp]>> = {
      'a manifest without end': [() => manifests, endless, 'TooLarge', /more than 4194304 bytes/],
      'no such blob': [() => blobs, status(404), 'ImageNotFound', /has no blob .* which the image names/],
      'a blob for others': [
        () => blobs,
        status(403),
        'Unauthorized',
        /does not let localhost:\d+\/team\/cars/,
      ],
      'an odd status': [() => blobs, status(418), 'RegistryUnreachable', /answered 418/],
      'a redirect to nowhere': [() => blobs, status(302), 'RegistryUnreachable', /answered 302/],
      'a redirect to another scheme': [
        () => blobs,
        status(307, { location: 'file:///etc/passwd' }),
        'RegistryUnreachable',
        /only https is/,
      ],
      'a challenge in words of its own': [
        () => manifests,
        status(401, { 'www-authenticate': 'Negotiate abc' }),
        'ImageNotUnderstood',
        /'Negotiate'; Basic and Bearer are/,
      ],
      'a challenge that names no place': [
        () => manifests,
        status(401, { 'www-authenticate': 'Bearer service="x"' }),
        'ImageNotUnderstood',
        /names no place for tokens/,
      ],
      'a refusal without a challenge': [
        () => manifests,
        status(403),
        'Unauthorized',
        /no pull secret has credentials/,
      ],
    };
    for (const [name, [path, fault, problem, says]] of Object.entries(rows))
      it(name, async () => {
        registry.faults.set(path(), fault);
        await fails(pull(), problem, says);
        assert.deepEqual(pauses, []);
      });

    it('redirects in a circle, after five of them', async () => {
      registry.faults.set(blobs, status(307, { location: '/again' }));
      registry.faults.set('/again', status(307, { location: blobs }));
      await fails(pull(), 'RegistryUnreachable', /more than 5 redirects/);
      assert.equal(registry.asked.filter(({ path }) => path === blobs || path === '/again').length, 6);
    });

    it('an index of an index of an index', async () => {
      let top = of;
      for (let i = 0; i < 3; i++) top = await index(registry, [top]);
      await fails(pull({}, top), 'ImageNotUnderstood', /leads to indexes only/);
    });

    it('a layer that goes on behind its archive', async () => {
      const packed = await layer(registry, { 'a.mjs': 'one' });
      const bytes = Buffer.concat([registry.bytes(packed.digest), Buffer.from('trailing')]);
      await registry.putBlob(bytes);
      const more = { ...packed, digest: sha256(bytes), size: bytes.length };
      const pulled = await pull({}, await image(registry, [more])).catch((cause: unknown) => cause);
      assert.ok(
        pulled === 'one' || (pulled instanceof ImageError && pulled.problem === 'ImageNotUnderstood'),
      );
    });

    it('an archive that ends in the midst of the file', async () => {
      const whole = registry.bytes(found.digest).subarray(0, 512 + 2);
      await registry.putBlob(whole);
      const cut = { ...found, digest: sha256(whole), size: whole.length };
      await fails(
        pull({}, await image(registry, [cut])),
        'ImageNotUnderstood',
        /ends in the midst of the file/,
      );
    });
  });

  it('keeps its blobs elsewhere sends no credential there', async () => {
    await elsewhere.putBlob(registry.bytes(found.digest));
    registry.faults.set(manifests, (req, res) => {
      if (req.headers.authorization === undefined)
        status(401, { 'www-authenticate': 'Basic realm="r"' })(req, res);
      else registry.give(res, manifests);
    });
    const location = `${elsewhere.url}/store/${found.digest}?signature=abc`;
    registry.faults.set(blobs, status(307, { location }));
    const config = withConfig(dockerConfig({ localhost: ['u', 'x'], [registry.host]: ['anna', 'pw'] }));
    assert.equal(await pull(config), 'one');
    assert.deepEqual(
      elsewhere.asked.map((a) => a.authorization),
      [undefined],
    );
    assert.deepEqual(
      registry.asked.map((a) => a.authorization),
      [undefined, basic('anna', 'pw'), basic('anna', 'pw')],
    );
  });

  it('sends on to a place that wants credentials gives none to it', async () => {
    registry.faults.set(blobs, status(307, { location: `${elsewhere.url}/x` }));
    elsewhere.faults.set('/x', status(401, { 'www-authenticate': 'Basic realm="give me yours"' }));
    const config = withConfig(dockerConfig({ [registry.host]: ['anna', 'pw'] }));
    await fails(pull(config), 'Unauthorized', /does not let/);
    assert.deepEqual(
      elsewhere.asked.map((a) => a.authorization),
      [undefined],
    );
  });

  describe('wants tokens', () => {
    /** Tokens for the named users, or for everybody, and the registry takes only what was given last. */
    const withTokens = (users: Readonly<Record<string, string>>, anybody: boolean): void => {
      const challenge = `Bearer realm="${elsewhere.url}/token",service="the \\"registry\\"",scope="other"`;
      let given = '';
      elsewhere.faults.set('/token', (req, res) => {
        const { authorization } = req.headers;
        const url = new URL(req.url ?? '', elsewhere.url);
        assert.equal(url.searchParams.get('service'), 'the "registry"');
        assert.equal(url.searchParams.get('scope'), 'repository:team/cars:pull');
        const known = Object.entries(users).some(([u, p]) => authorization === basic(u, p));
        if (!known && !(anybody && authorization === undefined)) {
          res.writeHead(401).end();
          return;
        }
        given = `token${String(elsewhere.asked.length)}`;
        res.end(JSON.stringify({ access_token: given }));
      });
      for (const path of [manifests, blobs])
        registry.faults.set(path, (req, res) => {
          if (given !== '' && req.headers.authorization === `Bearer ${given}`) registry.give(res, path);
          else status(401, { 'www-authenticate': challenge })(req, res);
        });
    };

    it('gets one for nobody where that is enough', async () => {
      withTokens({}, true);
      assert.equal(await pull(), 'one');
      assert.equal(elsewhere.asked.length, 1, 'one token for the whole pull');
    });

    it('gets one with the credentials of the pull secret', async () => {
      withTokens({ anna: 'pw' }, false);
      assert.equal(await pull(withConfig(dockerConfig({ [registry.host]: ['anna', 'pw'] }))), 'one');
      await fails(pull(), 'Unauthorized', /no pull secret has credentials/);
    });

    it('gets one for nobody where the credentials are old', async () => {
      withTokens({ anna: 'new' }, true);
      assert.equal(await pull(withConfig(dockerConfig({ [registry.host]: ['anna', 'old'] }))), 'one');
    });

    it('gets a new one where the old one has ended', async () => {
      withTokens({}, true);
      const give = registry.faults.get(manifests);
      registry.faults.set(manifests, (req, res) => {
        give?.(req, res);
        // As if its life had ended with the manifest: whoever asks next is given another.
        if (req.headers.authorization !== undefined) {
          elsewhere.asked.push({ path: '', authorization: undefined });
          withTokens({}, true);
        }
      });
      assert.equal(await pull(), 'one');
      assert.equal(elsewhere.asked.filter(({ path }) => path === '/token').length, 2);
    });

    it('cannot have one while its place fails, and asks again', async () => {
      withTokens({}, true);
      const give = elsewhere.faults.get('/token');
      let left = 2;
      elsewhere.faults.set('/token', (req, res) => {
        if (left-- > 0) status(500)(req, res);
        else give?.(req, res);
      });
      assert.equal(await pull(), 'one');
      assert.equal(pauses.length, 2);
    });

    for (const answer of ['', '<html>', '{}', '{"token":1}', '{"token":"a\\nb"}', '[]', 'null'])
      it(`is told '${answer}' in place of one, and nobody comes in`, async () => {
        withTokens({}, true);
        elsewhere.faults.set('/token', (_, res) => res.end(answer));
        await fails(pull(), 'Unauthorized', /no pull secret/);
      });
  });

  it('is not listed as insecure is not asked over plain http', async () => {
    await fails(
      pull({ settings: { configs: [], insecure: ['other.example'] } }),
      'RegistryUnreachable',
      /https:\/\/localhost:\d+ cannot be reached/,
    );
    assert.equal(registry.asked.length, 0);
  });

  it('speaks https may not send on to plain http', async () => {
    const authority = await newAuthority(Date.now());
    const { certificate: cert, key } = await newServerCertificate(
      authority,
      { dns: ['localhost'], isClientToo: false },
      Date.now(),
    );
    const usual = tls.getCACertificates('default');
    tls.setDefaultCACertificates([...usual, authority.certificate]);
    const secure = await new FaultyRegistry({ key, cert }).start();
    const there = await image(secure, [await layer(secure, { 'a.mjs': 'one' })]);
    const pullSecure = (): Promise<Uint8Array> =>
      pullModule(
        { reference: referenceTo(secure.host, there), path: '/a.mjs' },
        { settings: { configs: [], insecure: [] }, architecture: 'amd64', onProblem: () => undefined },
      );
    assert.equal(Buffer.from(await pullSecure()).toString(), 'one');
    secure.faults.set(
      `/v2/team/cars/manifests/${there.digest}`,
      status(307, { location: `${elsewhere.url}/x` }),
    );
    await assert.rejects(pullSecure(), /http:\/\/localhost:\d+ is not asked: only https is/);
    assert.equal(elsewhere.asked.length, 0);
    await secure.stop();
    tls.setDefaultCACertificates(usual);
  });

  it('says nothing is left when the host is told to end', async () => {
    registry.faults.set(manifests, () => undefined);
    const ending = new AbortController();
    const pulling = pull({ signal: ending.signal });
    pulling.catch(() => undefined);
    while (registry.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    ending.abort();
    await fails(pulling, 'RegistryUnreachable', /abort/);
    assert.deepEqual(pauses, []);
  });
});
