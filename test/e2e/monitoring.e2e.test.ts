/** Metrics of a real deployment, read by the real Prometheus: what is wrong makes its alert, and no other one. */

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { SERVICE_UID } from '../../config/docker/service-user';
import { METRICS_USER } from '../../config/deployment-names';
import { embeddedVault } from '../../config/vault/vault';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { noteDrill } from '../../operations/backup/drill/last-drill';
import { openAdmin } from '../../operations/minio/minio-admin';
import { readCredentials } from '../../operations/minio/s3-client';
import { HttpClient } from '../../operations/lib/net/http';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { dashboardPanels } from '../../operations/monitoring/dashboard';
import { leaveMetrics } from '../../operations/monitoring/textfile';
import { mustSucceed } from '../helpers/e2e/command';
import { expire } from '../helpers/e2e/expired-certificate';
import { measured } from '../helpers/e2e/clients/measured';
import { Prometheus } from '../helpers/e2e/servers/prometheus';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { Workbench } from '../helpers/e2e/workbench';

/** What a certificate that has expired leaves in the folder of certificates. */
const EXPIRED = ['health.crt', 'renewal.json'] as const;
const DISK_BYTES = 512 * 1024 * 1024;
const KEY_NOT_IN_BACKUP = 'EbsKeyNotInBackup';

let environment: TestEnvironment;
let prometheus: Prometheus | undefined;
let bench: Workbench;
let recipient: string;
let disks: string[];

/** Small disks, so that one can be filled. */
function mountDisks(folder: string): string[] {
  return [1, 2, 3, 4].map((number) => {
    const [image, disk] = [path.join(folder, `disk${number}.img`), path.join(folder, `disk${number}`)];
    writeFileSync(image, '');
    truncateSync(image, DISK_BYTES);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    mkdirSync(disk);
    execFileSync('mount', ['-o', 'loop', image, disk]);
    rmSync(path.join(disk, 'lost+found'), { recursive: true });
    execFileSync('chown', [`${SERVICE_UID}:${SERVICE_UID}`, disk]);
    execFileSync('chmod', ['700', disk]);
    return disk;
  });
}

const watched = (): Prometheus => {
  if (prometheus === undefined) throw new Error('Prometheus was not started');
  return prometheus;
};

const backUp = async (): Promise<void> => {
  const file = path.join(environment.folder, 'backup.age');
  rmSync(file, { force: true });
  mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient]));
};

const container = (program: string) => environment.docker.getContainer(environment.containerName(program));

beforeAll(async () => {
  environment = await TestEnvironment.create();
  disks = mountDisks(environment.folder);
  const textfile = path.join(environment.folder, 'textfile');
  mkdirSync(textfile);
  recipient = await newIdentity(path.join(environment.folder, 'identity'));
  environment.write({
    vault: { auditLog: { keep: 2 } },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' } },
    ],
    minio: { drives: disks },
    monitoring: { textfile },
  });
  const up = mustSucceed(await environment.script('up'));
  measured('./scripts/up with monitoring', up.seconds);
  bench = new Workbench(environment.loaded);
  // an audit device on a disk of its own, so that it can be filled
  await bench.replaceContainer('vault', ({ HostConfig, ...options }) => ({
    ...options,
    HostConfig: {
      ...HostConfig,
      Binds: (HostConfig?.Binds ?? []).filter((bind) => !bind.includes(':/vault/audit')),
      Tmpfs: { ...(HostConfig?.Tmpfs as object), '/vault/audit': 'rw,size=8m,uid=65532,gid=65532,mode=0700' },
    },
  }));
  prometheus = await Prometheus.start(environment.loaded, environment.folder);
});

afterAll(async () => {
  await prometheus?.stop();
  await bench.mend();
  await environment.script('down', ['--delete-data', '--confirm', environment.name]);
  for (const disk of disks) execFileSync('umount', [disk]);
  await environment.remove();
});

test('of a new deployment only one thing is wrong: its master keys are in no backup', async () => {
  const others = await watched().until([KEY_NOT_IN_BACKUP]);
  expect([...others, ...(await watched().othersThan([KEY_NOT_IN_BACKUP]))]).toEqual([]);
  await backUp();
  await watched().until([]);
});

interface Fault {
  readonly alert: string;
  readonly plant: () => Promise<unknown>;
  readonly mend: () => Promise<unknown>;
}

/** MinIO looks at its drives once a minute, and when it starts. */
const restartMinio = async (): Promise<void> => {
  await container('minio').restart();
  await environment.untilHealthy('minio');
};

