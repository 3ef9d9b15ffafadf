import { readFileSync } from 'node:fs';
import path from 'node:path';
import { loadEnvironment, parseEnvironment } from '../../../config/load';
import { projectRoot } from '../../../config/toolchain';
import { policyText } from '../../../scripts/lib/policy-text';

test('docs/external-vault.md prints the policy of the production example', () => {
  const page = readFileSync(path.join(projectRoot, 'docs', 'external-vault.md'), 'utf8');
  const printed = /<!-- \.\/scripts\/policy production\.example -->\n+```hcl\n(.*?)```/s.exec(page)?.[1];
  expect(printed).toBe(policyText(loadEnvironment('production.example').environment));
});

test('it says in which namespace it belongs', () => {
  const environment = parseEnvironment('{name: x, vault: {mode: external, namespace: team}}', 'test.yaml');
  expect(policyText(environment)).toContain('# Belongs in namespace team; every path is below it.\n');
});
