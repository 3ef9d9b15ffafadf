import { declaredPlace, describePlace, inSameVault } from '../../../config/keys/key-store-place';
import { parseEnvironment } from '../../../config/load';

const environment = (settings: string) => parseEnvironment(`name: home\n${settings}`, 'test.yaml');
const EXTERNAL = environment('vault: { mode: external, address: "https://vault.example.org" }');

test.each([
  ['', 'the embedded Vault, kes/home (KV v2)'],
  ['vault: { mode: embedded, distribution: openbao }', 'the embedded OpenBao, kes/home (KV v2)'],
  ['keyStore: { type: vault, mount: a/b, prefix: c, kvVersion: 1 }', 'the embedded Vault, a/b/c (KV v1)'],
  [
    'vault: { mode: external, address: "https://vault.example.org", namespace: team }',
    'Vault at https://vault.example.org, namespace team, kes/home (KV v2)',
  ],
  [
    'keyStore: { type: aws, region: eu-central-1 }',
    'AWS Secrets Manager, eu-central-1 (https://secretsmanager.eu-central-1.amazonaws.com)',
  ],
  ['keyStore: { type: filesystem }', 'a volume of the Docker host'],
  ['keyStore: { type: filesystem, path: /srv/keys }', 'folder /srv/keys of the Docker host'],
])('%s is %s', (settings, description) => {
  expect(describePlace(declaredPlace(environment(settings), {}))).toBe(description);
});

test('VAULT_ADDR says where the keys are as well as the file does', () => {
  const byVariable = environment('vault: { mode: external }');
  expect(declaredPlace(byVariable, { address: 'https://vault.example.org' })).toEqual(declaredPlace(EXTERNAL, {}));
});

test('two places are in the same Vault when one token and one role reach both', () => {
  const place = (settings: string) => declaredPlace(environment(settings), {});
  expect(inSameVault(place(''), place('keyStore: { type: vault, mount: other }'))).toBe(true);
  expect(inSameVault(place(''), place('vault: { mode: embedded, distribution: openbao }'))).toBe(false);
  expect(inSameVault(place(''), declaredPlace(EXTERNAL, {}))).toBe(false);
  expect(inSameVault(place('keyStore: { type: filesystem }'), place('keyStore: { type: filesystem }'))).toBe(false);
});
