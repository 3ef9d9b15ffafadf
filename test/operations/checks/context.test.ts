import type { RequestListener } from 'node:http';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { rmSync, writeFileSync } from 'node:fs';
import type { LoadedEnvironment } from '../../../operations/state/load';
import type { CheckContext } from '../../../operations/checks/check';
import { withContext, withServices } from '../../../operations/checks/context';
import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { type FakeDeployment, fakeDeployment, loaded } from './fakes';

const folder = useTemporaryFolder();
let deployment: FakeDeployment | undefined;
let requests: string[] = [];
let buckets: Record<string, Date> = {};

/** Parts of objects that were never completed, by their bucket. */
let uploads: readonly string[] = [];

/** As much of MinIO as the bucket of a run needs: list, create, and delete with everything in it. */
const minio: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://minio');
  const name = pathname.replace(/^\/|\/$/g, '');
  const [setting] = ['versioning', 'encryption', 'uploads', 'uploadId']
    .filter((one) => searchParams.has(one))
    .map((one) => `?${one}`);
  const force = request.headers['x-minio-force-delete'] === 'true' ? ' by force' : '';
  requests.push(`${request.method ?? ''} ${name}${setting ?? ''}${force}`);
  if (request.method === 'PUT' && setting === undefined) buckets[name] = new Date();
  if (request.method === 'DELETE') Reflect.deleteProperty(buckets, name);
  const list = Object.entries(buckets).map(
    ([bucket, date]) => `<Bucket><Name>${bucket}</Name><CreationDate>${date.toISOString()}</CreationDate></Bucket>`,
  );
  if (setting === '?uploads') {
    const parts = uploads.map((key) => `<Upload><Key>${key}</Key><UploadId>1</UploadId></Upload>`);
    response.end(`<ListMultipartUploadsResult>${parts.join('')}</ListMultipartUploadsResult>`);
    return;
  }
  response.end(
    request.method === 'GET'
      ? `<ListAllMyBucketsResult><Buckets>${list.join('')}</Buckets></ListAllMyBucketsResult>`
      : '',
  );
};

const refusing =
  (status: number, code: string): RequestListener =>
  (_, response) => {
    response.writeHead(status).end(`<Error><Code>${code}</Code><Message>said MinIO</Message></Error>`);
  };

async function deploy(handler: RequestListener): Promise<FakeDeployment> {
  return (deployment = await fakeDeployment(folder(), handler));
}

beforeEach(() => {
  requests = [];
  buckets = {};
  uploads = [];
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await deployment?.close();
  deployment = undefined;
});

async function runWith<T>(
  environment: LoadedEnvironment,
  signal: AbortSignal | undefined,
  use: (context: CheckContext) => Promise<T>,
): Promise<T> {
  return withServices(environment, undefined, async (services) => withContext(services, signal, use));
}

test('a run has a bucket of its own, which is gone with everything in it when a check throws', async () => {
  const { loaded: environment } = await deploy(minio);
  uploads = ['half'];
  let seen = '';
  const run = runWith(environment, undefined, async ({ bucket }) => {
    seen = bucket;
    return Promise.reject(new Error('as a check might'));
  });
  await expect(run).rejects.toThrow('as a check might');
  expect(seen).toMatch(/^ebs-check-[0-9a-f]{16}$/);
  expect(requests).toEqual([
    'GET minio/health/live',
    'GET ',
    `PUT ${seen}`,
    `GET ${seen}?uploads`,
    `DELETE ${seen}/half?uploadId`,
    `DELETE ${seen} by force`,
  ]);
});

test('further buckets have the settings they are made with, and go with it', async () => {
  const { loaded: environment } = await deploy(minio);
  const names = await runWith(environment, undefined, async ({ bucket, newBucket }) => [
    bucket,
    await newBucket({ versioning: true, encryption: { SSEAlgorithm: 'AES256' } }),
  ]);
  expect(requests.slice(2)).toEqual([
    `PUT ${names[0]}`,
    `PUT ${names[1]}`,
    `PUT ${names[1]}?versioning`,
    `PUT ${names[1]}?encryption`,
    `GET ${names[0]}?uploads`,
    `DELETE ${names[0]} by force`,
    `GET ${names[1]}?uploads`,
    `DELETE ${names[1]} by force`,
  ]);
});

