/** Where plans are measured: a cluster, or this machine. */
import type { Snapshot } from '@sinter/operator/snapshot/index';
import type { HopDelay } from './hopDelay.ts';
import type { Hearing } from './hearing.ts';
import type { Groups, PolicySpec, Subject } from './subject.ts';

export interface Stage {
  /** http://address:port */
  readonly gateway: string;
  /** What the hosts of a namespace say of themselves. */
  hear(namespace: string): Hearing;
  /** The machine that functions are put on; absent: there is one. */
  readonly machine?: string;
  /** Declares it all, or where it is there the policy alone; resolves when units of these groups serve, and no others are left. */
  declare(subject: Subject, policy: PolicySpec, groups: Groups): Promise<void>;
  /** Declares another policy for what is there, and waits for nothing. */
  change(subject: Subject, policy: PolicySpec): Promise<void>;
  /** Makes every hop between two units that start from now on longer, by so many milliseconds. */
  delayHops(delayMs: number): Promise<HopDelay>;
  snapshot(subject: Subject): Promise<Snapshot>;
  /** The groups that run, and the hash of their plan. */
  running(subject: Subject): Promise<{ readonly hash: string; readonly groups: Groups }>;
  remove(subject: Subject): Promise<void>;
  close(): Promise<void>;
}
