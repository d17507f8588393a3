/**
 * How other commands ask a run for something that its state file cannot say: HTTP on 127.0.0.1, with the run's token.
 *
 *   GET /snapshots/<namespace>/<workflow>     what a plan would be made from at this moment, as a snapshot file
 *   PUT /plans/<namespace>/<workflow>         {"hash": "…"}: that plan is to run; "": the policy decides again
 *
 * Owns: the server and its answers. What they say is the applier's. `{"message": …}` says why there is no result.
 * Invariant: without the token nobody learns what there is, also not from a page in a browser on this machine.
 */
import { timingSafeEqual, createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WorkflowName } from '../model/nouns.ts';

/** What is asked for is not there, or cannot be done. */
export class ControlRefusal extends Error {
  override readonly name = 'ControlRefusal';
  readonly status: 404 | 409;

  constructor(status: 404 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

/** Both throw a ControlRefusal for what a user can mend. */
export interface ControlPort {
  /** The text of a snapshot file. */
  snapshot(workflow: WorkflowName): string;
  /** Resolves to the hash of the plan that runs then. */
  choose(workflow: WorkflowName, hash: string): Promise<string>;
}

const BODY_LIMIT_BYTES = 4 * 1024;

export class Control {
  readonly #port: ControlPort;
  readonly #token: Buffer;
  readonly #server: Server;

  private constructor(port: ControlPort, token: string) {
    this.#port = port;
    this.#token = digest(token);
    this.#server = createServer((req, res) => {
      this.#answer(req, res).catch((cause: unknown) => {
        if (cause instanceof ControlRefusal) say(res, cause.status, cause.message);
        else say(res, 500, cause instanceof Error ? cause.message : String(cause));
      });
    });
    this.#server.headersTimeout = 5_000;
  }

  static async start(port: ControlPort, token: string): Promise<Control> {
    const control = new Control(port, token);
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', reject);
      control.#server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    return control;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!this.#knows(req.headers.authorization)) {
      say(res, 401, "the token of this run is needed: it stands in the run's state file");
      return;
    }
    const [, what, namespace = '', workflow = '', ...rest] = (req.url ?? '').split('/');
    const asked = `${req.method ?? ''} ${what ?? ''}`;
    if (workflow === '' || rest.length > 0) say(res, 404, 'there are /snapshots/… and /plans/…');
    else if (asked === 'GET snapshots') write(res, 200, this.#port.snapshot({ namespace, workflow }));
    else if (asked === 'PUT plans') {
      const hash = hashIn(await bodyOf(req));
      if (hash === undefined) say(res, 400, 'the body must be {"hash": "…"}: 10 hexadecimal digits, or none');
      else write(res, 200, JSON.stringify({ hash: await this.#port.choose({ namespace, workflow }, hash) }));
    } else say(res, 404, 'there are GET /snapshots/… and PUT /plans/…');
  }

  #knows(authorization = ''): boolean {
    const token = /^Bearer (.+)$/.exec(authorization)?.[1] ?? '';
    return timingSafeEqual(digest(token), this.#token);
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) {
    text += String(chunk);
    if (text.length > BODY_LIMIT_BYTES) return '';
  }
  return text;
}

function hashIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('hash' in value)) return undefined;
    const { hash } = value;
    return typeof hash === 'string' && /^([0-9a-f]{10})?$/.test(hash) ? hash : undefined;
  } catch {
    return undefined; // not JSON
  }
}

const say = (res: ServerResponse, status: number, message: string): void => {
  write(res, status, JSON.stringify({ message }));
};

function write(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  res.end(text);
}