test('it is gone when the run is interrupted, too, and the checks can write no more', async () => {
  const { loaded: environment } = await deploy(minio);
  const interruption = new AbortController();
  const run = runWith(environment, interruption.signal, async ({ s3, bucket }) => {
    interruption.abort(new Error('interrupted by SIGINT'));
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'late', Body: 'x' }));
  });
  expect((await rejectionOf(run)).message).toBe('interrupted by SIGINT');
  expect(buckets).toEqual({});
  expect(requests.filter((request) => request.includes('late'))).toEqual([]);
});

test('buckets that killed runs left behind are swept; young ones and those of other people are not', async () => {
  const { loaded: environment } = await deploy(minio);
  const old = new Date(Date.now() - 11 * 60 * 1000);
  buckets = {
    'ebs-check-0123456789abcdef': old,
    'ebs-check-1111111111111111': new Date(Date.now() - 9 * 60 * 1000),
    'ebs-check-mine': old,
    // declared in the environment file, although it looks like ours
    'ebs-check-00000000000000aa': old,
    backup: old,
  };
  await runWith(environment, undefined, async () => Promise.resolve());
  expect(Object.keys(buckets)).toEqual([
    'ebs-check-1111111111111111',
    'ebs-check-mine',
    'ebs-check-00000000000000aa',
    'backup',
  ]);
});

test('wrong credentials end the run before any check', async () => {
  const { loaded: environment } = await deploy(refusing(403, 'SignatureDoesNotMatch'));
  const use = jest.fn<Promise<void>, []>();
  const error = await rejectionOf(runWith(environment, undefined, use));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toMatch(/^https:\/\/127\.0\.0\.1:\d+ does not accept the credentials in /);
  expect(use).not.toHaveBeenCalled();
});

test.each([-16, 16])('a clock that is %i minutes off ends the run before any check', async (minutes) => {
  const date = new Date(Date.now() + minutes * 60_000).toUTCString();
  const { loaded: environment } = await deploy((_, response) => response.setHeader('date', date).end());
  const use = jest.fn<Promise<void>, []>();
  const error = await rejectionOf(runWith(environment, undefined, use));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toMatch(
    /^the clocks of this machine and of https:\S+ differ by 16 minutes, and S3 refuses more than 15$/,
  );
  expect(use).not.toHaveBeenCalled();
});

test('where MinIO has a problem of its own, checks that need no bucket still run', async () => {
  const { loaded: environment } = await deploy(refusing(400, 'XMinioServerNotInitialized'));
  const run = runWith(environment, undefined, async (context) => Promise.resolve(() => context.bucket));
  expect(await run).toThrow('a bucket for the checks could not be made: XMinioServerNotInitialized: said MinIO');
});

test('a server that does not listen is one clear line', async () => {
  const { loaded: environment, port } = await deploy(minio);
  await deployment?.close();
  deployment = undefined;
  const error = await rejectionOf(runWith(environment, undefined, async () => Promise.resolve()));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`the S3 API does not answer at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
});

test('an environment whose secrets are lost is no environment that was never deployed', async () => {
  const { loaded: environment } = await deploy(minio);
  const { state } = environment;
  writeFileSync(state.deployment, JSON.stringify({ id: 'A' }));
  rmSync(state.secrets, { recursive: true });
  const lost = await rejectionOf(runWith(environment, undefined, async () => Promise.resolve()));
  expect(lost).toBeInstanceOf(UsageError);
  expect(lost.message).toBe(
    `environment test was deployed, but its secrets are gone: ${state.secrets} does not hold them`,
  );
  expect(lost).toHaveProperty('hint', expect.stringContaining('--from BACKUP --identity FILE --replace test'));
  expect(requests).toEqual([]);
});

test('an environment that is not deployed says so, and what is missing', async () => {
  const never = await rejectionOf(runWith(loaded(folder()), undefined, async () => Promise.resolve()));
  expect(never).toBeInstanceOf(ExternalError);
  expect(never.message).toBe(`environment test is not deployed: there is no ${folder()}/tls/ca.crt`);

  const { loaded: environment } = await deploy(minio);
  rmSync(environment.state.secret.minioRoot);
  const half = await rejectionOf(runWith(environment, undefined, async () => Promise.resolve()));
  expect(half.message).toBe(`environment test is not deployed: there is no ${environment.state.secret.minioRoot}`);
  expect(requests).toEqual([]);
});
