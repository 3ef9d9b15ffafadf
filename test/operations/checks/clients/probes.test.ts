import type { ClientGrant } from '../../../../config/minio/client-policies';
import {
  type Cleaner,
  fromOutside,
  type Probe,
  probesFor,
  tryProbes,
  verdictOf,
} from '../../../../operations/checks/clients/probes';
import type { HttpResponse } from '../../../../operations/lib/net/http';
import type { RawRequest, RawS3 } from '../../../../operations/minio/objects/raw-s3';

const PLACES = { otherBucket: 'other', newBucket: 'new', lockedBuckets: ['locked'], run: 'run', user: 'ebs-client-c' };

const probes = (grant: Partial<ClientGrant>): Probe[] =>
  probesFor(
    { name: 'c', grants: [{ bucket: 'backup', may: 'read', objectLock: false, keys: ['k'], ...grant }] },
    PLACES,
  );
const whatOf = (all: readonly Probe[], allowed: boolean): string[] =>
  all.filter((probe) => probe.allowed === allowed).map(({ what }) => what);

test.each<[ClientGrant['may'], string[]]>([
  [
    'read',
    ['list below a/ in bucket backup', 'list versions below a/ in bucket backup', 'read below a/ in bucket backup'],
  ],
  [
    'append',
    [
      'list below a/ in bucket backup',
      'list versions below a/ in bucket backup',
      'read below a/ in bucket backup',
      'write below a/ in bucket backup',
      'delete lock files of restic below a/ in bucket backup',
    ],
  ],
  [
    'write',
    [
      'list below a/ in bucket backup',
      'list versions below a/ in bucket backup',
      'read below a/ in bucket backup',
      'write below a/ in bucket backup',
      'delete below a/ in bucket backup',
    ],
  ],
])('what must work with %s', (may, works) => {
  expect(whatOf(probes({ may, prefix: 'a/' }), true)).toEqual(works);
});

test('what must be refused, whatever is declared', () => {
  for (const may of ['read', 'append', 'write'] as const) {
    expect(whatOf(probes({ may, prefix: 'a/' }), false)).toEqual(
      expect.arrayContaining([
        'delete an older version below a/ in bucket backup',
        'delete every version by force below a/ in bucket backup',
        'list all of bucket backup',
        'list all of bucket backup with a header that names its prefix',
        'read outside of its prefixes in bucket backup',
        'write outside of its prefixes in bucket backup',
        'delete outside of its prefixes in bucket backup',
        'change policy of bucket backup',
        'change lifecycle of bucket backup',
        'change encryption of bucket backup',
        'change object-lock of bucket backup',
        'list another bucket',
        'write to another bucket',
        'export users with their secret keys',
        'mint temporary credentials',
      ]),
    );
  }
});

test('a client of a whole bucket has no outside there, and retention is tried where the bucket knows it', () => {
  expect(whatOf(probes({ may: 'write' }), false).join()).not.toMatch(/outside|list all/);
  expect(whatOf(probes({ bucket: 'locked', may: 'append', objectLock: true }), true)).toContain(
    'set retention in bucket locked',
  );
  expect(whatOf(probes({ bucket: 'locked', may: 'append' }), false)).toContain('set retention in bucket locked');
});

const answer = (status: number, text = '', headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status,
  text,
  headers,
  bytes: Buffer.from(text),
});

test.each([
  [200, '', 'allowed'],
  [404, '<Code>NoSuchKey</Code>', 'allowed'],
  [400, '<Code>MalformedXML</Code>', 'allowed'],
  [403, '<Code>AccessDenied</Code>', 'refused'],
  [403, '{"Code":"AccessDenied"}', 'refused'],
  [400, '<Message>refused by the rule repeated-parameter of ebs-guard: x</Message>', 'refused'],
  [403, '<Code>InvalidAccessKeyId</Code>', 'unauthenticated'],
  [403, '<Code>SignatureDoesNotMatch</Code>', 'unauthenticated'],
])('HTTP %i %s means %s', (status, text, verdict) => {
  expect(verdictOf({ status, text })).toBe(verdict);
});

describe('trying', () => {
  const undone: string[] = [];
  const root: Cleaner = {
    deleteVersion: async (bucket, key, version) => Promise.resolve(undone.push(`${bucket}/${key} ${version}`)),
    deleteBucket: async (bucket) => Promise.resolve(undone.push(bucket)),
  };
  const server = (answers: (request: RawRequest) => HttpResponse): RawS3 =>
    ({ send: async (request: RawRequest) => Promise.resolve(answers(request)) }) as unknown as RawS3;
  const denied = answer(403, '<Code>AccessDenied</Code>');

  beforeEach(() => {
    undone.length = 0;
  });

  test('a server that refuses everything is told by what must work', async () => {
    const { problems, refused } = await tryProbes(
      probes({}),
      server(() => denied),
      root,
    );
    expect(problems).toEqual([
      'may not list in bucket backup (HTTP 403 AccessDenied)',
      'may not list versions in bucket backup (HTTP 403 AccessDenied)',
      'may not read in bucket backup (HTTP 403 AccessDenied)',
    ]);
    expect(refused).toBeGreaterThan(10);
  });

  test('a server that allows everything is told by each, and what it did is taken back', async () => {
    const as = server(({ method }) => answer(204, '', method === 'DELETE' ? { 'x-amz-version-id': 'v' } : {}));
    const { problems } = await tryProbes(probes({ may: 'append', prefix: 'a/' }), as, root);
    expect(problems).toEqual(
      whatOf(probes({ may: 'append', prefix: 'a/' }), false).map((what) => `may ${what} (HTTP 204)`),
    );
    expect(undone).toEqual(
      expect.arrayContaining(['backup/a/run v', 'backup/a/locks/run v', 'backup/run/elsewhere v', 'new']),
    );
  });

  test('a key that is not let in says so once', async () => {
    const { problems } = await tryProbes(
      probes({}),
      server(() => answer(403, '<Code>InvalidAccessKeyId</Code>')),
      root,
    );
    expect(problems).toEqual(['is not let in: HTTP 403 InvalidAccessKeyId']);
  });

  test('a server that cannot read a text has let the client in', async () => {
    const as = server(({ query }) => (query !== undefined && 'lifecycle' in query ? answer(500) : denied));
    const { problems } = await tryProbes(
      probes({}).filter(({ allowed }) => !allowed),
      as,
      root,
    );
    expect(problems).toEqual(['may change lifecycle of bucket backup (HTTP 500)']);
  });

  test('a server in trouble is no answer', async () => {
    const trouble = server(() => answer(503, '<Code>SlowDown</Code>'));
    await expect(tryProbes(probes({}), trouble, root)).rejects.toThrow('list in bucket backup: HTTP 503 SlowDown');
  });
});

test('from outside of its addresses everything must be refused, whatever address a header claims', () => {
  const all = fromOutside(probes({ may: 'write' }), ['198.51.100.0/24', '203.0.113.0/24']);
  expect(whatOf(all, true)).toEqual([]);
  expect(whatOf(all, false)).toContain('list in bucket backup from outside of its addresses');
  for (const { request } of all) {
    expect(request.unsigned).toEqual({
      'x-forwarded-for': '198.51.100.0',
      'x-real-ip': '198.51.100.0',
      forwarded: 'for=198.51.100.0',
    });
  }
});
