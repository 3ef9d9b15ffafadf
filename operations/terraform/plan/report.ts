/** What a plan says, without a single value of an attribute: a value could be sensitive, a name is not. */
import { z } from 'zod';

const action = z.enum(['create', 'read', 'update', 'delete', 'forget', 'no-op']);

const change = z.strictObject({
  /** `docker_container.Minio_Server_14E20454` */
  address: z.string(),
  /** `docker_container` */
  type: z.string(),
  /** As Terraform has them: `["delete", "create"]` replaces, the old one first. */
  actions: z.array(action).min(1),
  /** Names of the attributes that change; none where everything is created or deleted. */
  attributes: z.array(z.string()),
  /** Names of the attributes because of which it is replaced. */
  replaces: z.array(z.string()).optional(),
  /** What the change runs, where it is an operation of this project. */
  operation: z.string().optional(),
  /** The buckets and keys that the operation makes or changes: `bucket archive (versioning)`, `key archive-key (new)`. */
  concerns: z.array(z.string()).optional(),
  /** Deletes or replaces what holds keys or objects: nothing brings its content back. */
  destroysData: z.literal(true).optional(),
});
export type PlannedChange = z.infer<typeof change>;

const drift = z.strictObject({
  address: z.string(),
  type: z.string(),
  /** What was changed outside of Terraform. */
  actions: z.array(action).min(1),
  attributes: z.array(z.string()),
});
export type Drift = z.infer<typeof drift>;

const problem = z.strictObject({
  /** One line; what belongs to it, and may show values, is on stderr. */
  summary: z.string(),
  address: z.string().optional(),
});
export type Problem = z.infer<typeof problem>;

const stackPlan = z.strictObject({
  /** As `npx cdktf` calls it. */
  stack: z.string(),
  /** `unknown`: it cannot be planned before the stacks in `after` are deployed. */
  outcome: z.enum(['no-change', 'changes', 'unknown', 'error']),
  changes: z.array(change),
  /** What was changed outside of this project and would be put back. */
  drift: z.array(drift),
  /** Names of the outputs that change. */
  outputs: z.array(z.string()),
  /** Earlier stacks that change: what they leave may change more in this one. */
  after: z.array(z.string()),
  /** How many things are deleted or replaced; an operation that runs again is none. */
  destroys: z.int().nonnegative(),
  problems: z.array(problem),
});
export type StackPlan = z.infer<typeof stackPlan>;

export const planReport = z.strictObject({
  /** Of this format. */
  version: z.literal(1),
  environment: z.string(),
  /** When the copy was made that it was planned from: neither Docker nor Vault was asked. Absent: they were. */
  copiedAt: z.iso.datetime().optional(),
  outcome: z.enum(['no-change', 'changes', 'error']),
  /** In the order of deployment. */
  stacks: z.array(stackPlan),
});
export type PlanReport = z.infer<typeof planReport>;
