/**
 * `sinter snapshot` against a cluster: what is declared as the API server has it, and the figures as the operator that leads
 * has them.
 *
 * Owns: where each part comes from. Figures are asked for through the API server, at the port at which the operator tells its
 * metrics: who may not reach a pod that way gets a snapshot without figures, and is told so.
 */
import { planShape } from '@sinter/operator/resources/index';
import { gather, observationsSchema, snapshotText } from '@sinter/operator/snapshot/index';
import type { Observations, Trials } from '@sinter/operator/snapshot/index';
import { ApiError, NoAnswer } from '@sinter/operator/kube/errors';
import { KINDS } from '@sinter/operator/kube/objects';
import type { ClusterFlags } from '../clusterFlags.ts';
import { EXIT, Refusal } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { hanging } from '../text/layout.ts';
import { withCluster } from './access.ts';
import type { Cluster } from './access.ts';
import { workflowNamed } from './explain.ts';
import { readWorld } from './world.ts';

export interface ClusterSnapshotOptions extends ClusterFlags {
  readonly workflow: string;
}

/** What only the operator knows of a workflow, as `/figures/<namespace>/<workflow>` tells it. */
interface Figures {
  readonly observations?: Observations;
  readonly trials?: Trials;
}

const OPERATOR = 'app.kubernetes.io/name=sinter,app.kubernetes.io/component=operator';
const PORT = 'metrics';

export const snapshotOfCluster = (options: ClusterSnapshotOptions, terminal: Terminal): Promise<string> =>
  withCluster(options, terminal, async (cluster) => {
    const found = await workflowNamed(cluster, options.workflow);
    const { namespace = cluster.namespace, name: workflow } = found.metadata;
    const world = await readWorld(cluster, [{ ...found }]);
    const hash = found.status?.plan?.current ?? '';
    const running = hash === '' ? undefined : world.plan(namespace, workflow, hash);
    const figures = await figuresOf(cluster, namespace, workflow).catch((cause: unknown) => {
      if (!(cause instanceof ApiError || cause instanceof NoAnswer)) throw cause;
      say(terminal, `the operator cannot be asked (${cause.message})`);
      return {};
    });
    if (figures === undefined) say(terminal, 'no operator says what it has measured');
    const snapshot = gather({
      ...figures,
      application: world.running,
      workflow: { namespace, workflow },
      machines: world.machines,
      current: running ? planShape(running) : null,
      nowMs: Date.now(),
    });
    if (snapshot) return snapshotText(snapshot);
    throw new Refusal(EXIT.refused, `${namespace}/${workflow} is gone`);
  });

const say = ({ err }: Terminal, why: string): void => {
  for (const line of hanging(
    '',
    plain(`${why}: the snapshot has no figures, and a plan is made from priors`),
  ))
    err.line(err.colors.yellow(line));
};

/** The replica that leads has them; the others answer that they have not. */
async function figuresOf(
  { client, signal }: Cluster,
  namespace: string,
  workflow: string,
): Promise<Figures | undefined> {
  const pods = (await client.list(KINDS.pods, { labelSelector: OPERATOR, signal })).items;
  for (const { metadata, spec } of pods) {
    const port = spec?.containers.flatMap((c) => c.ports ?? []).find((p) => p.name === PORT)?.containerPort;
    if (port === undefined) continue;
    const path = `/api/v1/namespaces/${metadata.namespace ?? ''}/pods/${metadata.name}:${String(port)}/proxy/figures/${namespace}/${workflow}`;
    try {
      const said = await client.request<Figures>({ method: 'GET', path, signal });
      return {
        ...said,
        ...(said.observations ? { observations: observationsSchema.parse(said.observations) } : {}),
      };
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.status !== 404) throw cause;
    }
  }
  return undefined;
}
