/**
 * Which cluster is meant: the one of KUBECONFIG, else the testbed. Pure but for a look at the environment.
 *
 * Neighbours: `harness.ts` speaks to it, `run.ts` provides it, `../testbed/` is a way to have one.
 */
import { join } from 'node:path';
import { STATE_PLACES } from '../testbed/places.ts';

export interface Target {
  readonly kind: 'Testbed' | 'Other';
  readonly kubeconfig: string;
  readonly kubectl: string;
  readonly helm: string;
}

/** Namespace and name of the release that tests call. */
export const SINTER_NAMESPACE = 'sinter-system';
export const RELEASE = 'sinter';

/** `KUBECONFIG` may well name the testbed's. */
export function targetOf(env: NodeJS.ProcessEnv): Target {
  const given = env['KUBECONFIG'] ?? '';
  if (given !== '' && given !== STATE_PLACES.kubeconfig)
    return { kind: 'Other', kubeconfig: given, kubectl: 'kubectl', helm: 'helm' };
  return {
    kind: 'Testbed',
    kubeconfig: STATE_PLACES.kubeconfig,
    kubectl: join(STATE_PLACES.bin, 'kubectl'),
    helm: join(STATE_PLACES.bin, 'helm'),
  };
}

/** Why a test that makes faults of machines is skipped; false where it is not. */
export const withoutTestbed = ({ kind }: Target): string | false =>
  kind === 'Testbed'
    ? false
    : 'makes a fault of machines or of the API server, which only the testbed can have made: unset KUBECONFIG';
