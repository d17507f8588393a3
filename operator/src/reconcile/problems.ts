/**
 * Why pods do not run, in the cluster's own words.
 *
 * Owns: which of a pod's and a Deployment's many conditions is the one that a user has to know, as a reason and a sentence.
 * Pure. Reasons are Kubernetes' own, so that what is found here is found in its documentation.
 */
import type { Deployment, Pod } from '../kube/objects.ts';
import type { Problem } from '../rollout/index.ts';

/** Of a waiting container: what passes by itself (`ContainerCreating`) is none. */
const WAITING: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

const MESSAGE_MAX = 500;
const problem = (reason: string, message: string): Problem => ({
  reason,
  message: message.slice(0, MESSAGE_MAX),
});

const MAIN: ReadonlySet<string> = new Set(['host', 'gateway']);

/** Ours, not one that a webhook has put beside it: a cluster lists them by name. */
export const mainContainer = ({ status }: Pod) =>
  status?.containerStatuses?.find(({ name }) => MAIN.has(name));

/** Undefined: nothing is wrong, or not yet. */
export function podProblem(pod: Pod): Problem | undefined {
  const unscheduled = pod.status?.conditions?.find(
    (c) => c.type === 'PodScheduled' && c.status === 'False' && c.reason === 'Unschedulable',
  );
  if (unscheduled) return problem('Unschedulable', unscheduled.message ?? 'no machine takes it');
  const container = mainContainer(pod);
  const { waiting } = container?.state ?? {};
  if (!waiting || !WAITING.has(waiting.reason ?? '')) return undefined;
  const { terminated } = container?.lastState ?? {};
  if (terminated?.reason === 'OOMKilled')
    return problem('OutOfMemory', 'an instance used more memory than its limit and was ended');
  const ended = terminated ? `it ended with ${String(terminated.exitCode)}` : '';
  return problem(waiting.reason ?? '', [waiting.message, ended].filter(Boolean).join('; '));
}

/** A Secret that a container needs is not there: its name. */
export function missingSecret(pod: Pod): string | undefined {
  const container = mainContainer(pod);
  const { waiting } = container?.state ?? {};
  if (waiting?.reason !== 'CreateContainerConfigError') return undefined;
  return /secret "([^"]+)" not found/.exec(waiting.message ?? '')?.[1];
}

/** Why a Deployment gets no pods: a quota, or what an admission policy says. */
export function deploymentProblem(deployment: Deployment): Problem | undefined {
  const failed = deployment.status?.conditions?.find(
    (c) => c.type === 'ReplicaFailure' && c.status === 'True',
  );
  if (!failed) return undefined;
  const message = failed.message ?? 'the cluster refuses its pods';
  return problem(
    message.includes('exceeded quota') ? 'QuotaExceeded' : (failed.reason ?? 'Refused'),
    message,
  );
}
