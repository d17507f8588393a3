/** Placeholder of the signature; the table follows. */
import type { Application } from './nouns.ts';
import type { Finding } from './finding.ts';

/** What somebody wrote and comes with a later capability. */
export function notYet(application: Application): readonly Finding[] {
  void application;
  return [];
}
