/**
 * Under which revision a root call runs: drawn by its entry, from the call's id (D3).
 *
 * Owns: the draw. Its neighbour, the entry, falls back where nobody serves what was drawn; inner calls never draw.
 * Invariants:
 *  1. The same route and call id give the same revision in every process: a call that is asked for twice, at two gateways
 *     say, runs under one plan.
 *  2. Who was drawn for the candidate at a weight is drawn for it at every higher one.
 */
import type { RouteRecord } from './routes.ts';

/** Hash of the revision; empty: nothing is deployed. */
export function drawRevision(route: RouteRecord, callId: string): string {
  const { current, candidate, weightPercent = 0, revisions } = route;
  if (candidate === undefined || !(weightPercent > 0) || revisions[candidate] === undefined) return current;
  return percentOf(callId) < weightPercent ? candidate : current;
}

/** A number in [0, 100) that ids give evenly: FNV-1a over the id, then Murmur3's mixing of its bits. */
export function percentOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) * (100 / 2 ** 32);
}
