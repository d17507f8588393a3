/**
 * Labels, annotations and owners of what Sinter writes.
 *
 * Owns: their keys. Invariant: what Sinter selects by is never overwritten by a user's template.
 */
import type { OwnerReference } from './kubernetes.ts';

export const MANAGED_LABEL = 'app.kubernetes.io/managed-by';
export const WORKFLOW_LABEL = 'sinter.dev/workflow';
export const UNIT_LABEL = 'sinter.dev/unit';
/** Which of a unit's Deployments: its first architecture, or `all`. */
export const VARIANT_LABEL = 'sinter.dev/variant';
/** Public key of the credential that lies in the unit's Secret. */
export const CREDENTIAL_KEY_ANNOTATION = 'sinter.dev/credential-key';
/** RFC 3339: when that credential ends. */
export const CREDENTIAL_EXPIRES_ANNOTATION = 'sinter.dev/credential-expires';
/** Who issued that credential, and whom its Secret says to trust. */
export const CREDENTIAL_ORIGIN_ANNOTATION = 'sinter.dev/credential-origin';
/** The same of what instances read when they were started; also in the pod, so that a change replaces them one by one. */
export const INSTANCES_ORIGIN_ANNOTATION = 'sinter.dev/instances-origin';
export const UNIT_SECRET_TYPE = 'sinter.dev/unit-credential';

/** The Workflow that owns what is written for it. */
export interface WorkflowOwner {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export const workflowLabels = (workflow: string): Readonly<Record<string, string>> => ({
  'app.kubernetes.io/name': 'sinter-unit',
  [MANAGED_LABEL]: 'sinter',
  'app.kubernetes.io/part-of': workflow,
  [WORKFLOW_LABEL]: workflow,
});

export const unitLabels = (workflow: string, unit: string): Readonly<Record<string, string>> => ({
  ...workflowLabels(workflow),
  [UNIT_LABEL]: unit,
});

/** Deleting the Workflow deletes it. */
export const ownerReferences = ({ name, uid }: WorkflowOwner): readonly OwnerReference[] => [
  {
    apiVersion: 'sinter.dev/v1alpha1',
    kind: 'Workflow',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  },
];
