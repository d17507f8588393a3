/**
 * `npm run bench -- load FOLDER LOAD GATEWAY [--seconds N]`: plays a load of an example against what runs already, and says what
 * became of its calls. Ctrl-C ends it early; what was sent is reported all the same.
 */
import { figuresOf, play, reportLines } from './play.ts';
import { readProfile, timetableOf } from './profile.ts';

export interface LoadOptions {
  readonly folder: string;
  /** Its name in `load.yaml`. */
  readonly load: string;
  readonly gateway: string;
  /** How long, where it is not as the profile says. */
  readonly seconds?: number;
}

export async function playLoad({ folder, load, gateway, seconds }: LoadOptions): Promise<void> {
  const timetable = timetableOf(readProfile(folder), load, seconds);
  const ended = new AbortController();
  process.once('SIGINT', () => {
    ended.abort();
  });
  const figures = figuresOf(await play({ gateway, timetable, signal: ended.signal }));
  process.stdout.write(`${reportLines(figures).join('\n')}\n`);
}
