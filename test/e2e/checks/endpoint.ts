import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { environmentLabels } from '../../../constructs/docker/labels';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { projectRoot } from '../../../operations/lib/project-root';
import { foreignCa } from '../../../operations/checks/refusals/foreign-ca';
import { holeChecks } from '../../../operations/checks/holes/hole-checks';
import { reportSchema } from '../../../operations/checks/report/model';
import { builtMc } from '../../../operations/toolchain/findings';
import { type CommandResult, output, runCommand } from '../../helpers/e2e/command';
import { testPorts } from '../../helpers/e2e/test-ports';
import { Workbench } from '../../helpers/e2e/workbench';

/** `--endpoint`: what can be seen of any S3 API from outside, and one clear line where nothing can. */
export function describeEndpointChecks(deployment: () => LoadedEnvironment): void {
  describe('./scripts/check --endpoint', () => {
    let bench: Workbench;
    let folder: string;

    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'ebs-endpoint-'));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });
    beforeEach(() => {
      bench = new Workbench(deployment());
    });
    afterEach(async () => {
      await bench.mend();
    });

    async function check(
      url: string,
      args: readonly string[] = [],
      env: Readonly<Record<string, string>> = {},
    ): Promise<CommandResult> {
      const { accessKey, secretKey } = bench.credentials;
      return runCommand(
        path.join(projectRoot, 'scripts', 'check'),
        ['--endpoint', url, '--ca', bench.realS3.caFile ?? '', ...args],
        {
          env: {
            AWS_ACCESS_KEY_ID: accessKey,
            AWS_SECRET_ACCESS_KEY: secretKey.reveal(),
            // nothing of the user's own
            AWS_CONFIG_FILE: '/dev/null',
            AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
            AWS_PROFILE: undefined,
            AWS_SESSION_TOKEN: undefined,
            AWS_EC2_METADATA_DISABLED: 'true',
            ...env,
          },
        },
      );
    }
    const EXPECTED = ['--default-key', 'backup-default', '--key', 'archive-key', '--auto-encryption', 'on'];

    test('our own deployment passes, and says what was left out', async () => {
      const result = await check(bench.realS3.url, [...EXPECTED, '--json', '--report', path.join(folder, 'report')]);
      expect(result.code).toBe(0);
      const report = reportSchema.parse(JSON.parse(result.stdout));
      expect(report).toMatchObject({ endpoint: bench.realS3.url, outcome: 'passed' });
      expect(report.environment).toBeUndefined();
      expect(report.leftOut.map(({ id }) => id)).toContain('key-continuity');
      expect(result.stderr).toContain('key-continuity  excluded: it looks at the deployment itself');
      expect(result.stderr).toContain('forged-writes-refused  excluded: it sends what the server must refuse');
      expect(result.stderr).toContain(`report: ${path.join(folder, 'report', 'checks.html')}`);
    });

    test('a MinIO without a KMS fails every check of encryption by the server, and says why', async () => {
      const url = await plainMinio(bench);
      const result = await check(url, [...EXPECTED, '--json', '--try-known-holes']);
      expect(result.code).toBe(1);
      const { results } = reportSchema.parse(JSON.parse(result.stdout));
      const byId = Object.fromEntries(results.map(({ id, status, message, fix }) => [id, { status, message, fix }]));
      for (const id of ['plain-http-refused', ...holeChecks.map((one) => one.id)]) {
        expect([id, byId[id]]).toMatchObject([id, { status: 'passed' }]);
      }
      expect(byId['auto-encryption']).toMatchObject({ status: 'failed' });
      const withoutKms = results.filter(({ message }) => message?.includes('501 NotImplemented') === true);
      expect(withoutKms.length).toBeGreaterThan(2);
      for (const { status, fix } of withoutKms) {
        expect(status).toBe('failed');
        expect(fix).toMatch(/^the server runs without a KMS/);
      }
    });

    test('wrong credentials', async () => {
      const { code, stderr, stdout } = await check(bench.realS3.url, [], { AWS_ACCESS_KEY_ID: 'nobody' });
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(errorLines(stderr)).toEqual([
        `error: ${bench.realS3.url} does not accept the access key nobody (AWS_ACCESS_KEY_ID): InvalidAccessKeyId`,
      ]);
    });

    test('no credentials', async () => {
      const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
      const { code, stderr } = await check(bench.realS3.url, [], none);
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([
        expect.stringMatching(/^error: there are no credentials for https:.*: Could not load credentials/),
      ]);
    });

    test('a user who may not make a bucket', async () => {
      const limited = await limitedUser(bench, folder);
      const { code, stderr } = await check(bench.realS3.url, [], limited);
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([
        expect.stringMatching(/^error: the access key limited-\S+ .* may not make a bucket at .*: AccessDenied$/),
      ]);
    });

    test('nobody answers', async () => {
      const [port] = await testPorts(1);
      const { code, stderr } = await check(`https://127.0.0.1:${port}`);
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([
        `error: the S3 API does not answer at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      ]);
    });

    test('a clock that is off', async () => {
      const late = path.join(folder, 'late.cjs');
      writeFileSync(
        late,
        `const now = Date.now;
        globalThis.Date = class extends Date {
          constructor(...args) { super(...(args.length === 0 ? [now() + 20 * 60_000] : args)); }
          static now() { return now() + 20 * 60_000; }
        };`,
      );
      const { code, stderr } = await check(bench.realS3.url, [], { NODE_OPTIONS: `--require=${late}` });
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([
        `error: the clocks of this machine and of ${bench.realS3.url} differ by 20 minutes, and S3 refuses more than 15`,
      ]);
    });

    test('a CA that issued nothing', async () => {
      const ca = path.join(folder, 'foreign.crt');
      writeFileSync(ca, await foreignCa());
      const { code, stderr } = await check(bench.realS3.url, ['--ca', ca]);
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([
        expect.stringMatching(/^error: the certificate of https:\S+ cannot be verified by \S+foreign\.crt: /),
      ]);
    });

    test('a server that speaks HTTP in the clear', async () => {
      const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { code, stderr } = await check(url);
      server.close();
      expect(code).toBe(3);
      expect(errorLines(stderr)).toEqual([`error: what answers at ${url} does not speak TLS`]);
    });

    test.each([
      [['--only', 'nonsense'], 'error: there is no check nonsense'],
      [['--disruptive'], 'error: --disruptive needs an environment: from outside nothing can be restored'],
    ])('%j is a wrong call', async (args, line) => {
      const { code, stderr } = await check(bench.realS3.url, args);
      expect(code).toBe(64);
      expect(errorLines(stderr)).toEqual([line]);
    });
  });
}

function errorLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('error:'));
}

/** MinIO as anybody may run it: with TLS, on a drive of its own, and without a KMS. */
async function plainMinio(bench: Workbench): Promise<string> {
  const { environment } = bench.deployed;
  const { Config, HostConfig } = await bench.container('minio').inspect();
  const [port] = await testPorts(1);
  const container = await bench.docker.createContainer({
    name: `${bench.containerName('minio')}-plain`,
    Image: Config.Image,
    ...(Config.Entrypoint === undefined ? {} : { Entrypoint: Config.Entrypoint }),
    Cmd: Config.Cmd,
    User: Config.User,
    Env: ['MINIO_CONFIG_ENV_FILE=/files/config.env'],
    Labels: Object.fromEntries(environmentLabels(environment).map(({ label, value }) => [label, value])),
    ExposedPorts: { '9000/tcp': {} },
    HostConfig: {
      Binds: (HostConfig.Binds ?? []).filter((bind) => bind.includes(':/files')),
      // a volume without a name, which goes with the container
      Mounts: [{ Type: 'volume', Source: '', Target: '/data' }],
      PortBindings: { '9000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
    },
  });
  bench.mendBy(async () => container.remove({ force: true, v: true }));
  await container.start();
  const url = `https://127.0.0.1:${port}`;
  await bench.waitForMinio(url);
  return url;
}

/** A user of MinIO who may read everything and make nothing. */
async function limitedUser(bench: Workbench, folder: string): Promise<Record<string, string>> {
  const name = `limited-${randomBytes(4).toString('hex')}`;
  const secret = randomBytes(16).toString('hex');
  const { accessKey, secretKey } = bench.credentials;
  const mc = async (...args: readonly string[]): Promise<string> =>
    output(builtMc() ?? 'mc', ['--config-dir', path.join(folder, 'mc'), 'admin', ...args], {
      env: {
        MC_HOST_e2e: bench.realS3.url.replace('://', `://${accessKey}:${secretKey.reveal()}@`),
        SSL_CERT_FILE: bench.realS3.caFile,
      },
    });
  bench.mendBy(async () => mc('user', 'remove', 'e2e', name));
  await mc('user', 'add', 'e2e', name, secret);
  await mc('policy', 'attach', 'e2e', 'readonly', '--user', name);
  return { AWS_ACCESS_KEY_ID: name, AWS_SECRET_ACCESS_KEY: secret };
}
