import { halvesOf, rangeCovers, rangesOverlap } from '../../../config/docker/subnets';

test.each([
  ['10.123.0.0/24', ['10.123.0.0/25', '10.123.0.128/25']],
  ['192.168.255.224/27', ['192.168.255.224/28', '192.168.255.240/28']],
  ['10.0.0.0/8', ['10.0.0.0/9', '10.128.0.0/9']],
])('%s is cut into halves', (subnet, halves) => {
  expect(halvesOf(subnet)).toEqual(halves);
});

test.each([
  ['10.0.0.0/8', '10.200.0.0/24', true],
  ['10.200.0.0/24', '10.0.0.0/8', true],
  ['10.200.0.0/25', '10.200.0.128/25', false],
  ['172.17.0.0/16', '172.18.0.0/16', false],
  ['10.0.0.0/8', 'fd00::/8', false],
])('%s and %s overlap: %s', (one, other, overlap) => {
  expect(rangesOverlap(one, other)).toBe(overlap);
});

test.each([
  ['10.0.0.0/8', '10.89.0.0/24', true],
  ['10.89.0.7/24', '10.89.0.128/25', true],
  ['10.89.0.0/24', '10.0.0.0/8', false],
  ['fd00::/8', '10.0.0.0/8', false],
])('%s covers %s: %s', (outer, inner, covers) => {
  expect(rangeCovers(outer, inner)).toBe(covers);
});
