import { environmentSchema } from '../../config/environment';
import { reachableAddress } from '../../config/reachable';
import { MINIMUM_TOKEN_PERIOD } from '../../config/environment-rules';
import { durationToMs } from '../../config/duration';

test('the token of KES lives long enough to be renewed', () => {
  // kes v0.24.0 renews 30 s + 80 % of the period after the last grant, so below 150 s it would come too late
  expect(durationToMs(MINIMUM_TOKEN_PERIOD)).toBeGreaterThan(150_000);
});

test('the defaults fulfil every rule', () => {
  expect(environmentSchema.safeParse({ name: 'x' }).success).toBe(true);
});

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['192.0.2.7', '192.0.2.7'],
  ['0.0.0.0', '127.0.0.1'],
])('what is published on %s is reached by %s', (publishAddress, reachableAs) => {
  const environment = environmentSchema.parse({ name: 'x', docker: { publishAddress } });
  expect(reachableAddress(environment)).toBe(reachableAs);
});
