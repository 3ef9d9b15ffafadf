/** The JSON Schemas of what people write and of what programs read. */
import path from 'node:path';
import { z } from 'zod';
import { environmentSchema } from '../../../config/environment-schema';
import { projectRoot } from '../../../operations/lib/project-root';
import { reportSchema } from '../../../operations/checks/report/model';
import { planReport } from '../../../operations/terraform/plan/report';

/** From it editors complete and check environment files; `environments/*.yaml` name it in their first line. */
export const SCHEMA_FILE = path.join(projectRoot, 'config', 'environment.schema.json');

/** For programs that read `checks.json`. */
export const REPORT_SCHEMA_FILE = path.join(projectRoot, 'docs', 'checks-report.schema.json');

/** For programs that read what `./scripts/plan --json` prints. */
export const PLAN_SCHEMA_FILE = path.join(projectRoot, 'docs', 'plan-report.schema.json');

export const SCHEMAS = [
  { file: SCHEMA_FILE, source: 'config/environment.ts', schema: environmentJsonSchema },
  { file: REPORT_SCHEMA_FILE, source: 'operations/checks/report/model.ts', schema: reportJsonSchema },
  { file: PLAN_SCHEMA_FILE, source: 'operations/terraform/plan/report.ts', schema: planJsonSchema },
] as const;

/** The JSON Schema of what a person writes: defaults are optional, rules between settings are not in it. */
export function environmentJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(environmentSchema, { io: 'input' });
  return {
    $schema,
    title: 'Environment of encrypted-backup-storage',
    description: 'One deployment. Generated from config/environment.ts by `npm run schema`; do not edit.',
    ...schema,
  };
}

/** The JSON Schema of `checks.json`. Its id is a name, not an address: nothing is to be fetched in order to read a report. */
export function reportJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(reportSchema);
  return {
    $schema,
    $id: 'urn:encrypted-backup-storage:checks-report:1',
    title: 'Report of the post-deploy checks of encrypted-backup-storage',
    description:
      'checks.json of one run. Generated from operations/checks/report/model.ts by `npm run schema`; do not edit.',
    ...schema,
  };
}

/** The JSON Schema of what `./scripts/plan --json` prints. */
export function planJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(planReport);
  return {
    $schema,
    $id: 'urn:encrypted-backup-storage:plan-report:1',
    title: 'Plan of encrypted-backup-storage',
    description:
      'What a deploy would change. Generated from operations/terraform/plan/report.ts by `npm run schema`; do not edit.',
    ...schema,
  };
}
