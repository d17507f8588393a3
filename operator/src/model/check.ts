/** Placeholder of the signature; the checks follow. */
import type { Application } from './nouns.ts';
import type { Finding } from './finding.ts';

/** What no schema can judge: the objects of an application together. */
export function check(application: Application): readonly Finding[] {
  void application;
  return [];
}
