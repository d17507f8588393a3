{{/* Rights of the operator on what lies in tenants' namespaces. No wildcard, and no reading of Secrets. */}}
{{- define "sinter.tenantRules" -}}
- apiGroups: [sinter.dev]
  resources: [functions, workflows, optimizationpolicies]
  verbs: [get, list, watch, update, patch]
- apiGroups: [sinter.dev]
  resources: [workflowplans]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [sinter.dev]
  resources: [functions/status, workflows/status, optimizationpolicies/status, workflowplans/status]
  verbs: [get, update, patch]
# An owner reference that blocks the owner's deletion needs this right on the owner.
- apiGroups: [sinter.dev]
  resources: [functions/finalizers, workflows/finalizers, workflowplans/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: ['']
  resources: [pods, configmaps]
  verbs: [get, list, watch]
- apiGroups: ['', events.k8s.io]
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
  verbs: [get, update, patch]
- apiGroups: ['']
  resources: [nodes]
  verbs: [get, list, watch]
- apiGroups: ['']
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end -}}
