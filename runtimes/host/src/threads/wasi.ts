/**
 * WASI preview 1 for a command with its standard streams in memory: as much as a program needs that has no files.
 *
 * Owns: arguments, environment, the three streams, clocks, random numbers, sleeping and exit. All else of preview 1 (files,
 * directories, sockets) answers ENOSYS, or EBADF where a libc asks what there is.
 * It is our own and not `@bjorn3/browser_wasi_shim`: most of that is a file system in memory that nothing here can reach,
 * while what is needed here it lacks: a bound on the output (a program that prints without end would fill the unit's
 * memory), the end of a long stderr, sleeping in `poll_oneoff`, and an error code for a bad pointer. `node:wasi` needs
 * real files.
 * Invariants:
 *  1. Nothing that a program passes makes this throw anything but `Exit` and `OutputTooLarge`: a bad pointer is EFAULT.
 *  2. The memory is looked up at every call: growth replaces its buffer.
 */

import type { Memory } from './webAssembly.ts';

const ERRNO = { success: 0, badf: 8, fault: 21, inval: 28, nosys: 52, spipe: 70 } as const;
const CLOCK = { realtime: 0 } as const;
const EVENT = { clock: 0, fdRead: 1 } as const;
const FILETYPE_UNKNOWN = 0;
const RANDOM_CHUNK = 65_536;

/** Bytes of stderr that are kept: its end. */
export const STDERR_LIMIT = 16 * 1024;

