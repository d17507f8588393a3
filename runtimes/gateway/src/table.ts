/**
 * All workflows as the way in knows them: which path leads to which function, under which revision.
 *
 * Owns: looking up. It is told by `watch.ts`, and neither reads the bus nor judges a credential.
 * Invariants:
 *  1. An older generation of a route never replaces a newer one.
 *  2. What answers at a path does not depend on the order in which records came: of two triggers with the same host, path
 *     and method the one with the smaller namespace, workflow and name wins. (The operator says so to its author.)
 *  3. `/call/` and `/-/` are the gateway's own: a trigger cannot take them.
 */
import { workflowToken } from '@sinter/contract';
import type { EntryRecord, EntryTrigger, RouteFunction, RouteRecord, WorkflowKey } from '@sinter/contract';

export interface Workflow extends WorkflowKey {
  entry: EntryRecord | undefined;
  route: RouteRecord | undefined;
  /** Functions of the current revision. */
  functions: ReadonlyMap<string, RouteFunction>;
  /** Functions of the candidate; none where there is no candidate. */
  candidateFunctions: ReadonlyMap<string, RouteFunction>;
}

export interface Candidate {
  readonly workflow: Workflow;
  readonly trigger: EntryTrigger;
}

/** Paths of one host. */
interface Site {
  readonly exact: Map<string, Candidate[]>;
  /** Paths that end in '/', longest first. */
  readonly prefixes: { readonly path: string; readonly candidates: Candidate[] }[];
}

const RESERVED = ['/call/', '/-/'];
const ANY_HOST = '';
const NO_FUNCTIONS: ReadonlyMap<string, RouteFunction> = new Map();

export class Table {
  readonly #workflows = new Map<string, Workflow>();
  readonly #onRoute: (workflow: Workflow) => void;
  #sites: ReadonlyMap<string, Site> | undefined;

  /** `onRoute` is told of every new route, before anything else can go by it. */
  constructor(onRoute: (workflow: Workflow) => void = () => undefined) {
    this.#onRoute = onRoute;
  }

  get(namespace: string, workflow: string): Workflow | undefined {
    return this.#workflows.get(`${namespace}.${workflow}`);
  }

  all(): IterableIterator<Workflow> {
    return this.#workflows.values();
  }

  setRoute(key: WorkflowKey, route: RouteRecord | undefined): void {
    const w = this.#workflow(key);
    if (route && w.route && route.generation <= w.route.generation) return;
    w.route = route;
    w.functions = functionsOf(route, route?.current);
    w.candidateFunctions = functionsOf(route, route?.candidate);
    this.#onRoute(w);
    this.#dropEmpty(w);
  }

  setEntry(key: WorkflowKey, entry: EntryRecord | undefined): void {
    const w = this.#workflow(key);
    w.entry = entry;
    this.#sites = undefined;
    this.#dropEmpty(w);
  }

  /** Triggers at that host and path, whatever their methods; none: an empty list. */
  at(host: string, path: string): readonly Candidate[] {
    const sites = (this.#sites ??= this.#index());
    for (const name of [host, wildcardOf(host), ANY_HOST]) {
      const site = name === undefined ? undefined : sites.get(name);
      const found = site?.exact.get(path) ?? site?.prefixes.find((p) => path.startsWith(p.path))?.candidates;
      if (found) return found;
    }
    return [];
  }

  #workflow(key: WorkflowKey): Workflow {
    const token = workflowToken(key);
    let w = this.#workflows.get(token);
    if (!w) {
      const { namespace, workflow } = key;
      const functions = { functions: NO_FUNCTIONS, candidateFunctions: NO_FUNCTIONS };
      w = { namespace, workflow, entry: undefined, route: undefined, ...functions };
      this.#workflows.set(token, w);
    }
    return w;
  }

  #dropEmpty(w: Workflow): void {
    if (!w.entry && !w.route) this.#workflows.delete(workflowToken(w));
  }

  #index(): ReadonlyMap<string, Site> {
    const sites = new Map<string, Site>();
    for (const candidate of [...this.#candidates()].sort(byName)) {
      const hosts = candidate.trigger.hosts.length > 0 ? candidate.trigger.hosts : [ANY_HOST];
      for (const host of hosts) addTo(sites, host.toLowerCase(), candidate);
    }
    for (const site of sites.values()) site.prefixes.sort((a, b) => b.path.length - a.path.length);
    return sites;
  }

  *#candidates(): Iterable<Candidate> {
    for (const workflow of this.#workflows.values())
      for (const trigger of workflow.entry?.triggers ?? [])
        if (!RESERVED.some((r) => trigger.path.startsWith(r))) yield { workflow, trigger };
  }
}

function functionsOf(
  route: RouteRecord | undefined,
  revision: string | undefined,
): ReadonlyMap<string, RouteFunction> {
  const units = route?.revisions[revision ?? '']?.units;
  if (!units) return NO_FUNCTIONS;
  return new Map(units.flatMap((unit) => unit.functions.map((fn) => [fn.name, fn])));
}

function addTo(sites: Map<string, Site>, host: string, candidate: Candidate): void {
  let site = sites.get(host);
  if (!site) sites.set(host, (site = { exact: new Map(), prefixes: [] }));
  const path = pathKey(candidate.trigger.path) ?? candidate.trigger.path;
  let at = site.exact.get(path);
  if (!at) {
    site.exact.set(path, (at = []));
    // '/' alone means the root, not everything: it is the default of a trigger.
    if (path.length > 1 && path.endsWith('/')) site.prefixes.push({ path, candidates: at });
  }
  at.push(candidate);
}

const nameOf = ({ workflow, trigger }: Candidate): string => `${workflowToken(workflow)}.${trigger.name}`;
const byName = (a: Candidate, b: Candidate): number => (nameOf(a) < nameOf(b) ? -1 : 1);

/** `*.example.org` for `a.example.org`. A star stands for one label, as with an Ingress. */
const wildcardOf = (host: string): string | undefined => {
  const dot = host.indexOf('.');
  return dot <= 0 ? undefined : `*${host.slice(dot)}`;
};

/** A path so that two spellings of it are equal: what need not be escaped is not, an escaped slash stays one. */
export function pathKey(path: string): string | undefined {
  if (!path.includes('%')) return path;
  try {
    return decodeURI(path);
  } catch {
    return undefined;
  }
}

/** The name in a Host header: without port, without a closing dot, in lower case. */
export function hostName(header: string | undefined): string {
  if (header === undefined) return '';
  const end = header.startsWith('[') ? header.indexOf(']') + 1 : header.indexOf(':');
  const name = (end > 0 ? header.slice(0, end) : header).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
