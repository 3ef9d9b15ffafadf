import { environmentSchema } from '../../config/environment-schema';
import { kesUrl } from '../../config/docker/reachable';
import { s3Url } from '../../config/minio/s3-endpoint';
import { MINIMUM_TOKEN_PERIOD } from '../../config/rules/environment-rules';
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
  ['2001:db8::7', '[2001:db8::7]'],
  ['::', '[::1]'],
])('what is published on %s is reached by %s', (publishAddress, host) => {
  const environment = environmentSchema.parse({
    name: 'x',
    docker: { publishAddress },
    kes: { publishAddress, port: 17373 },
  });
  expect(kesUrl(environment)).toBe(`https://${host}:17373`);
  expect(s3Url(environment)).toBe(`https://${host}:9000`);
});
