/** Plain requests to the API server, for what has to be quick or frequent: a kubectl costs 100 ms of a core. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { NETWORK } from '../places.ts';
import { PKI, kubeconfigOf } from './pki.ts';

export interface ApiAnswer {
  /** 0 where there was none. */
  readonly status: number;
  readonly body: string;
}

interface ApiOptions {
  readonly method?: string;
  readonly contentType?: string;
  readonly body?: unknown;
}

const LIMIT_MS = 15_000;

/** A client with an identity of the testbed's own. */
export class Api {
  readonly #agent: Agent;
  readonly #token: string;

  constructor(agent: Agent, token: string) {
    this.#agent = agent;
    this.#token = token;
  }

  static async as(identity: string): Promise<Api> {
    const config = JSON.parse(await readFile(kubeconfigOf(identity), 'utf8')) as {
      readonly users: readonly { readonly user: { readonly token: string } }[];
    };
    const agent = new Agent({ ca: await readFile(PKI.ca), keepAlive: true, maxSockets: 4 });
    return new Api(agent, config.users[0]?.user.token ?? '');
  }

  /** Rejects never: no answer is an answer. */
  ask(
    path: string,
    { method = 'GET', contentType = 'application/json', body }: ApiOptions = {},
  ): Promise<ApiAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve) => {
      const headers = {
        authorization: `Bearer ${this.#token}`,
        'user-agent': 'sinter-testbed',
        ...(text === '' ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) }),
      };
      const failed = (cause: Error): void => resolve({ status: 0, body: cause.message });
      const at = { host: NETWORK.host, port: NETWORK.apiPort, path, method, headers, agent: this.#agent };
      const req = request(at, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.once('error', failed);
        res.once('end', () =>
          resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      });
      req.once('error', failed);
      req.setTimeout(LIMIT_MS, () => req.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
      req.end(text);
    });
  }

  /** Applies an object as it is. Rejects with what the server said. */
  async apply(path: string, object: object): Promise<void> {
    const at = `${path}?fieldManager=testbed&force=true`;
    const contentType = 'application/apply-patch+yaml';
    const { status, body } = await this.ask(at, { method: 'PATCH', contentType, body: object });
    if (status !== 200 && status !== 201)
      throw new Error(`${path} was not applied: ${String(status)} ${body}`);
  }

  close(): void {
    this.#agent.destroy();
  }
}
