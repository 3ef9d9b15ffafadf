import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, inspect } from 'node:util';
import { readSecret, Secret } from '../../../operations/lib/secret';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const VALUE = 'hvs.very-secret';
const secret = new Secret(VALUE);

test.each<[string, () => string]>([
  // eslint-disable-next-line @typescript-eslint/restrict-template-expressions
  ['a template', () => `token ${secret}`],
  ['a concatenation', () => 'token '.concat(String(secret))],
  ['JSON', () => JSON.stringify({ token: secret, list: [secret] })],
  ['util.inspect, whatever it is asked to show', () => inspect({ token: secret }, { showHidden: true, depth: null })],
  ['a line of the console', () => format('%s %o %j', secret, { secret }, { secret })],
  ['an error with a cause', () => inspect(new Error('refused', { cause: { token: secret } }))],
  ['its own properties', () => JSON.stringify([Object.entries(secret), Object.getOwnPropertyNames(secret)])],
])('%s does not show it', (_, print) => {
  expect(print()).not.toContain(VALUE);
});

test('what is printed says that there is one', () => {
  expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual(['[secret]', '"[secret]"', '[secret]']);
});

test('reveal alone gives it away', () => {
  expect(secret.reveal()).toBe(VALUE);
});

test('two are the same if they hold the same', () => {
  expect(secret.equals(new Secret(VALUE))).toBe(true);
  expect(secret.equals(new Secret('another'))).toBe(false);
});

test('one is read from a file without the line break at its end, and there is none without the file', () => {
  const file = path.join(folder(), 'token');
  expect(readSecret(file)).toBeUndefined();
  writeFileSync(file, `${VALUE}\n`);
  expect(readSecret(file)?.reveal()).toBe(VALUE);
});
