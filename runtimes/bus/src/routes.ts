/**
 * The route of one workflow, as it stands and as it changes (D3).
 *
 * Owns: reading it by direct get, hearing of changes as the hub tells them, reading again after a reconnection.
 * Invariants: an older generation never replaces a newer one; when cut off, the last value stays.
 */
import {
  JS_API_PREFIX,
  ROUTES_BUCKET,
  changeSubject,
  isSpoken,
  kvStream,
  kvSubject,
  routeKey,
} from '@sinter/contract';
import type { RouteRecord, WorkflowKey } from '@sinter/contract';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Link } from './link.ts';
import type { Rider, Session } from './session.ts';

const GET_MS = 1_000;
const REREAD_MS = 30_000;
/** After a failed reading, or while there is no route at all, it is read again sooner. */
const RETRY_MS = 1_000;
const decoder = new TextDecoder();
const EMPTY = new Uint8Array(0);

export class RouteWatch implements Rider {
  readonly #session: Session;
  readonly #workflow: WorkflowKey;
  readonly #onRoute: (route: RouteRecord) => void;
  readonly #onProblem: (problem: string) => void;
  #route: RouteRecord | undefined;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #offUp: () => void = () => undefined;
  #stopped = false;

  constructor(
    session: Session,
    workflow: WorkflowKey,
    onRoute: (route: RouteRecord) => void,
    onProblem: (problem: string) => void,
  ) {
    this.#session = session;
    this.#workflow = workflow;
    this.#onRoute = onRoute;
    this.#onProblem = onProblem;
  }

  get current(): RouteRecord | undefined {
    return this.#route;
  }

  /** Listens, then reads: a change in between is heard. Resolves after the first read; there may be no route yet. */
  async start(): Promise<void> {
    this.#session.add(this);
    this.#listen(this.#session.link);
    await this.#session.link.flush();
    await this.#keepReading();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#offUp();
    this.#subscription?.unsubscribe();
  }

  async moved(to: Link): Promise<void> {
    const old = this.#subscription;
    this.#listen(to);
    await to.flush().catch(() => undefined); // when it comes up again the route is read anyway
    old?.unsubscribe();
    await this.read();
  }

  busy(): number {
    return 0;
  }

  async #keepReading(): Promise<void> {
    const wasRead = await this.read();
    if (this.#stopped) return;
    this.#timer = setTimeout(
      () => void this.#keepReading(),
      wasRead && this.#route !== undefined ? REREAD_MS : RETRY_MS,
    );
  }

  /** Reads the stored value and says whether that went well; a failure is reported and leaves the last one. */
  async read(): Promise<boolean> {
    const subject = kvSubject(ROUTES_BUCKET, routeKey(this.#workflow));
    try {
      const msg = await this.#session.link.request(
        `${JS_API_PREFIX}.DIRECT.GET.${kvStream(ROUTES_BUCKET)}.${subject}`,
        EMPTY,
        GET_MS,
      );
      if (msg.headers?.code !== 404) this.#take(msg);
      return true;
    } catch (cause) {
      if (!this.#stopped) this.#onProblem(`the route was not read: ${String(cause)}`);
      return false;
    }
  }

  #listen(link: Link): void {
    this.#offUp();
    this.#offUp = link.onUp(() => void this.read());
    const key = routeKey(this.#workflow);
    const own = kvSubject(ROUTES_BUCKET, key);
    this.#subscription = link.subscribe(changeSubject(key), (msg) => {
      // What the hub tells carries the name of what it stored; anything else was reflected by a server.
      if (msg.headers?.get('Nats-Subject') === own) this.#take(msg);
    });
  }

  #take(msg: Msg): void {
    if (msg.data.byteLength === 0) return;
    const route = parsed(decoder.decode(msg.data));
    if (!route) {
      this.#onProblem('a route that cannot be read was ignored');
      return;
    }
    if (this.#route && route.generation <= this.#route.generation) return;
    this.#route = route;
    this.#onRoute(route);
  }
}

/** A route of a version that is understood here; undefined for anything else. */
function parsed(text: string): RouteRecord | undefined {
  try {
    const route = JSON.parse(text) as Partial<RouteRecord> | null;
    const whole =
      isSpoken(Number(route?.version)) &&
      Number.isSafeInteger(route?.generation) &&
      typeof route?.current === 'string' &&
      Array.isArray(route.draining) &&
      typeof route.revisions === 'object';
    return whole ? (route as RouteRecord) : undefined;
  } catch {
    return undefined; // told by who calls
  }
}
