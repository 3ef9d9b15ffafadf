import { existsSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import path from 'node:path';
import { catalogue } from '../../../../operations/checks/catalogue';
import { requireHostsThere } from '../../../../operations/checks/health/services';
import { checkEnvironment } from '../../../../operations/checks/check-environment';
import type { Report } from '../../../../operations/checks/report/model';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { type FakeDeployment, fakeDeployment, fakeDocker } from '../fakes';
import { thrownBy } from '../../../helpers/thrown';
import { ownVault } from '../../../helpers/servers/vault';

/**
 * One server is Vault, KES and MinIO, and each is told from the others by what it is asked; a closed port stands for what
 * does not answer.
 */
const folder = useTemporaryFolder();
let deployment: FakeDeployment;
let docker: Awaited<ReturnType<typeof fakeDocker>>;
let containers: Record<string, object | undefined>;
let sealed: boolean;
let keyStoreReached: boolean;

const RUNNING = { Running: true, Status: 'running', ExitCode: 0 };

const services: RequestListener = ({ url }, response) => {
  response.setHeader('content-type', 'application/json');
  if (url === '/v1/sys/seal-status') {
    response.end(JSON.stringify({ initialized: true, sealed, t: 1, n: 1, progress: 0 }));
  } else if (url === '/v1/status') {
    response.end(JSON.stringify({ keystore_unreachable: !keyStoreReached }));
  } else if (url === '/minio/admin/v3/storageinfo') {
    response.end(JSON.stringify({ Disks: [{ endpoint: '/data', state: 'ok', totalspace: 100, availspace: 50 }] }));
  } else {
    response.end();
  }
};

beforeEach(async () => {
  sealed = false;
  keyStoreReached = true;
  containers = Object.fromEntries(
    ['vault', 'vault-unsealer', 'kes', 'minio'].map((alias) => [`ebs-test-${alias}`, RUNNING]),
  );
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  deployment = await fakeDeployment(folder(), services);
  jest.restoreAllMocks();
  docker = await fakeDocker(folder(), (name) => containers[name]);
  const { environment } = deployment.loaded;
  environment.docker.host = docker.host;
  environment.kes.port = deployment.port;
  ownVault(environment).port = deployment.port;
});
afterEach(async () => {
  await docker.close();
  await deployment.close();
});

/** A run that asks for a round trip alone, and the checks that need no more than Vault. */
async function run(only: readonly string[] = ['sse-s3-round-trip']): Promise<Report['results']> {
  const checks = catalogue.filter(({ id }) => only.includes(id));
  return (await checkEnvironment(deployment.loaded, { checks })).results;
}

test('passes when every container runs and every service answers', async () => {
  const [result, ...others] = await run(['services-running']);
  expect(others).toEqual([]);
  expect(result).toMatchObject({
    status: 'passed',
    evidence: {
      containers: ['vault', 'kes', 'minio', 'vault-unsealer'].map((alias) => ({
        name: `ebs-test-${alias}`,
        state: 'running',
      })),
      vault: 'answers',
      kes: 'answers',
      minio: 'answers',
    },
  });
});

const gone = (alias: string) => ({ [`ebs-test-${alias}`]: undefined });
const is = (alias: string, state: object) => ({ [`ebs-test-${alias}`]: { ...RUNNING, ...state } });
const exited = (alias: string, ExitCode: number) => is(alias, { Running: false, Status: 'exited', ExitCode });

test.each<[string, Record<string, object | undefined>, string, string]>([
  [
    'the container of KES was removed',
    gone('kes'),
    'KES does not run: its container ebs-test-kes is missing',
    './scripts/up test makes it again; keys and objects are in volumes, which it keeps',
  ],
  [
    'Vault was stopped, and MinIO ends again and again for it',
    { ...exited('vault', 0), ...is('minio', { Restarting: true, ExitCode: 1 }) },
    'Vault does not run: its container ebs-test-vault is exited (exit code 0)',
    './scripts/up test starts it again; `docker logs ebs-test-vault` says why it ended',
  ],
  [
    'two containers were stopped',
    { ...exited('kes', 137), ...exited('minio', 0) },
    'KES does not run: its container ebs-test-kes is exited (exit code 137); ' +
      'MinIO does not run: its container ebs-test-minio is exited (exit code 0)',
    './scripts/up test starts them again; `docker logs ebs-test-kes` says why it ended; ' +
      '`docker logs ebs-test-minio` says why it ended',
  ],
  [
    'MinIO is paused',
    is('minio', { Paused: true }),
    'MinIO does not run: its container ebs-test-minio is paused',
    '`docker unpause ebs-test-minio`',
  ],
])('%s: one failure says so, and what needs it follows from that', async (_, state, message, fix) => {
  Object.assign(containers, state);
  const [cause, ...others] = await run();
  expect(cause).toMatchObject({ id: 'services-running', status: 'failed', message, fix });
  expect(others).toEqual([
    expect.objectContaining({
      id: 'sse-s3-round-trip',
      status: 'skipped',
      message: 'follows from services-running',
    }),
  ]);
});

test('a stopped unsealer is a failure from which nothing follows yet', async () => {
  Object.assign(containers, exited('vault-unsealer', 137));
  const [cause, ...others] = await run(['services-running', 'vault-unsealed', 'kms-ready']);
  expect(cause).toMatchObject({
    status: 'failed',
    message:
      'the unsealer of Vault does not run: its container ebs-test-vault-unsealer is exited (exit code 137), ' +
      'so that Vault stays sealed when it starts again',
    fix: './scripts/up test starts it again; `docker logs ebs-test-vault-unsealer` says why it ended',
  });
  expect(others.map(({ status }) => status)).toEqual(['passed', 'passed']);
});

test.each<[string, () => void, RegExp, string]>([
  [
    'Vault',
    () => {
      ownVault(deployment.loaded.environment).port = 1;
    },
    /^Vault does not answer at https:\/\/127\.0\.0\.1:1: 127\.0\.0\.1:1: connect ECONNREFUSED 127\.0\.0\.1:1; its container ebs-test-vault is running$/,
    '`docker logs ebs-test-vault` says why; `docker restart ebs-test-vault` restarts it',
  ],
  [
    'KES',
    () => {
      deployment.loaded.environment.kes.port = 1;
    },
    /^KES does not answer at https:\/\/127\.0\.0\.1:1: .* its container ebs-test-kes is running$/,
    '`docker logs ebs-test-kes` says why; `docker restart ebs-test-kes` restarts it',
  ],
  [
    'MinIO',
    () => {
      deployment.loaded.environment.minio.port = 1;
    },
    /^MinIO does not answer at https:\/\/127\.0\.0\.1:1: .* its container ebs-test-minio is running$/,
    '`docker logs ebs-test-minio` says why; `docker restart ebs-test-minio` restarts it',
  ],
])('%s that runs and does not answer is the cause', async (_, silence, message, fix) => {
  silence();
  const [cause, ...others] = await run();
  expect(cause).toMatchObject({
    id: 'services-running',
    status: 'failed',
    message: expect.stringMatching(message) as string,
    fix,
  });
  expect(others.map(({ status }) => status)).toEqual(['skipped']);
});

test('a sealed Vault is the cause, also where MinIO is away for it', async () => {
  sealed = true;
  deployment.loaded.environment.minio.port = 1;
  const [cause, ...others] = await run(['kms-ready', 'sse-s3-round-trip', 'vault-key-mount']);
  expect(cause).toMatchObject({
    id: 'vault-unsealed',
    status: 'failed',
    message: 'Vault is sealed; 0 of the 1 unseal shares that it needs were given',
    fix: './scripts/unseal test unseals it; `docker logs ebs-test-vault-unsealer` says why the unsealer did not',
  });
  expect(others.map(({ id, status }) => [id, status])).toEqual([
    ['kms-ready', 'skipped'],
    ['vault-key-mount', 'skipped'],
    ['sse-s3-round-trip', 'skipped'],
  ]);
});

test('a KES that does not reach its key store is the cause; Vault itself is checked all the same', async () => {
  keyStoreReached = false;
  const results = await run(['vault-anonymous-refused', 'sse-s3-round-trip']);
  expect(results.map(({ id, status }) => [id, status])).toEqual([
    ['kms-ready', 'failed'],
    ['sse-s3-round-trip', 'skipped'],
    // the server of this test refuses nobody
    ['vault-anonymous-refused', 'failed'],
  ]);
});

test('without Docker the services are asked all the same', async () => {
  rmSync(path.join(folder(), 'docker.sock'));
  expect(existsSync(path.join(folder(), 'docker.sock'))).toBe(false);
  expect(await run(['services-running'])).toMatchObject([{ status: 'passed', evidence: { minio: 'answers' } }]);
  deployment.loaded.environment.kes.port = 1;
  expect(await run(['services-running'])).toMatchObject([
    {
      status: 'failed',
      message: expect.stringMatching(/its container ebs-test-kes is unknown: .*connect ENOENT/) as string,
      fix: 'start Docker, or correct docker.host and DOCKER_HOST: without it the state of the containers is unknown',
    },
  ]);
});

describe('of several hosts', () => {
  const seen = (where: string, state: string) => ({ where, state });

  test('one on which Docker does not answer is named once', () => {
    const containers = ['running', 'unknown: no connection within 10 s', 'unknown: no connection within 10 s'];
    const error = thrownBy(() => {
      requireHostsThere(
        { argument: 'demo' },
        containers.map((state) => seen(state === 'running' ? ' on host a' : ' on host c', state)),
        {},
      );
    });
    expect(error).toMatchObject({
      message: 'Docker on host c does not answer: no connection within 10 s',
      fix: 'bring the host back, then ./scripts/up demo, which makes what is missing there; what the others have goes on meanwhile',
    });
  });

  test('all may answer, and the only host of others may not', () => {
    for (const containers of [[seen(' on host a', 'running')], [seen('', 'unknown: connect ENOENT')]]) {
      expect(() => {
        requireHostsThere({ argument: 'demo' }, containers, {});
      }).not.toThrow();
    }
  });
});
