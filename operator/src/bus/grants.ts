/**
 * Pure: does a credential grant what the graph no longer declares?
 *
 * Only then it is worth a revocation when its unit ends: a changed account drops pulls under way (decision 0008).
 */
import type { UnitScope } from '@sinter/contract';

/** Does the credential of this scope grant anything beyond what all of these together do? */
export function grantsMore(scope: UnitScope, declared: readonly UnitScope[]): boolean {
  const covers = (what: (s: UnitScope) => readonly string[]): boolean => {
    const granted = new Set(declared.flatMap(what));
    return what(scope).every((one) => granted.has(one));
  };
  return !(
    covers((s) => s.functions) &&
    covers((s) => s.asyncFunctions) &&
    covers((s) => s.edges.map((e) => `${e.from} ${e.to} ${e.call}`))
  );
}
