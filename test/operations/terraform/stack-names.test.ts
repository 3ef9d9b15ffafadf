import { type StackRange, stacksIn } from '../../../operations/terraform/stack-names';
import { parseEnvironment } from '../../../config/load';

const embedded = parseEnvironment('name: test\n', 'test');
const files = parseEnvironment('name: test\nkeyStore: {type: filesystem}\n', 'test');

test.each([
  ['all of them', embedded, undefined, ['foundation', 'vault', 'keystore', 'kes', 'minio', 'checks']],
  ['those up to one', embedded, { to: 'vault' }, ['foundation', 'vault']],
  ['those from one on', embedded, { from: 'minio' }, ['minio', 'checks']],
  ['those from one to another', embedded, { from: 'kes', to: 'minio' }, ['kes', 'minio']],
  ['no Vault where there is none', files, { to: 'keystore' }, ['foundation', 'keystore']],
] as const)('%s', (_, environment, range, stacks) => {
  expect(stacksIn(environment, range)).toEqual(stacks);
});

test('a range that ends before it begins does not type-check', () => {
  // @ts-expect-error minio is deployed after kes
  const backwards: StackRange = { from: 'minio', to: 'kes' };
  const forwards: StackRange = { from: 'kes', to: 'minio' };
  expect(stacksIn(embedded, backwards)).toEqual([]);
  expect(stacksIn(embedded, forwards)).toEqual(['kes', 'minio']);
});