const faults: readonly (readonly [string, Fault])[] = [
  [
    'MinIO is stopped',
    {
      alert: 'EbsMinioUnavailable',
      plant: async () => {
        await container('minio').stop();
      },
      mend: async () => {
        await container('minio').start();
      },
    },
  ],
  [
    'KES is stopped',
    {
      alert: 'EbsKesUnavailable',
      plant: async () => {
        await container('kes').stop();
      },
      mend: async () => {
        await container('kes').start();
      },
    },
  ],
  [
    'Vault is sealed',
    {
      alert: 'EbsVaultUnavailable',
      plant: async () => {
        await container('vault-unsealer').stop();
        await container('vault').restart();
      },
      mend: async () => {
        await container('vault-unsealer').start();
      },
    },
  ],
  [
    'KES does not reach its key store',
    {
      alert: 'EbsKeyStoreFailing',
      plant: async () => {
        await environment.docker
          .getNetwork(`ebs-${environment.name}-vault`)
          .disconnect({ Container: environment.containerName('kes') });
        const { state, environment: settings } = environment.loaded;
        const kes = new HttpClient({
          url: `https://127.0.0.1:${settings.kes.port}`,
          caFile: state.caCertificate,
          certificateFile: `${state.tls}/key-prover.crt`,
          privateKeyFile: `${state.secret.tls}/key-prover.key`,
        });
        // a key that is no longer in its memory
        await waitFor({ what: 'KES to ask its key store', timeoutMs: 60_000 }, async () => {
          const { status } = await kes.send({ method: 'GET', path: '/v1/key/describe/archive-key' });
          return status >= 500 ? true : new NotYet(`HTTP ${status}`);
        });
        kes.close();
      },
      mend: async () => {
        await environment.docker
          .getNetwork(`ebs-${environment.name}-vault`)
          .connect({ Container: environment.containerName('kes'), EndpointConfig: { Aliases: ['kes'] } });
      },
    },
  ],
  [
    'an audit device is full',
    {
      alert: 'EbsAuditFailing',
      plant: async () =>
        bench.execute(bench.container('vault'), ['sh', '-c', 'head -c 99999999 /dev/zero >/vault/audit/fill']),
      mend: async () => bench.execute(bench.container('vault'), ['rm', '/vault/audit/fill']),
    },
  ],
  [
    'a drive is nearly full',
    {
      alert: 'EbsDriveNearlyFull',
      plant: async () => {
        execFileSync('fallocate', ['-l', String(Math.round(DISK_BYTES * 0.88)), path.join(disks[0] ?? '', 'fill')]);
        await restartMinio();
      },
      mend: async () => {
        rmSync(path.join(disks[0] ?? '', 'fill'));
        await restartMinio();
      },
    },
  ],
  [
    'a drive belongs to somebody else',
    {
      alert: 'EbsDriveOffline',
      plant: async () => {
        execFileSync('chown', ['0:0', disks[1] ?? '']);
        await restartMinio();
      },
      mend: async () => {
        execFileSync('chown', [`${SERVICE_UID}:${SERVICE_UID}`, disks[1] ?? '']);
        await restartMinio();
      },
    },
  ],
  [
    'somebody tries secret keys',
    {
      alert: 'EbsFailedLogins',
      plant: async () => {
        const { state, s3Url } = { state: environment.state, s3Url: environment.s3Url };
        const minio = new HttpClient({ url: s3Url, caFile: state.caCertificate });
        const headers = {
          authorization:
            'AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0',
          'x-amz-date': new Date().toISOString().replaceAll(/[-:]|\.\d+/g, ''),
          'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        };
        for (let left = 600; left > 0; left--) await minio.send({ method: 'GET', path: '/', headers });
        minio.close();
      },
      mend: async () => Promise.resolve(),
    },
  ],
  [
    'a certificate was not renewed',
    {
      alert: 'EbsExpiring',
      plant: async () => {
        for (const name of EXPIRED)
          copyFileSync(path.join(environment.state.tls, name), path.join(environment.folder, name));
        await expire(environment.state, 'health');
        await backUp();
      },
      mend: async () => {
        for (const name of EXPIRED)
          copyFileSync(path.join(environment.folder, name), path.join(environment.state.tls, name));
        await backUp();
      },
    },
  ],
  [
    'a drill failed',
    {
      alert: 'EbsDrillFailed',
      plant: async () => noteDrillOf('failed'),
      mend: async () => noteDrillOf('passed'),
    },
  ],
];

/** A drill takes minutes: it is its report that counts here. */
async function noteDrillOf(outcome: 'passed' | 'failed'): Promise<void> {
  const at = new Date().toISOString();
  noteDrill(environment.state, {
    ...{ version: 1, environment: environment.name, copy: 'a copy', startedAt: at, finishedAt: at, outcome },
    ...{ steps: [], recoveryPoint: { masterKeys: 2, notInBackup: [] }, firstObjectSeconds: 10 },
  });
  leaveMetrics(environment.loaded);
  return Promise.resolve();
}

test.each(faults)('exactly its alert: %s', async (_, { alert, plant, mend }) => {
  await plant();
  try {
    const others = await watched().until([alert]);
    expect([...others, ...(await watched().othersThan([alert]))]).toEqual([]);
  } finally {
    await mend();
  }
  await watched().until([]);
});

test('a red check, such as that of a reader of metrics that may do more, is an alert until it is green', async () => {
  // a container that was replaced for a fault is another red check
  await bench.mend();
  await watched().until([]);
  const admin = openAdmin(environment.loaded, 'minioIam');
  const user = readCredentials(environment.state.secret.minioMetricsUser);
  try {
    await admin.putUser(user, 'consoleAdmin');
    const red = await environment.script('check');
    expect(red.code).toBe(1);
    expect(red.stdout).toMatch(
      /metrics-readers-confined: listing a bucket as ebs-metrics is answered with HTTP 200, not refused/,
    );
    await watched().until(['EbsCheckFailed']);
    await admin.putUser(user, METRICS_USER);
    mustSucceed(await environment.script('check'));
    await watched().until([]);
  } finally {
    await admin.putUser(user, METRICS_USER);
    admin.close();
  }
});

test('the audit log is rotated under load, and each request is in one of the files', async () => {
  const { state, environment: settings } = environment.loaded;
  const vault = new HttpClient({
    url: `https://127.0.0.1:${embeddedVault(settings)?.port ?? 0}`,
    caFile: state.caCertificate,
  });
  const token = readFileSync(state.secret.provisionerToken, 'utf8').trim();
  const inLogs = async (): Promise<number> => {
    const count = ['sh', '-c', `cat /vault/audit/audit*.log | grep -c '"path":"sys/policies/acl/asked-[0-9]*"'`];
    return Number((await bench.execute(bench.container('vault'), count)).output.replaceAll(/\D/g, ''));
  };
  let asked = 0;
  let rotating = true;
  const ask = async (): Promise<void> => {
    while (rotating) {
      asked += 1;
      const path = `/v1/sys/policies/acl/asked-${asked}`;
      await vault.send({ method: 'GET', path, headers: { 'x-vault-token': token } });
    }
  };
  const asking = Promise.all([ask(), ask()]);
  try {
    for (let times = 0; times < 2; times++)
      mustSucceed(await environment.scriptWith('rotate', ['audit-log', environment.file]));
  } finally {
    rotating = false;
    await asking;
    vault.close();
  }
  expect(asked).toBeGreaterThan(10);
  // a request and its answer
  expect(await inLogs()).toBe(2 * asked);
});

test('every query of the dashboard has data', async () => {
  const queries = dashboardPanels(environment.loaded.environment).flatMap(({ title, queries }) =>
    Object.values(queries).map((query) => `${title}: ${query}`),
  );
  const empty: string[] = [];
  for (const query of queries) {
    if ((await watched().series(query.slice(query.indexOf(': ') + 2))) === 0) empty.push(query);
  }
  expect(empty).toEqual([]);
});

test('each run of the checks has left a signed record', async () => {
  const key = mustSucceed(await environment.scriptWith('report', ['key', environment.file])).stdout;
  const [signer = '', head = ''] = key.split('\n');
  const folder = path.join(environment.folder, 'copy of the reports');
  cpSync(environment.state.reports, folder, { recursive: true });
  const more = ['--signer', signer, '--head', head.replace('head: ', '')];
  const verified = await environment.scriptWith('report', ['verify', folder, ...more]);
  // one of them was red on purpose
  expect(verified.code).toBe(1);
  expect(verified.stdout).toMatch(/FAILED \(\d reports\): metrics-readers-confined/);
  expect(verified.stdout).toContain('nothing was altered, removed or moved');
});

test('none of it is in what Terraform keeps, and a second deploy changes nothing', async () => {
  await prometheus?.stop();
  await bench.mend();
  await environment.expectNothingToDeploy();
  expect(existsSync(environment.state.secret.vaultMetricsToken)).toBe(true);
});
