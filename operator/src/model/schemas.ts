/** Schemas of the API's parts, for forms that are made of them (a snapshot, say). */
export {
  architecture,
  functionSpec,
  judge,
  nameInGraph,
  policySpec,
  validate,
  workflowSpec,
} from '@sinter/crds';
export type { Problem } from '@sinter/crds';
