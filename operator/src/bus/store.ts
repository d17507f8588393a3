/**
 * What is kept on the bus, asked over the operator's connection of the moment: streams, buckets, routes, modules.
 *
 * Owns: nothing but the way there. What things look like is said by `streams.ts`, how they are changed by `provision.ts`.
 */
import type { EntryRecord, RouteRecord, WorkflowKey } from '@sinter/contract';
import type { ObservationsRecord } from '../observations/index.ts';
import type { RolloutRecord } from '../rollout/index.ts';
import type { BusStore } from './cluster.ts';
import { BusAway } from './cluster.ts';
import type { OperatorLink } from './link.ts';
import { keptOn, modulesOf, purgeDeleted, removeModule } from './inventory.ts';
import { putModule } from './modules.ts';
import { discardAsync, discardNamespace, provisionAsync, provisionNamespace } from './provision.ts';
import type { Replicas } from './provision.ts';
import { openRoutes } from './routes.ts';
import type { Records, RouteBook } from './routes.ts';

/** `mayWrite` is asked before each question: who leads no longer gets BusAway, because most of them write. */
export function storeOver(
  to: Pick<OperatorLink, 'ask'>,
  replicas: Replicas,
  mayWrite: () => boolean = () => true,
): BusStore {
  const link: Pick<OperatorLink, 'ask'> = {
    ask: (work) =>
      mayWrite() ? to.ask(work) : Promise.reject(new BusAway('this replica of the operator does not lead')),
  };
  return {
    provideNamespace: (namespace) => link.ask((nc) => provisionNamespace(nc, namespace, replicas)),
    discardNamespace: (namespace) => link.ask((nc) => discardNamespace(nc, namespace)),
    putModule: (namespace, bytes) => link.ask((nc) => putModule(nc, namespace, bytes)),
    provideAsync: (workflow, callees) => link.ask((nc) => provisionAsync(nc, workflow, callees, replicas)),
    discardAsync: (workflow) => link.ask((nc) => discardAsync(nc, workflow)),
    routes: recordsOver<RouteRecord>(link, (book) => book.routes),
    entries: recordsOver<EntryRecord>(link, (book) => book.entries),
    observations: recordsOver<ObservationsRecord>(link, (book) => book.observations),
    rollouts: recordsOver<RolloutRecord>(link, (book) => book.rollouts),
    kept: () => link.ask((nc) => keptOn(nc)),
    modulesOf: (namespace) => link.ask((nc) => modulesOf(nc, namespace)),
    removeModule: (namespace, sha256, beforeMs) =>
      link.ask((nc) => removeModule(nc, namespace, sha256, beforeMs)),
    purgeDeleted: (workflow, beforeMs) => link.ask((nc) => purgeDeleted(nc, workflow, beforeMs)),
  };
}

/** The manager behind a book belongs to one connection: it is opened anew for each question (it asks nothing by itself). */
const recordsOver = <T extends WorkflowKey>(
  link: Pick<OperatorLink, 'ask'>,
  of: (book: RouteBook) => Records<T>,
): Records<T> => {
  const ask = <R>(work: (records: Records<T>) => Promise<R>): Promise<R> =>
    link.ask(async (nc) => work(of(await openRoutes(nc))));
  return {
    read: (workflow) => ask((records) => records.read(workflow)),
    write: (record, after) => ask((records) => records.write(record, after)),
    remove: (workflow, after) => ask((records) => records.remove(workflow, after)),
  };
};
