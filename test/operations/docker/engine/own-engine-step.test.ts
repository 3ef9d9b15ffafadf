import { parseEnvironment } from '../../../../config/load';
import { UsageError } from '../../../../operations/lib/errors';
import { requireOneHost } from '../../../../operations/docker/engine/own-engine-step';
import { thrownBy } from '../../../helpers/thrown';

const HOSTS = parseEnvironment(
  'name: demo\nhosts:\n' +
    ['a', 'b', 'c'].map((name, n) => `  - { name: ${name}, docker: ssh://${name}, address: 192.0.2.${n} }\n`).join(''),
  'demo.yaml',
);

test('--engine is refused with hosts, and only there', () => {
  expect(
    thrownBy(() => {
      requireOneHost(HOSTS, 'ID-a');
    }),
  ).toEqual(new UsageError('--engine: must not be given with hosts, which name their engines, got: ID-a'));
  expect(() => {
    requireOneHost(HOSTS);
  }).not.toThrow();
  expect(() => {
    requireOneHost(parseEnvironment('name: demo', 'demo.yaml'), 'ID-a');
  }).not.toThrow();
});
