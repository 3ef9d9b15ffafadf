/** The part of Terraform's and CDKTF's JSON that a plan is read from. Both may hold more than is named here. */
import { z } from 'zod';

const values = z.record(z.string(), z.unknown());

const change = z.object({
  actions: z.array(z.enum(['create', 'read', 'update', 'delete', 'forget', 'no-op'])).min(1),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
  after_unknown: z.unknown().optional(),
  /** Paths of the attributes that force a replacement; numbers are indices of lists. */
  replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).optional(),
});

const resourceChange = z.object({ address: z.string(), type: z.string(), change });
export type ResourceChange = z.infer<typeof resourceChange>;

/** What `terraform show -json` prints of a plan file. */
export const terraformPlan = z.object({
  resource_changes: z.array(resourceChange).default([]),
  resource_drift: z.array(resourceChange).default([]),
  output_changes: z.record(z.string(), change).default({}),
});
export type TerraformPlan = z.infer<typeof terraformPlan>;

const declared = z.object({
  lifecycle: z.object({ prevent_destroy: z.boolean().optional() }).optional(),
  triggers_replace: z.unknown().optional(),
  provisioner: z.array(z.object({ 'local-exec': z.object({ command: z.string() }).optional() })).optional(),
});

/** What CDKTF makes of a stack: resources by type and name. */
export const synthesizedStack = z.object({
  resource: z.record(z.string(), z.record(z.string(), declared)).default({}),
  output: z.record(z.string(), z.object({ value: z.unknown() })).default({}),
});
export type SynthesizedStack = z.infer<typeof synthesizedStack>;

/** An object with attributes, or nothing. */
export function attributesOf(value: unknown): Readonly<Record<string, unknown>> {
  const parsed = values.safeParse(value);
  return parsed.success ? parsed.data : {};
}
