/**
 * A NATS of the user's own, for tests: one real server with whatever configuration, and accounts as the user's tools would
 * sign them.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccount, createOperator } from '@nats-io/nkeys';
import { locateNatsServer } from '../local/nats/locate.ts';
import { freePorts } from '../local/nats/ports.ts';
import { startProcess } from '../local/nats/process.ts';
import { encodeClaims, seconds, seedOf } from './claims.ts';
import { publicKeyOf } from './claims.ts';

export interface TestNats extends AsyncDisposable {
  readonly url: string;
  readonly log: () => Promise<string>;
}

/** Starts a server with this configuration (as JSON, besides its port) and waits until it is ready. */
export async function startNats(config: object): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), 'sinter-nats-'));
  const [port = 0] = await freePorts(1);
  const log = join(folder, 'log');
  const text = JSON.stringify({ host: '127.0.0.1', port, log_file: log, ...config }).replaceAll(
    '<folder>',
    folder,
  );
  await writeFile(join(folder, 'nats.conf'), text);
  const { path } = await locateNatsServer({ env: process.env });
  const server = await startProcess(path, join(folder, 'nats.conf'));
  const read = () => readFile(log, 'utf8').catch(() => '');
  const dispose = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const limit = Date.now() + 30_000;
  while (!(await read()).includes('Server is ready')) {
    if (Date.now() > limit) {
      const said = (await read()) + server.said();
      await dispose();
      throw new Error(`nats-server did not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { url: `nats://127.0.0.1:${String(port)}`, log: read, [Symbol.asyncDispose]: dispose };
}

/** The user's operator, with accounts and signing keys. */
export class TestOperator {
  readonly #seed = seedOf(createOperator());
  readonly #tokens: Record<string, string> = {};
  readonly #system = publicKeyOf(seedOf(createAccount()));

  /** Makes the keys of an account. */
  static account(): { readonly account: string; readonly seed: string; readonly signingSeed: string } {
    const seed = seedOf(createAccount());
    return { account: publicKeyOf(seed), seed, signingSeed: seedOf(createAccount()) };
  }

  /** Signs an account with these claims (the `nats` part) and a signing key. */
  sign(account: string, nats: object, signingSeed: string): void {
    this.#put(account, { ...nats, signing_keys: [publicKeyOf(signingSeed)] });
  }

  /** The part of a server's configuration that says whom it trusts. */
  config(): object {
    this.#put(this.#system, {});
    const nats = { type: 'operator' as const, system_account: this.#system };
    const operator = publicKeyOf(this.#seed);
    return {
      operator: encodeClaims({ name: 'user', sub: operator, iat: seconds(Date.now()), nats }, this.#seed),
      system_account: this.#system,
      resolver: 'MEMORY',
      resolver_preload: this.#tokens,
    };
  }

  #put(account: string, nats: object): void {
    const claims = { name: account.slice(0, 8), sub: account, iat: seconds(Date.now()) };
    this.#tokens[account] = encodeClaims({ ...claims, nats: { ...nats, type: 'account' } }, this.#seed);
  }
}
