import type { RequestListener } from 'node:http';
import { requireSameObjectLocks } from '../../../../operations/minio/objects/object-lock-preflight';
import { UsageError } from '../../../../operations/lib/errors';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { type FakeDeployment, fakeDeployment, loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();
let server: FakeDeployment | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** A MinIO that has the bucket `locked` with object lock, `plain` without it, and `versions` with versioning. */
const minio: RequestListener = ({ url = '' }, response) => {
  if (url.includes('?versioning')) {
    const status = url.startsWith('/versions') ? '<Status>Enabled</Status>' : '';
    response.end(`<VersioningConfiguration>${status}</VersioningConfiguration>`);
  } else if (url.startsWith('/locked') && url.includes('object-lock')) {
    const enabled = '<ObjectLockEnabled>Enabled</ObjectLockEnabled>';
    response.end(`<ObjectLockConfiguration>${enabled}</ObjectLockConfiguration>`);
  } else if (url.includes('object-lock')) {
    response.writeHead(404).end('<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>');
  } else {
    response.writeHead(/^\/(locked|plain|versions)/.test(url) ? 200 : 404).end();
  }
};

async function asked(buckets: string): Promise<string> {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  server = await fakeDeployment(folder(), minio);
  jest.restoreAllMocks();
  return requireSameObjectLocks(loaded(folder(), `name: test\nminio: { port: ${server.port} }\nbuckets: [${buckets}]`));
}

const LOCKED = 'versioning: true, objectLock: true';

test.each([
  [`{ name: locked, ${LOCKED} }, { name: plain }`, '2 of 2 there, with the declared object lock'],
  [`{ name: new, ${LOCKED} }, { name: plain }`, '1 of 2 there, with the declared object lock'],
  ['{ name: versions }', '1 of 1 there, with the declared object lock'],
  ['{ name: plain, versioning: false }', '1 of 1 there, with the declared object lock'],
  ['', 'none is declared'],
])('possible: %s', async (buckets, said) => {
  expect(await asked(buckets)).toBe(said);
});

test.each([
  [
    '{ name: locked, versioning: true }',
    'bucket locked exists with object lock, but is declared without it, which can only be chosen when a bucket is made',
    'write objectLock: true for it, or declare a bucket of another name; nothing was changed',
  ],
  [
    `{ name: plain, ${LOCKED} }`,
    'bucket plain exists without object lock, but is declared with it, which can only be chosen when a bucket is made',
    'write objectLock: false for it, or declare a bucket of another name; nothing was changed',
  ],
  [
    '{ name: versions, versioning: false }',
    'bucket versions has versioning on, but is declared with versioning: false, and S3 cannot switch it off again',
    'write versioning: true for it, or remove the line; nothing was changed',
  ],
])('refused: %s', async (buckets, message, hint) => {
  const error = await rejectionOf(asked(buckets));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
  expect(error).toHaveProperty('hint', hint);
});

test('a first deploy, and a MinIO that does not answer, are not kept from deploying', async () => {
  const text = 'name: test\nminio: { port: 1 }\nbuckets: [{ name: plain }]';
  expect(await requireSameObjectLocks(loaded(folder(), text))).toBe('there are none yet');
  await asked('');
  expect(await requireSameObjectLocks(loaded(folder(), text))).toMatch(
    /^asked in the deploy, because MinIO cannot be asked now \(.*ECONNREFUSED/,
  );
});
