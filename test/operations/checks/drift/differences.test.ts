import { differences, flat, someOf } from '../../../../operations/checks/drift/differences';

test('each difference is said in a few words', () => {
  const declared = { auth: 'on', cache: '5m', gone: 1, same: [1, 2] };
  const actual = { auth: 'off', cache: '5m', same: [1, 2], more: true };

  expect(differences(declared, actual)).toEqual([
    'auth is "off", declared "on"',
    'gone is missing',
    'more is not declared',
  ]);
});

test('a secret is only said to be another one', () => {
  expect(differences({ secret: 'a' }, { secret: 'b' }, (name) => name === 'secret')).toEqual(['secret is another one']);
});

test('what is nested is named by its way, what is in a list by itself', () => {
  expect(flat({ policy: { minio: { allow: ['/v1/status'] } }, version: 'v1' })).toEqual({
    'policy.minio.allow[/v1/status]': true,
    version: 'v1',
  });
});

test('a message names a few and counts the rest', () => {
  expect(someOf(['a', 'b', 'c'])).toBe('a; b; c');
  expect(someOf(['a', 'b', 'c', 'd', 'e'])).toBe('a; b; c; and 2 more');
});
