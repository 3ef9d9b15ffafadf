import { bucketName, dnsName, environmentName, kesName, vaultPath } from '../../config/names';

const long = (length: number) => 'a'.repeat(length);

describe.each([
  {
    title: 'names of keys, policies and identities in KES',
    rule: kesName,
    good: ['a', 'A-b_9', '_a', '__', '9', long(80)],
    bad: ['', '-a', 'a-', '_', 'a.b', 'a/b', 'a b', 'ä', 'a\n', long(81)],
  },
  {
    title: 'names of buckets',
    rule: bucketName,
    good: ['abc', '1-a', 'a--b', 'a.b', 'www.my-bucket.1', '1.2.3', '1.2.3.4.5', long(63)],
    bad: [
      ...['ab', 'Abc', 'a_b', '-ab', 'ab-', 'xn--abc', 'abc-s3alias', 'abc\n', long(64)],
      ...['.ab', 'ab.', 'a..b', 'a.-b', 'a-.b', '192.0.2.7', 'sthree-a', 'a--ol-s3', `${long(30)}.${long(33)}`],
    ],
  },
  {
    title: 'names of environments',
    rule: environmentName,
    good: ['x', 'a1', 'a-b', long(32)],
    bad: ['', '1a', 'A', 'a-', '-a', 'a_b', 'a.b', '../a', 'a\n', long(33)],
  },
  {
    title: 'paths in Vault',
    rule: vaultPath,
    good: ['kes', 'team/kes', 'A_b-1/c'],
    bad: ['', '/kes', 'kes/', 'a//b', 'a/../b', 'a b', 'a*', 'a+', 'a"b', 'kes\n'],
  },
  {
    title: 'DNS names',
    rule: dnsName,
    good: ['s3', 's3.example.org', '*.example.org', 'S3.Example.ORG', `${long(63)}.org`],
    bad: ['', '.', 'a..b', 'a.', '-a', 'a-', 'a_b', 'a b', 'a.*.b', '*', 'https://a', `${long(64)}.org`, 'a\n'],
  },
])('$title', ({ rule, good, bad }) => {
  test.each(good)('%j is one', (name) => {
    expect(rule.test(name)).toBe(true);
  });

  test.each(bad)('%j is none', (name) => {
    expect(rule.test(name)).toBe(false);
  });
});

test('a DNS name has at most 253 characters', () => {
  const name = (length: number) => `${`${long(49)}.`.repeat(5)}${long(length - 250)}`;
  expect(name(253)).toHaveLength(253);
  expect(dnsName.test(name(253))).toBe(true);
  expect(dnsName.test(name(254))).toBe(false);
});
