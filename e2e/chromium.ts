/**
 * A real browser without a window, driven over its DevTools protocol.
 *
 * Owns: finding or installing a Chromium, its process and profile, and the words of the protocol that tests need. Node's own
 * WebSocket speaks it, so no package is needed. It judges nothing.
 * Invariants:
 *  1. Nothing is installed where a Chromium is there already, so that neither root nor a network is needed then.
 *  2. Its profile is a folder of its own; after `close` neither process nor folder is left.
 *  3. Every wait ends.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const NAMES = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'chrome-headless-shell',
];
/** A browser without fonts draws no letters. */
const PACKAGES = ['chromium-headless-shell', 'fonts-dejavu-core'];
const INSTALL_LIMIT_MS = 600_000;
const START_LIMIT_MS = 60_000;
const ANSWER_LIMIT_MS = 30_000;

/** The path of a Chromium, installed where it can be; else why there is none. */
export async function findChromium(): Promise<{ readonly path: string } | { readonly obstacle: string }> {
  const found = await onPath();
  if (found !== undefined) return { path: found };
  if (process.getuid?.() !== 0)
    return { obstacle: `none of ${NAMES.join(', ')} is on PATH, and only root installs one` };
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeout: INSTALL_LIMIT_MS };
  try {
    await run('apt-get', ['update', '-qq'], options);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES], options);
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n').at(-2) ?? cause.message) : String(cause);
    return { obstacle: `no Chromium is on PATH, and none could be installed: ${why}` };
  }
  const installed = await onPath();
  return installed === undefined ? { obstacle: 'the package brought no Chromium' } : { path: installed };
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of folder === '' ? [] : NAMES) {
      const path = join(folder, name);
      const isThere = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return path;
    }
  return undefined;
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  /** Scripts do not run. */
  readonly scriptless?: boolean;
  readonly reducedMotion?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

export class Browser {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: Json) => void; reject: (cause: Error) => void }>();
  readonly #pages = new Map<string, Page>();
  #last = 0;

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      this.#heard(JSON.parse(String(data)) as Heard);
    });
    socket.addEventListener('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser has ended'));
    });
  }

  static async start(path: string): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'sinter-browser-'));
    const words = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
    ];
    const child = spawn(
      path,
      [...words, '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    );
    try {
      const socket = new WebSocket(await addressOf(child));
      await new Promise<void>((resolve, reject) => {
        socket.addEventListener('open', () => resolve(), { once: true });
        socket.addEventListener('error', () => reject(new Error('the browser does not answer')), {
          once: true,
        });
      });
      return new Browser(child, folder, socket);
    } catch (cause) {
      await end(child, folder);
      throw cause;
    }
  }

  async open(url: string, view: View): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    this.#pages.set(String(sessionId), page);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
    await page.look(view);
    if (view.scriptless === true) await page.send('Emulation.setScriptExecutionDisabled', { value: true });
    await page.send('Page.navigate', { url });
    await page.until(
      'the document is there',
      `document.readyState === 'complete' && location.href !== 'about:blank'`,
    );
    return page;
  }

  async send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<Json>();
    const timer = setTimeout(
      () => reject(new Error(`the browser did not answer to ${method}`)),
      ANSWER_LIMIT_MS,
    );
    this.#waiting.set(id, { resolve, reject });
    this.#socket.send(
      JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await end(this.#process, this.#folder);
  }

  #heard({ id, result, error, method, params, sessionId = '' }: Heard): void {
    if (id === undefined) this.#pages.get(sessionId)?.heard(method ?? '', params ?? {});
    else if (error) this.#waiting.get(id)?.reject(new Error(error.message));
    else this.#waiting.get(id)?.resolve(result ?? {});
  }
}

interface Heard {
  readonly id?: number;
  readonly result?: Json;
  readonly error?: { readonly message: string };
  readonly method?: string;
  readonly params?: Json;
  readonly sessionId?: string;
}

export class Page {
  readonly #browser: Browser;
  readonly #session: string;
  /** What the page complained of: exceptions, refusals of its content policy, requests that failed. */
  readonly complaints: string[] = [];

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  heard(method: string, params: Json): void {
    if (method === 'Runtime.exceptionThrown')
      this.complaints.push(JSON.stringify(params['exceptionDetails']));
    if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params['entry']));
  }

  send(method: string, params: Json = {}): Promise<Json> {
    return this.#browser.send(method, params, this.#session);
  }

  async look({ width, height, dark = false, reducedMotion = false }: View): Promise<void> {
    const mobile = width < 600;
    await this.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: mobile ? 2 : 1,
      mobile,
    });
    await this.send('Emulation.setEmulatedMedia', {
      features: [
        { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
        { name: 'prefers-reduced-motion', value: reducedMotion ? 'reduce' : 'no-preference' },
      ],
    });
  }

  /** The value of an expression in the page, as JSON carries it. */
  async value<T>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    const { result, exceptionDetails } = answer as { result?: { value?: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result?.value as T;
  }

  /** Waits until an expression holds in the page; gives its value. */
  async until<T>(what: string, expression: string, limitMs = 30_000): Promise<T> {
    const until = performance.now() + limitMs;
    for (;;) {
      const value = await this.value<T>(expression).catch(() => undefined); // the document may just be changing
      if (value) return value;
      if (performance.now() >= until) throw new Error(`not within ${String(limitMs)} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** As a finger on the keyboard does. */
  async press(key: 'Tab' | 'Enter' | 'Escape'): Promise<void> {
    const code = { Tab: 9, Enter: 13, Escape: 27 }[key];
    const common = {
      key,
      code: key,
      windowsVirtualKeyCode: code,
      ...(key === 'Enter' ? { text: '\r' } : {}),
    };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...common });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
  }

  /** A PNG of the whole page. */
  async picture(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(String(data), 'base64');
  }
}

/** Where it listens, from what it says at its start. */
async function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const timer = setTimeout(
    () => reject(new Error(`the browser did not start in time: ${said}`)),
    START_LIMIT_MS,
  );
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-8_000);
    const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    if (address !== undefined) resolve(address);
  });
  child.once('error', reject);
  child.once('exit', () => reject(new Error(`the browser did not start: ${said}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** With its helpers: they are of its process group. */
async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
