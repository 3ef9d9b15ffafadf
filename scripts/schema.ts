/** `npm run schema`: writes the JSON Schemas of what people write and of what programs read. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { environmentSchema } from '../config/environment';
import { projectRoot } from '../config/toolchain';
import { reportSchema } from '../operations/checks/report/model';
import { ExternalError, messageOf, UsageError } from '../operations/errors';
import { planReport } from '../operations/plan/report';
import { EXIT_CODES_HELP, main } from './lib/command-line';

/** From it editors complete and check environment files; `environments/*.yaml` name it in their first line. */
export const SCHEMA_FILE = path.join(projectRoot, 'config', 'environment.schema.json');

/** For programs that read `checks.json`. */
export const REPORT_SCHEMA_FILE = path.join(projectRoot, 'docs', 'checks-report.schema.json');

/** For programs that read what `./scripts/plan --json` prints. */
export const PLAN_SCHEMA_FILE = path.join(projectRoot, 'docs', 'plan-report.schema.json');

const HELP = `Usage: npm run schema [-- --check]

Writes config/environment.schema.json from the schema in config/environment.ts, docs/checks-report.schema.json from the
one in operations/checks/report/model.ts, and docs/plan-report.schema.json from the one in operations/plan/report.ts.

  --check      write nothing; fail when a file is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

const SCHEMAS = [
  { file: SCHEMA_FILE, source: 'config/environment.ts', schema: environmentJsonSchema },
  { file: REPORT_SCHEMA_FILE, source: 'operations/checks/report/model.ts', schema: reportJsonSchema },
  { file: PLAN_SCHEMA_FILE, source: 'operations/plan/report.ts', schema: planJsonSchema },
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
      'What a deploy would change. Generated from operations/plan/report.ts by `npm run schema`; do not edit.',
    ...schema,
  };
}

async function formatted(file: string, schema: Record<string, unknown>): Promise<string> {
  // only where it is needed: the tests import this file, and prettier is an ES module
  const { format, resolveConfig } = await import('prettier');
  const options = await resolveConfig(file);
  return format(JSON.stringify(schema), { ...options, parser: 'json' });
}

function parseArguments(args: string[]): { check?: boolean; help?: boolean } {
  try {
    const options = { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(messageOf(error), 'See npm run schema -- --help.');
  }
}

async function run(args: string[]): Promise<void> {
  const { check, help } = parseArguments(args);
  if (help === true) {
    process.stdout.write(HELP);
    return;
  }
  for (const { file, source, schema } of SCHEMAS) {
    const wanted = await formatted(file, schema());
    if (check !== true) {
      writeFileSync(file, wanted);
      process.stderr.write(`wrote ${file}\n`);
    } else if (readFileSync(file, 'utf8') !== wanted) {
      throw new ExternalError(`${file} is not what ${source} says`, 'Run: npm run schema');
    }
  }
}

if (require.main === module) void main(run);
