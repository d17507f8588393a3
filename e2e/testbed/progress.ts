/** Lines about what takes long: nothing is said of what is over within two seconds. */
const SILENCE_MS = 2_000;
const REMINDER_MS = 30_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Does one thing, and says what it is and how long it took where that is long. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const timer = setTimeout(() => {
    say(`${what} …`);
  }, SILENCE_MS);
  const reminder = setInterval(() => {
    say(`${what} … ${seconds(performance.now() - startedAt)}`);
  }, REMINDER_MS);
  try {
    const result = await work();
    const took = performance.now() - startedAt;
    if (took >= SILENCE_MS) say(`${what}: ${seconds(took)}`);
    return result;
  } finally {
    clearTimeout(timer);
    clearInterval(reminder);
  }
}