/** Thrown through the program by `proc_exit`. */
export class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${String(code)}`);
    this.code = code;
  }
}

/** Thrown through the program when it has written more than may travel. */
export class OutputTooLarge extends Error {}

export interface CommandInput {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly outputLimitBytes: number;
}

type Imported = (...args: never[]) => number;

const encoder = new TextEncoder();

export class Wasi {
  readonly #args: readonly Uint8Array[];
  readonly #env: readonly Uint8Array[];
  readonly #stdin: Uint8Array;
  readonly #outputLimitBytes: number;
  readonly #out: Uint8Array[] = [];
  /** The instance's memory; to be set before its `_start`. */
  memory: Memory | undefined;
  /** For how long the program has slept, in milliseconds. */
  sleptMs = 0;
  #readAt = 0;
  #outBytes = 0;
  #err: Uint8Array = new Uint8Array(0);

  constructor(input: CommandInput) {
    this.#args = input.args.map(zeroTerminated);
    this.#env = Object.entries(input.env).map(([name, value]) => zeroTerminated(`${name}=${value}`));
    this.#stdin = input.stdin;
    this.#outputLimitBytes = input.outputLimitBytes;
  }

  /** What was written to standard output, in a buffer of its own. */
  output(): Uint8Array {
    const all = new Uint8Array(this.#outBytes);
    let at = 0;
    for (const chunk of this.#out) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** The end of what was written to standard error. */
  stderr(): string {
    return new TextDecoder().decode(this.#err);
  }

  /** The functions for these imports of `wasi_snapshot_preview1`. */
  imports(names: readonly string[]): Record<string, Imported> {
    const known: Readonly<Record<string, Imported>> = this.#functions();
    return Object.fromEntries(names.map((name) => [name, guarded(known[name] ?? notThere)]));
  }

  #functions(): Record<string, Imported> {
    const stream = (fd: number): number => (fd <= 2 ? ERRNO.success : ERRNO.badf);
    return {
      args_get: (list: number, text: number) => this.#strings(this.#args, list, text),
      args_sizes_get: (count: number, size: number) => this.#sizes(this.#args, count, size),
      environ_get: (list: number, text: number) => this.#strings(this.#env, list, text),
      environ_sizes_get: (count: number, size: number) => this.#sizes(this.#env, count, size),
      clock_res_get: (_id: number, to: number) => this.#u64(to, 1_000n),
      clock_time_get: (id: number, _precision: bigint, to: number) => this.#u64(to, nowNs(id)),
      random_get: (at: number, length: number) => this.#random(at, length),
      proc_exit: (code: number) => {
        throw new Exit(code);
      },
      sched_yield: () => ERRNO.success,
      poll_oneoff: (from: number, to: number, count: number, done: number) =>
        this.#poll(from, to, count, done),
      fd_read: (fd: number, iovs: number, count: number, read: number) => this.#read(fd, iovs, count, read),
      fd_write: (fd: number, iovs: number, count: number, written: number) =>
        this.#write(fd, iovs, count, written),
      fd_close: stream,
      fd_datasync: stream,
      fd_sync: stream,
      fd_fdstat_set_flags: stream,
      fd_fdstat_get: (fd: number, to: number) => (fd > 2 ? ERRNO.badf : this.#fdstat(fd, to)),
      fd_filestat_get: (fd: number, to: number) => (fd > 2 ? ERRNO.badf : this.#filestat(to)),
      fd_seek: (fd: number) => (fd > 2 ? ERRNO.badf : ERRNO.spipe),
      fd_tell: (fd: number) => (fd > 2 ? ERRNO.badf : ERRNO.spipe),
      // A libc asks from 3 on which directories were opened for it, until it hears that there are no more.
      fd_prestat_get: () => ERRNO.badf,
      fd_prestat_dir_name: () => ERRNO.badf,
    };
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#buffer(), at >>> 0, length >>> 0);
  }

  #view(): DataView {
    return new DataView(this.#buffer());
  }

  #buffer(): ArrayBufferLike {
    if (this.memory === undefined) throw new RangeError('called before the memory was there');
    return this.memory.buffer;
  }

  #u64(to: number, value: bigint): number {
    this.#view().setBigUint64(to >>> 0, value, true);
    return ERRNO.success;
  }

  #strings(strings: readonly Uint8Array[], list: number, text: number): number {
    const view = this.#view();
    let at = text >>> 0;
    strings.forEach((string, i) => {
      view.setUint32((list >>> 0) + 4 * i, at, true);
      this.#bytes(at, string.length).set(string);
      at += string.length;
    });
    return ERRNO.success;
  }

  #sizes(strings: readonly Uint8Array[], count: number, size: number): number {
    const view = this.#view();
    view.setUint32(count >>> 0, strings.length, true);
    view.setUint32(
      size >>> 0,
      strings.reduce((sum, s) => sum + s.length, 0),
      true,
    );
    return ERRNO.success;
  }

  #random(at: number, length: number): number {
    const bytes = this.#bytes(at, length);
    for (let i = 0; i < bytes.length; i += RANDOM_CHUNK)
      bytes.set(crypto.getRandomValues(new Uint8Array(Math.min(RANDOM_CHUNK, bytes.length - i))), i);
    return ERRNO.success;
  }

  /** The `count` buffers of a scattered read or write. */
  *#buffers(iovs: number, count: number): Generator<Uint8Array> {
    for (let i = 0; i < count >>> 0; i++) {
      const view = this.#view();
      const at = (iovs >>> 0) + 8 * i;
      yield this.#bytes(view.getUint32(at, true), view.getUint32(at + 4, true));
    }
  }

  #read(fd: number, iovs: number, count: number, read: number): number {
    if (fd !== 0) return ERRNO.badf;
    let total = 0;
    for (const buffer of this.#buffers(iovs, count)) {
      const part = this.#stdin.subarray(this.#readAt, this.#readAt + buffer.length);
      buffer.set(part);
      this.#readAt += part.length;
      total += part.length;
      if (part.length < buffer.length) break;
    }
    this.#view().setUint32(read >>> 0, total, true);
    return ERRNO.success;
  }

  #write(fd: number, iovs: number, count: number, written: number): number {
    if (fd !== 1 && fd !== 2) return ERRNO.badf;
    let total = 0;
    for (const buffer of this.#buffers(iovs, count)) {
      if (fd === 1) this.#addOutput(buffer);
      else this.#addError(buffer);
      total += buffer.length;
    }
    this.#view().setUint32(written >>> 0, total, true);
    return ERRNO.success;
  }

  #addOutput(buffer: Uint8Array): void {
    this.#outBytes += buffer.length;
    if (this.#outBytes > this.#outputLimitBytes) throw new OutputTooLarge();
    if (buffer.length > 0) this.#out.push(buffer.slice());
  }

  #addError(buffer: Uint8Array): void {
    const kept = this.#err.subarray(Math.max(0, this.#err.length + buffer.length - STDERR_LIMIT));
    const added = buffer.subarray(Math.max(0, buffer.length - STDERR_LIMIT));
    const all = new Uint8Array(kept.length + added.length);
    all.set(kept);
    all.set(added, kept.length);
    this.#err = all;
  }

  /** A stream that is no terminal (libcs then buffer it) and has the right to be read, or to be written. */
  #fdstat(fd: number, to: number): number {
    const rights = fd === 0 ? 2n : 64n;
    this.#bytes(to, 24).fill(0);
    const view = this.#view();
    view.setUint8(to >>> 0, FILETYPE_UNKNOWN);
    view.setBigUint64((to >>> 0) + 8, rights, true);
    return ERRNO.success;
  }

  #filestat(to: number): number {
    this.#bytes(to, 64).fill(0);
    return ERRNO.success;
  }

  /** Sleeps until the earliest clock, unless a stream is asked for: those are always ready. */
  #poll(from: number, to: number, count: number, done: number): number {
    if (count === 0) return ERRNO.inval;
    const events = this.#subscriptions(from >>> 0, count >>> 0);
    const atOnce = events.filter((e) => e.waitMs <= 0);
    const waitMs = Math.min(...events.map((e) => e.waitMs));
    if (atOnce.length === 0) this.sleptMs += sleep(waitMs);
    const ready = atOnce.length > 0 ? atOnce : events.filter((e) => e.waitMs === waitMs);
    ready.forEach((event, i) => {
      this.#event(event, (to >>> 0) + 32 * i);
    });
    this.#view().setUint32(done >>> 0, ready.length, true);
    return ERRNO.success;
  }

  #subscriptions(from: number, count: number): readonly Subscription[] {
    const all: Subscription[] = [];
    for (let i = 0; i < count; i++) {
      const at = from + 48 * i;
      const view = this.#view();
      const type = view.getUint8(at + 8);
      const userdata = view.getBigUint64(at, true);
      if (type === EVENT.clock) all.push({ userdata, type, fd: 0, waitMs: clockWaitMs(view, at) });
      else all.push({ userdata, type, fd: view.getUint32(at + 16, true), waitMs: 0 });
    }
    return all;
  }

  #event({ userdata, type, fd }: Subscription, at: number): void {
    this.#bytes(at, 32).fill(0);
    const view = this.#view();
    view.setBigUint64(at, userdata, true);
    view.setUint16(at + 8, fd > 2 ? ERRNO.badf : ERRNO.success, true);
    view.setUint8(at + 10, type);
    if (type === EVENT.fdRead) view.setBigUint64(at + 16, BigInt(this.#stdin.length - this.#readAt), true);
  }
}

interface Subscription {
  readonly userdata: bigint;
  readonly type: number;
  readonly fd: number;
  /** 0: ready now. */
  readonly waitMs: number;
}

const zeroTerminated = (s: string): Uint8Array => encoder.encode(`${s}\0`);

const nowNs = (clock: number): bigint =>
  clock === CLOCK.realtime
    ? BigInt(Date.now()) * 1_000_000n
    : BigInt(Math.round(performance.now() * 1_000)) * 1_000n;

function clockWaitMs(view: DataView, at: number): number {
  const isAbsolute = (view.getUint16(at + 40, true) & 1) !== 0;
  const timeoutNs = view.getBigUint64(at + 24, true);
  const leftNs = isAbsolute ? timeoutNs - nowNs(view.getUint32(at + 16, true)) : timeoutNs;
  return Math.max(0, Number(leftNs) / 1e6);
}

/** Blocks this thread, which runs nothing else; the main thread ends it at the deadline. Gives how long that was. */
function sleep(waitMs: number): number {
  const startedAt = performance.now();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
  return performance.now() - startedAt;
}

const notThere = (): number => ERRNO.nosys;

/** A pointer out of the memory is the program's error, told as one. */
const guarded =
  (f: Imported): Imported =>
  (...args) => {
    try {
      return f(...args);
    } catch (thrown) {
      if (thrown instanceof RangeError) return ERRNO.fault;
      throw thrown;
    }
  };
