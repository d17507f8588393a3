/**
 * The architecture of emulated machines, as the API shows it.
 *
 * kubelet reports the architecture that it was compiled for, with every status, and puts its label back. A policy in the
 * API server corrects both on machines that carry our own label.
 */
import { Api } from './api.ts';
import { ARCHITECTURE_LABEL } from './machine.ts';

const GROUP = 'admissionregistration.k8s.io/v1beta1';
const NAME = 'testbed-architecture';
const LABELS = "['kubernetes.io/arch', 'beta.kubernetes.io/arch']";
const wanted = `object.metadata.labels['${ARCHITECTURE_LABEL}']`;

const EXPRESSION = `${LABELS}.map(key, JSONPatch{
  op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey(key), value: ${wanted}
}) + (has(object.status) && has(object.status.nodeInfo)
  ? [JSONPatch{op: "replace", path: "/status/nodeInfo/architecture", value: ${wanted}}]
  : [])`;

const POLICY = {
  apiVersion: GROUP,
  kind: 'MutatingAdmissionPolicy',
  metadata: { name: NAME },
  spec: {
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['nodes', 'nodes/status'],
        },
      ],
    },
    matchConditions: [
      {
        name: 'marked',
        expression: `has(object.metadata.labels) && '${ARCHITECTURE_LABEL}' in object.metadata.labels`,
      },
    ],
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: EXPRESSION } }],
  },
};

const BINDING = {
  apiVersion: GROUP,
  kind: 'MutatingAdmissionPolicyBinding',
  metadata: { name: NAME },
  spec: { policyName: NAME },
};

export async function ensureArchitecturePolicy(): Promise<void> {
  const api = await Api.as('admin');
  await api.apply(`/apis/${GROUP}/mutatingadmissionpolicies/${NAME}`, POLICY);
  await api.apply(`/apis/${GROUP}/mutatingadmissionpolicybindings/${NAME}`, BINDING);
  api.close();
}
