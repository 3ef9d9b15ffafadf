import { readFileSync } from 'node:fs';
import path from 'node:path';
import { awsPolicy } from '../../../../config/keys/aws';
import { loadEnvironment } from '../../../../operations/state/load';
import { parseEnvironment } from '../../../../config/load';
import { projectRoot } from '../../../../operations/lib/project-root';
import { policyText } from '../../../../scripts/lib/pages/policy-text';

test('docs/external-vault.md prints the policy of the production example', () => {
  const page = readFileSync(path.join(projectRoot, 'docs', 'external-vault.md'), 'utf8');
  const printed = /<!-- \.\/scripts\/policy production\.example -->\n+```hcl\n(.*?)```/s.exec(page)?.[1];
  expect(printed).toBe(policyText(loadEnvironment('production.example').environment));
});

test('it says in which namespace it belongs', () => {
  const environment = parseEnvironment('{name: x, vault: {mode: external, namespace: team}}', 'test.yaml');
  expect(policyText(environment)).toContain('# Belongs in namespace team; every path is below it.\n');
});

test('as JSON it says what each right is for', () => {
  const environment = parseEnvironment('{name: x, vault: {mode: external}}', 'test.yaml');
  expect(JSON.parse(policyText(environment, { json: true }))).toContainEqual({
    path: 'sys/mounts',
    capabilities: ['read'],
    why: 'which mounts there are',
  });
});

test('for a seal it is to use one key, and to keep the token alive', () => {
  const seal = '{type: transit, address: "https://seal.example.com", key: opens-backup, tokenFile: /t}';
  const environment = parseEnvironment(`{name: x, vault: {mode: embedded, unseal: ${seal}}}`, 'test.yaml');
  const rules = JSON.parse(policyText(environment, { json: true })) as { path: string; capabilities: string[] }[];
  expect(rules.map(({ path: place, capabilities }) => `${capabilities.join()} ${place}`)).toEqual([
    'update transit/encrypt/opens-backup',
    'update transit/decrypt/opens-backup',
    'update auth/token/renew-self',
    'read auth/token/lookup-self',
  ]);
  const page = readFileSync(path.join(projectRoot, 'docs', 'seals.md'), 'utf8');
  const printed = /```hcl\n(.*?)```/s.exec(page)?.[1];
  expect(printed).toBe(policyText(environment));
});

test('for a seal of AWS KMS it is what IAM takes', () => {
  const seal = '{type: awskms, region: eu-central-1, kmsKey: alias/vault, credentialsFile: /c}';
  const environment = parseEnvironment(`{name: x, vault: {mode: embedded, unseal: ${seal}}}`, 'test.yaml');
  expect(JSON.parse(policyText(environment))).toEqual({
    Version: '2012-10-17',
    Statement: [
      {
        ...{ Sid: 'OpenVault', Effect: 'Allow', Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey'] },
        Resource: ['arn:aws:kms:eu-central-1:*:key/*'],
        Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/vault' } },
      },
    ],
  });
});

test('for AWS it is what IAM takes, with the keys that are no longer declared', () => {
  const { environment } = loadEnvironment('aws.example');
  const printed = policyText(environment, { retiredKeys: ['old'] });
  expect(JSON.parse(printed)).toEqual(awsPolicy(environment, ['old']));
  expect(printed).toContain(':secret:old-??????"');
});

test.each([
  ['{name: x}', 'environment x has an embedded Vault, whose initialisation writes the policy itself'],
  ['{name: x, keyStore: {type: filesystem}}', 'environment x keeps its master keys in a folder, which needs no policy'],
])('%s: nobody has to grant anything', (text, message) => {
  expect(() => policyText(parseEnvironment(text, 'test.yaml'))).toThrow(message);
});
