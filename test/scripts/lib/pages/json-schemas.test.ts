import { readFileSync } from 'node:fs';
import {
  environmentJsonSchema,
  PLAN_SCHEMA_FILE,
  planJsonSchema,
  REPORT_SCHEMA_FILE,
  reportJsonSchema,
  SCHEMA_FILE,
} from '../../../../scripts/lib/pages/json-schemas';

test.each([
  ['environment files', SCHEMA_FILE, environmentJsonSchema],
  ['checks.json', REPORT_SCHEMA_FILE, reportJsonSchema],
  ['./scripts/plan --json', PLAN_SCHEMA_FILE, planJsonSchema],
])('the committed JSON Schema of %s is what its source says; else run: npm run schema', (_, file, schema) => {
  const committed: unknown = JSON.parse(readFileSync(file, 'utf8'));
  expect(committed).toEqual(JSON.parse(JSON.stringify(schema())));
});

test('an editor can complete and explain the settings', () => {
  const schema = environmentJsonSchema();

  expect(schema).toMatchObject({
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { description: expect.stringContaining('Name of the deployment') as string },
      kes: { properties: { port: { default: 7373, description: expect.stringContaining('KES') as string } } },
    },
  });
});
