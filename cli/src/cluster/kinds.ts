/** Sinter's kinds, as an API server serves them. */
import type {
  ClusterOptimizationPolicyObject,
  FunctionObject,
  OptimizationPolicyObject,
  WorkflowObject,
  WorkflowPlanObject,
} from '@sinter/operator/model/nouns';
import { kind } from '@sinter/operator/kube/objects';
import { API_VERSION } from '@sinter/crds';

export const FUNCTIONS = kind<FunctionObject>(API_VERSION, 'Function', 'functions');
export const WORKFLOWS = kind<WorkflowObject>(API_VERSION, 'Workflow', 'workflows');
export const POLICIES = kind<OptimizationPolicyObject>(
  API_VERSION,
  'OptimizationPolicy',
  'optimizationpolicies',
);
export const CLUSTER_POLICIES = kind<ClusterOptimizationPolicyObject>(
  API_VERSION,
  'ClusterOptimizationPolicy',
  'clusteroptimizationpolicies',
  false,
);
export const PLANS = kind<WorkflowPlanObject>(API_VERSION, 'WorkflowPlan', 'workflowplans');
