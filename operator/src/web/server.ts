/**
 * The page over HTTP: documents, and what changes of them as server-sent events.
 *
 *   GET /<key>/                                 the only workflow's page, or a list of all
 *   GET /<key>/<namespace>/<workflow>           the document
 *   GET /<key>/<namespace>/<workflow>/events    its parts as they change, at most once a second
 *   GET /<key>/page.css, /<key>/page.js
 *
 * Owns: addresses, headers, and who is told what. `page/` makes the texts; what is seen comes from whoever starts this.
 * Invariants:
 *  1. Who does not know the key learns nothing, not even what there is; the key opens nothing but these pages, all of which only
 *     read. It stands in the address, because a browser sends no header by itself, and a cookie would go to every server on the
 *     machine: cookies know no ports.
 *  2. Nothing of a document is run or loaded but its own script and stylesheet, whatever a manifest says.
 *  3. Nothing is drawn while nobody looks; a reader who takes nothing more is let go.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WorkflowName } from '../model/nouns.ts';
import { SCRIPT, STYLE, documentOf, indexOf, partsOf } from '../page/index.ts';
import type { Part, Scene } from '../page/index.ts';

/** What there is to see. */
export interface Sights {
  workflows(): readonly WorkflowName[];
  /** Undefined: there is no such workflow. */
  scene(workflow: WorkflowName): Scene | undefined;
}

export interface PageOptions {
  readonly sights: Sights;
  readonly key: string;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** A picture that could not be made. */
  readonly onProblem: (problem: string) => void;
}

const LOOK_MS = 1_000;
/** So that proxies on the way, and the reader, know that the connection lives. */
const ALIVE_LOOKS = 15;
const READERS_MAX = 64;
/** Of what is on the way to one reader. */
const BACKLOG_BYTES = 4 * 2 ** 20;

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

export class PageServer {
  readonly #options: PageOptions;
  readonly #key: Buffer;
  readonly #server: Server;
  readonly #readers = new Set<Reader>();
  #looking: NodeJS.Timeout | undefined;

  private constructor(options: PageOptions) {
    this.#options = options;
    this.#key = digest(options.key);
    this.#server = createServer((req, res) => {
      try {
        this.#answer(req, res);
      } catch (cause) {
        options.onProblem(
          `the page was not drawn: ${cause instanceof Error ? (cause.stack ?? '') : String(cause)}`,
        );
        if (!res.headersSent) say(res, 500, 'the page could not be drawn: the log says why');
        else res.destroy();
      }
    });
    this.#server.headersTimeout = 5_000;
    this.#server.requestTimeout = 10_000;
  }

  static async start(options: PageOptions): Promise<PageServer> {
    const page = new PageServer(options);
    await new Promise<void>((resolve, reject) => {
      page.#server.once('error', reject);
      page.#server.listen({ host: options.host, port: options.port }, resolve);
    });
    return page;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking);
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const [, key = '', ...path] = (req.url ?? '').split('?')[0]?.split('/') ?? [];
    if (!timingSafeEqual(digest(key), this.#key)) say(res, 404, 'there is nothing here');
    else if (req.method !== 'GET') say(res, 405, 'there is nothing to change here');
    else if (path.length === 0) redirect(res, `./${key}/`);
    else this.#page(path, req, res);
  }

  #page(
    [first = '', second = '', third, ...rest]: readonly string[],
    req: IncomingMessage,
    res: ServerResponse,
  ): void {
    const { sights } = this.#options;
    const all = sights.workflows();
    if (second === '' && first === '') this.#index(all, res);
    else if (second === '' && first === 'page.css') write(res, 200, 'text/css', STYLE);
    else if (second === '' && first === 'page.js') write(res, 200, 'text/javascript', SCRIPT);
    else {
      const workflow = { namespace: first, workflow: second };
      const scene = sights.scene(workflow);
      if (!scene || rest.length > 0) say(res, 404, 'there is no such workflow');
      else if (third === undefined) write(res, 200, 'text/html', documentOf(scene, all));
      else if (third === 'events') this.#listen(workflow, req, res);
      else say(res, 404, 'there is nothing here');
    }
  }

  #index(all: readonly WorkflowName[], res: ServerResponse): void {
    const [only, second] = all;
    if (!only || second) write(res, 200, 'text/html', indexOf(all));
    else redirect(res, `./${only.namespace}/${only.workflow}`);
  }

  #listen(workflow: WorkflowName, req: IncomingMessage, res: ServerResponse): void {
    if (this.#readers.size >= READERS_MAX) {
      say(res, 503, `${String(READERS_MAX)} pages are open already: close one`);
      return;
    }
    res.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
    const reader = new Reader(workflow, res);
    this.#readers.add(reader);
    this.#looking ??= setInterval(() => {
      this.#look();
    }, LOOK_MS).unref();
    req.socket.setNoDelay(true);
    res.once('close', () => {
      this.#readers.delete(reader);
      if (this.#readers.size > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    });
    this.#tell(reader, new Map());
  }

  /** What is drawn once serves all who look at the same workflow. */
  #look(): void {
    const drawn: Drawn = new Map();
    for (const reader of this.#readers) this.#tell(reader, drawn);
  }

  #tell(reader: Reader, drawn: Drawn): void {
    const id = `${reader.workflow.namespace}/${reader.workflow.workflow}`;
    try {
      const scene = drawn.has(id) ? undefined : this.#options.sights.scene(reader.workflow);
      const parts = drawn.get(id) ?? (scene && partsOf(scene));
      if (!parts) {
        reader.end();
        return;
      }
      drawn.set(id, parts);
      reader.tell(parts);
    } catch (cause) {
      this.#options.onProblem(`the page was not drawn: ${String(cause)}`);
      reader.end();
    }
  }
}

/** By workflow. */
type Drawn = Map<string, readonly Part[]>;

/** One open page, and what it shows. */
class Reader {
  readonly workflow: WorkflowName;
  readonly #res: ServerResponse;
  readonly #shown = new Map<string, string>();
  #quiet = 0;

  constructor(workflow: WorkflowName, res: ServerResponse) {
    this.workflow = workflow;
    this.#res = res;
  }

  tell(parts: readonly Part[]): void {
    const fresh = parts.filter(({ id, text }) => this.#shown.get(id) !== text);
    for (const { id, text } of fresh) this.#shown.set(id, text);
    this.#quiet = fresh.length > 0 ? 0 : this.#quiet + 1;
    if (fresh.length > 0) this.#write(`event: parts\ndata: ${JSON.stringify(fresh)}\n\n`);
    else if (this.#quiet % ALIVE_LOOKS === 0) this.#write(': alive\n\n');
  }

  end(): void {
    this.#res.end();
  }

  #write(text: string): void {
    if (this.#res.writableLength > BACKLOG_BYTES) this.#res.destroy();
    else this.#res.write(text);
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const redirect = (res: ServerResponse, location: string): void => {
  res.writeHead(302, { ...HEADERS, location }).end();
};

const say = (res: ServerResponse, status: number, text: string): void => {
  write(res, status, 'text/plain', `${text}\n`);
};

function write(res: ServerResponse, status: number, type: string, text: string): void {
  res.writeHead(status, { ...HEADERS, 'content-type': `${type}; charset=utf-8` });
  res.end(text);
}
