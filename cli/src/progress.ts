/** A bar on a terminal; elsewhere a line every two seconds. */
import type { Stream } from './terminal.ts';

const CELLS = 40;
const LINE_EVERY_MS = 2_000;
const DRAW_EVERY_MS = 50;

export class Progress {
  readonly #to: Stream;
  readonly #title: string;
  readonly #total: number;
  #drawnAtMs: number;
  #drawn = false;

  constructor(to: Stream, title: string, total: number) {
    this.#to = to;
    this.#title = title;
    this.#total = total;
    this.#drawnAtMs = to.isTty ? -Infinity : performance.now();
  }

  update(done: number): void {
    const nowMs = performance.now();
    const pauseMs = this.#to.isTty ? DRAW_EVERY_MS : LINE_EVERY_MS;
    if (done < this.#total && nowMs - this.#drawnAtMs < pauseMs) return;
    this.#drawnAtMs = nowMs;
    const numbers = `${String(done)} of ${String(this.#total)} calls`;
    if (!this.#to.isTty) {
      this.#to.line(`${this.#title}: ${numbers}`);
      return;
    }
    const filled = Math.round((CELLS * done) / Math.max(1, this.#total));
    this.#to.write(`\r${this.#title}  ${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)}  ${numbers}`);
    this.#drawn = true;
  }

  end(): void {
    if (this.#drawn) this.#to.line();
    this.#drawn = false;
  }
}
