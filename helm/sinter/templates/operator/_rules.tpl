{{/* Rights of the operator on what lies in tenants' namespaces: what it asks for, and no more (test/rights.test.ts compares). */}}
{{- define "sinter.tenantRules" -}}
- apiGroups: [sinter.dev]
  resources: [functions, optimizationpolicies]
  verbs: [list, watch]
# Patched for its finalizer alone.
- apiGroups: [sinter.dev]
  resources: [workflows]
  verbs: [list, watch, patch]
- apiGroups: [sinter.dev]
  resources: [workflowplans]
  verbs: [list, watch, create, delete]
- apiGroups: [sinter.dev]
  resources: [functions/status, workflows/status, optimizationpolicies/status, workflowplans/status]
  verbs: [patch]
# An owner reference that blocks the owner's deletion needs this right on the owner.
- apiGroups: [sinter.dev]
  resources: [workflows/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
- apiGroups: ['']
  resources: [pods]
  verbs: [list, watch]
- apiGroups: ['']
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Written, never read; bounded by the ValidatingAdmissionPolicy to the type sinter.dev/unit-credential. Not `patch`: the errors of a
# patch quote the object that it was made on, before admission looks at it.
- apiGroups: ['']
  resources: [secrets]
  verbs: [create, update, delete]
{{- end -}}

{{/* Rights on what is in no namespace. */}}
{{- define "sinter.clusterRules" -}}
- apiGroups: [sinter.dev]
  resources: [clusteroptimizationpolicies]
  verbs: [get, list, watch, create, patch]
- apiGroups: [sinter.dev]
  resources: [clusteroptimizationpolicies/status]
  verbs: [patch]
- apiGroups: ['']
  resources: [nodes]
  verbs: [list, watch]
{{- end -}}
