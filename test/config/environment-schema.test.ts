import { readFileSync } from 'node:fs';
import { environmentJsonSchema, SCHEMA_FILE } from '../../scripts/schema';

test('config/environment.schema.json is what config/environment.ts says; else run: npm run schema', () => {
  const committed: unknown = JSON.parse(readFileSync(SCHEMA_FILE, 'utf8'));
  expect(committed).toEqual(JSON.parse(JSON.stringify(environmentJsonSchema())));
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
