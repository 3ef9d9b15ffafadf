/**
 * Breaks one deployment in every way that was thought of, under the eyes of a client, and counts afterwards whether all
 * that was ever acknowledged is there. In a long run (EBS_E2E_LONG=1) a first deploy is killed at a dozen points, else at
 * one, and Vault is away for two minutes, else for ten seconds; with EBS_WRITE_DOCS=1 that writes docs/reliability.md.
 */
import type Docker from 'dockerode';
import { spawn } from 'node:child_process';
import { readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { vaultNames } from '../../config/deployment-names';
import { projectRoot } from '../../operations/lib/project-root';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { readKesLogin } from '../../operations/vault/approle';
import type { VaultClient } from '../../operations/vault/vault-client';
import { lockHolder } from '../../operations/lib/lock';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { ClientWatch } from '../helpers/e2e/clients/client-watch';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { expire } from '../helpers/e2e/expired-certificate';
import { halveAuditDevice } from '../helpers/e2e/half-audit-device';
import { faultPage, type FaultRow, writePage } from '../helpers/e2e/fault-page';
import { measured } from '../helpers/e2e/clients/measured';
import { type Mode, Multipart, ObjectSet } from '../helpers/e2e/clients/object-set';
import { STACKS, TestEnvironment } from '../helpers/e2e/test-environment';
import { type Program, Workbench } from '../helpers/e2e/workbench';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { inVault } from '../helpers/servers/vault';

const OBJECTS = 500;
/** Short, so that what is broken behind KES is seen, and seen at once. */
const CACHE = '1s';
const LONG = process.env.EBS_E2E_LONG === '1';
const VAULT_AWAY_SECONDS = LONG ? 120 : 10;
const PROGRAMS = ['vault', 'vault-unsealer', 'kes', 'minio'] as const;

const SETTINGS = {
  kes: { cache: { any: CACHE, unused: CACHE } },
  buckets: [
    { name: 'backup', encryption: { type: 'sse-s3' as const } },
    { name: 'archive', encryption: { type: 'sse-kms' as const, key: 'archive-key' }, versioning: true },
  ],
};

const MODES: readonly Mode[] = [
  { name: 'SSE-S3', bucket: 'backup', options: { ServerSideEncryption: 'AES256' } },
  { name: 'SSE-KMS under the default key', bucket: 'backup', options: { ServerSideEncryption: 'aws:kms' } },
  {
    name: 'SSE-KMS under a named key',
    bucket: 'backup',
    options: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'archive-key' },
  },
  {
    name: 'SSE-KMS with a context',
    bucket: 'backup',
    options: {
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'archive-key',
      SSEKMSEncryptionContext: Buffer.from('{"of":"a test"}').toString('base64'),
    },
  },
  { name: 'no header', bucket: 'archive', options: {} },
  {
    name: 'SSE-C',
    bucket: 'backup',
    options: {},
    customerKey: { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') },
  },
];
/** One under each master key: what a client without keys of its own does. */
const WATCHED = MODES.filter(({ name }) => name === 'SSE-S3' || name === 'no header');

let environment: TestEnvironment;
let bench: Workbench;
let objects: ObjectSet;
let backup: string;
let identity: string;
const rows: FaultRow[] = [];
let watches = 0;
const startedAt = new Date();

beforeAll(async () => {
  environment = await TestEnvironment.create(SETTINGS);
  bench = new Workbench(environment.loaded);
  objects = new ObjectSet(() => environment.s3());
});

afterAll(async () => {
  await environment.remove();
});

/** What is asked of a fault. */
interface Fault {
  readonly strike: () => unknown;
  /** Looked at while it is broken: what names cause and next step. */
  readonly diagnose?: () => Promise<string>;
  /** The same, where whoever mends it is told. */
  readonly explain?: () => string;
  /** Absent: nothing has to be done. */
  readonly mend?: { readonly by: string; readonly act: () => unknown };
  /** Waits until a client has noticed, for as long as that may take. @default - it does not wait */
  readonly noticedWithinMs?: number;
  /** Nothing is written meanwhile: a client only reads what is there. */
  readonly readOnly?: true;
  /** Longest time until it works again, in seconds. */
  readonly atMost: number;
}

/** Lets it happen, and proves that nothing was lost. */
async function endure(
  fault: string,
  { strike, diagnose, explain, mend, noticedWithinMs, readOnly, atMost }: Fault,
): Promise<void> {
  const canaries = readFileSync(environment.state.canaries, 'utf8');
  const modes = readOnly ? [] : WATCHED;
  const watch = new ClientWatch({ s3: environment.s3(1), modes, objects, prefix: `watch/${++watches}` });
  let client = '';
  let seconds: number;
  let said: string;
  try {
    await watch.working(180_000);
    let since = performance.now();
    await strike();
    if (noticedWithinMs !== undefined) {
      await waitFor({ what: `a client to notice: ${fault}`, timeoutMs: noticedWithinMs, intervalMs: 50 }, async () =>
        Promise.resolve(watch.hasFailed || new NotYet('every request succeeds')),
      );
    }
    said = (await diagnose?.()) ?? '';
    if (mend !== undefined) {
      since = performance.now();
      await mend.act();
    }
    said = explain?.() ?? said;
    seconds = await watch.wellAgain(since, 300_000);
  } finally {
    client = await watch.stop();
  }
  expect(await objects.lost()).toEqual([]);
  expect(readFileSync(environment.state.canaries, 'utf8')).toBe(canaries);
  measured(`${fault}: well again`, seconds);
  rows.push({ fault, client, said, mended: mend?.by ?? 'itself', seconds, objects: objects.size });
  expect(seconds).toBeLessThanOrEqual(atMost);
}

/** The first lines of what a command says, if that names what the pattern asks for. */
function saying(result: CommandResult, command: string, pattern: RegExp): string {
  const text = `${result.stdout}\n${result.stderr}`;
  expect(text).toMatch(pattern);
  const [found = ''] = pattern.exec(text) ?? [];
  return `\`${command}\`: ${found.replaceAll(environment.folder, 'FOLDER').replaceAll(environment.name, 'NAME').replaceAll(/\s+/g, ' ').trim()}`;
}

async function check(...only: string[]): Promise<CommandResult> {
  return environment.script('check', only.length === 0 ? [] : ['--only', only.join(',')]);
}

function container(program: Program): Docker.Container {
  return environment.docker.getContainer(environment.containerName(program));
}

/** What the kernel does when memory is short: Docker starts it again, as it does not after `docker kill`. */
async function killProcess(...programs: Program[]): Promise<void> {
  const inspected = await Promise.all(programs.map((program) => container(program).inspect()));
  const killer = await environment.docker.createContainer({
    Image: (await container('vault').inspect()).Image,
    Entrypoint: ['kill'],
    Cmd: ['-9', ...inspected.map(({ State }) => String(State.Pid))],
    User: '0:0',
    HostConfig: { PidMode: 'host', NetworkMode: 'none', AutoRemove: true },
  });
  const ended = killer.wait({ condition: 'next-exit' });
  await killer.start();
  expect(((await ended) as { StatusCode: number }).StatusCode).toBe(0);
}

/** Takes a container off its networks for a while. */
async function cutOff(program: Program, seconds: number): Promise<void> {
  const { NetworkSettings, Id, Config } = await container(program).inspect();
  const networks = Object.entries(NetworkSettings.Networks);
  for (const [name] of networks) await environment.docker.getNetwork(name).disconnect({ Container: Id });
  await delay(seconds * 1000);
  for (const [name, { Aliases }] of networks) {
    const EndpointConfig = {
      Aliases: ((Aliases ?? []) as string[]).filter((alias) => alias !== Config.Hostname),
    };
    await environment.docker.getNetwork(name).connect({ Container: Id, EndpointConfig });
  }
}

/** Acts as root in Vault, as the owner of the unseal share can. */
async function asRoot<T>(act: (root: VaultClient) => Promise<T>): Promise<T> {
  const root = await bench.vaultRoot();
  try {
    return await act(root);
  } finally {
    // revokes the token
    await bench.mend();
  }
}

const AUDIT_DEVICES_ARE_ON = 'audit devices are on';

/** Where the first deploy is killed, in their order: the stack, what it is at, and how `up` says so. */
const KILL_POINTS: readonly { readonly stack: string; readonly at: string; readonly line: RegExp }[] = [
  {
    stack: 'foundation',
    at: 'the private CA is made',
    line: /Certificates\/Issue\/Resource\) \(local-exec\): made the private CA/,
  },
  { stack: 'vault', at: 'Vault is created', line: /\(Vault\/Server\/Resource\): Creating/ },
  { stack: 'vault', at: 'Vault is initialised', line: /: initialised Vault with/ },
  { stack: 'vault', at: 'the unsealer is created', line: /\(Vault\/Unsealer\/Resource\): Creating/ },
  { stack: 'keystore', at: AUDIT_DEVICES_ARE_ON, line: /\(KeyStore\/Audit-\w+\): Creation complete/ },
  { stack: 'keystore', at: 'the KV mount is made', line: /\(KeyStore\/Mount\): Creation complete/ },
  { stack: 'keystore', at: 'the SecretID is minted', line: /: minted a SecretID/ },
  { stack: 'kes', at: 'KES is created', line: /\(Kes\/Server\/Resource\): Creating/ },
  { stack: 'kes', at: 'the first master key is made', line: /: created master key backup-default/ },
  { stack: 'minio', at: 'MinIO is created', line: /\(Minio\/Server\/Resource\): Creating/ },
  { stack: 'minio', at: 'buckets are made', line: /\(Buckets\/Provision\/Resource\): Creating/ },
  { stack: 'checks', at: 'the checks begin', line: /\(PostDeployChecks\/Run\/Resource\): Creating/ },
];

/** Each kill costs a deploy: every day it is one, where a mistake would lose a master key. */
const KILLS = LONG
  ? { points: KILL_POINTS, least: 10 }
  : { points: KILL_POINTS.filter(({ at }) => at === 'the first master key is made'), least: 1 };

/**
 * Runs `up` until it says that it is at one of these points, and kills it with everything that it started. What a killed
 * run had done already is not done, and not said, by the next: that one is killed at a later point.
 *
 * @returns the point; undefined if `up` came to its end, and could not be killed any more
 * @throws Error if `up` failed
 */
async function killUp(points: typeof KILL_POINTS): Promise<(typeof KILL_POINTS)[number] | undefined> {
  const up = spawn(path.join(projectRoot, 'scripts', 'up'), [environment.file, '--verbose'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    up.once('close', (code, signal) => {
      resolve({ code, signal });
    }),
  );
  let printed = '';
  const reached = (): (typeof KILL_POINTS)[number] | undefined => points.findLast(({ line }) => line.test(printed));
  const seen = new Promise<void>((resolve) => {
    up.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      if (reached() !== undefined) resolve();
    });
  });
  await Promise.race([seen, closed]);
  const point = reached();
  if (point !== undefined) await environment.killWorkers();
  const { code, signal } = await closed;
  if (signal === 'SIGKILL') return point;
  // first the cause: CI may show no more than the beginning
  if (code !== 0)
    throw new Error(
      `up ended with exit code ${code}:\n${printed.slice(printed.lastIndexOf('\nerror: ')).slice(0, 4000)}`,
    );
  return undefined;
}

describe('a first deploy', () => {
  const killedAt: (typeof KILL_POINTS)[number][] = [];

  test('is killed on its way, in a long run at ten points or more, some in every stack', async () => {
    for (let left = KILLS.points; left.length > 0;) {
      const since = performance.now();
      const point = await killUp(left);
      if (point === undefined) break;
      killedAt.push(point);
      left = left.slice(left.indexOf(point) + 1);
      measured(`killed when ${point.at}`, (performance.now() - since) / 1000);
      if (point.at === AUDIT_DEVICES_ARE_ON) {
        // a kill at this point may leave it, or not; by then Terraform has not written down the device
        rmSync(path.join(environment.state.terraform, 'keystore.tfstate'), { force: true });
        await halveAuditDevice(environment.loaded);
      }
    }
    expect(killedAt.length).toBeGreaterThanOrEqual(KILLS.least);
    if (LONG) expect([...new Set(killedAt.map(({ stack }) => stack))]).toEqual(STACKS);
  });

  test('and comes to its end when it is run again', async () => {
    const { seconds } = mustSucceed(await environment.script('up'));
    await objects.write(MODES, OBJECTS);
    identity = path.join(environment.folder, 'identity.txt');
    backup = path.join(environment.folder, 'backup.age');
    const recipient = await newIdentity(identity);
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', backup, '--recipient', recipient])));
    rows.push({
      fault: `The first deploy is killed at ${killedAt.length} points, one after the other`,
      points: killedAt.map(({ at }) => at),
      client: 'not there yet',
      said: '',
      mended: '`./scripts/up` again, each time',
      seconds,
      objects: objects.size,
    });
  });
});

describe('what heals by itself', () => {
  test('KES is killed', () => endure('KES is killed', { strike: () => killProcess('kes'), atMost: 5 }));

  test('Vault is sealed', async () => {
    const root = await bench.vaultRoot();
    try {
      await endure('Vault is sealed', { strike: () => root.write('sys/seal'), atMost: 15 });
    } finally {
      await bench.mend();
    }
  });

  test('Vault is restarted', () =>
    endure('Vault is restarted', { strike: () => container('vault').restart(), atMost: 30 }));

  test('Vault is out of reach', () =>
    endure(`Vault is out of reach for ${VAULT_AWAY_SECONDS} s`, {
      strike: () => cutOff('vault', VAULT_AWAY_SECONDS),
      atMost: VAULT_AWAY_SECONDS + 30,
    }));

  test('KES is cut off the network', () =>
    endure('KES is cut off from Vault and MinIO for 5 s', { strike: () => cutOff('kes', 5), atMost: 30 }));

  test('MinIO is cut off the network', () =>
    endure('MinIO is cut off from KES and its clients for 5 s', { strike: () => cutOff('minio', 5), atMost: 30 }));

  test('MinIO is killed in the middle of a multipart upload, which goes on', async () => {
    const mode = MODES[2];
    if (mode === undefined) throw new Error('there is no such mode');
    const s3 = environment.s3();
    const upload = await Multipart.begin(s3, mode, 'multipart/interrupted');
    await upload.part(s3, randomBytes(5 * 1024 * 1024));
    await endure('MinIO is killed in the middle of a multipart upload', {
      strike: () => killProcess('minio'),
      atMost: 30,
    });
    await upload.part(s3, randomBytes(1024));
    objects.add(mode, await upload.complete(s3));
    s3.destroy();
    expect(await objects.lost()).toEqual([]);
  });

  test('every container is killed and started in another order, as by a reboot', () =>
    endure('The host goes down and up: every container is killed, then started in another order', {
      strike: async () => {
        const order = [...PROGRAMS].reverse();
        await Promise.all(order.map((program) => container(program).kill()));
        for (const program of order) await container(program).start();
      },
      atMost: 45,
    }));
});

describe('what somebody has to mend', () => {
  const up = { by: '`./scripts/up`', act: async () => mustSucceed(await environment.script('up')) };
  const NOTICED = 30_000;

  test('all of KES is removed', () =>
    endure('KES is removed', {
      strike: () => container('kes').remove({ force: true }),
      diagnose: async () =>
        saying(
          await check('kms-ready'),
          './scripts/check',
          /services-running: KES does not run: its container ebs-\S+-kes is missing\n {2}fix: \.\/scripts\/up [^\n]*/,
        ),
      mend: up,
      noticedWithinMs: NOTICED,
      atMost: 90,
    }));

  test('the token of KES is revoked', () =>
    endure('The token of KES is revoked in Vault', {
      strike: () => asRoot(revokeTokensOfKes),
      diagnose: async () =>
        saying(
          await check('key-continuity'),
          './scripts/check',
          /backup-default cannot be read[^\n]*KES has lost its login[^]*?rotate secret-id/,
        ),
      mend: up,
      noticedWithinMs: NOTICED,
      atMost: 60,
    }));

  test('the SecretID of KES is revoked, and KES starts anew', () =>
    endure('The SecretID of KES is revoked, and KES starts anew', {
      strike: async () => {
        await asRoot(revokeSecretId);
        const { RestartCount: before } = await container('kes').inspect();
        await killProcess('kes');
        // by default Vault locks a role after five logins that failed
        await waitFor({ what: 'KES to fail to log in six times', timeoutMs: 180_000 }, async () => {
          const { RestartCount: now } = await container('kes').inspect();
          return now - before > 6 || new NotYet(`${now - before} restarts`);
        });
      },
      diagnose: async () =>
        saying(
          await check('kes-secret-id-valid'),
          './scripts/check',
          /Vault does not know the SecretID[^]*?rotate secret-id \S+/,
        ),
      mend: {
        by: '`./scripts/rotate secret-id`',
        act: async () => mustSucceed(await environment.rotate(['secret-id'])),
      },
      noticedWithinMs: NOTICED,
      atMost: 120,
    }));

  test('the certificate of KES expires', () =>
    endure('The certificate of KES expires', {
      strike: async () => {
        const { state } = environment;
        const planted = new Workbench(environment.loaded);
        await planted.changeFiles('kes', { 'server.crt': await expire(state, 'kes-server') });
        // as any new connection will, sooner or later
        await killProcess('kes');
      },
      diagnose: async () =>
        saying(await check('certificates-valid'), './scripts/check', /certificates-valid: [^\n]*\n {2}fix: [^\n]*/),
      mend: up,
      noticedWithinMs: NOTICED,
      atMost: 90,
    }));

  test('a master key is deleted, so that Vault keeps it', () => {
    const key = `${inVault(environment.loaded.environment).keyStore.prefix}/archive-key`;
    return endure('A master key is deleted in Vault (KV v2 keeps it)', {
      strike: () =>
        asRoot(async (root) => {
          expect(await root.probe('DELETE', `kes/data/${key}`)).toBe(204);
        }),
      diagnose: async () =>
        saying(
          await refusedUp(),
          './scripts/up',
          /master key archive-key[^]*?vault kv undelete -mount=kes -versions=1 \S+archive-key/,
        ),
      mend: {
        by: '`vault kv undelete`',
        act: () => asRoot((root) => root.write(`kes/undelete/${key}`, { versions: [1] })),
      },
      noticedWithinMs: NOTICED,
      atMost: 30,
    });
  });

  test('the default key is replaced by another of the same name', () => {
    const { prefix } = inVault(environment.loaded.environment).keyStore;
    const read = async (root: VaultClient, key: string): Promise<unknown> =>
      storedKey.parse(await root.read(`kes/data/${prefix}/${key}`)).data.data[key];
    // KES reads version 1 only, so what was there before must be gone with all its versions
    const replace = async (root: VaultClient, value: unknown): Promise<void> => {
      await root.probe('DELETE', `kes/metadata/${prefix}/backup-default`);
      await root.write(`kes/data/${prefix}/backup-default`, { data: { 'backup-default': value } });
    };
    let own: unknown;
    return endure('The default key is replaced by another of the same name', {
      strike: () =>
        asRoot(async (root) => {
          own = await read(root, 'backup-default');
          await replace(root, await read(root, 'archive-key'));
        }),
      diagnose: async () =>
        saying(
          await refusedUp(),
          './scripts/up',
          /master key backup-default[^]*?was replaced by another[^]*?restore --from \S+/,
        ),
      mend: {
        by: 'putting the old key back. What was written meanwhile is under the other key: copy it out before',
        act: () => asRoot(async (root) => replace(root, own)),
      },
      noticedWithinMs: NOTICED,
      readOnly: true,
      atMost: 30,
    });
  });

  test('the disk of an audit device is full', async () => {
    const planted = new Workbench(environment.loaded);
    // a disk of its own, so that no other one is filled
    await planted.replaceContainer('vault', ({ HostConfig, ...options }) => ({
      ...options,
      HostConfig: {
        ...HostConfig,
        Binds: (HostConfig?.Binds ?? []).filter((bind) => !bind.includes(':/vault/audit')),
        Tmpfs: { ...(HostConfig?.Tmpfs as object), '/vault/audit': 'rw,size=256k,uid=65532,gid=65532,mode=0700' },
      },
    }));
    try {
      await endure('The disk of an audit device is full', {
        strike: () => planted.execute(container('vault'), ['sh', '-c', 'head -c 999999 /dev/zero >/vault/audit/fill']),
        diagnose: async () =>
          saying(
            await check('vault-audit-devices'),
            './scripts/check',
            /vault-audit-devices: [^\n]*no space left[^\n]*\n {2}fix: [^\n]*/,
          ),
        mend: {
          by: 'freeing space',
          act: () => planted.execute(container('vault'), ['rm', '/vault/audit/fill']),
        },
        atMost: 5,
      });
    } finally {
      await planted.mend();
    }
  });

  test('the secrets folder is lost', () => {
    const { secrets } = environment.state;
    return endure('The secrets folder is lost', {
      strike: () => {
        renameSync(secrets, `${secrets}.away`);
      },
      diagnose: async () => saying(await refusedUp(), './scripts/up', /error: [^\n]*secrets are gone[^]*?hint: [^\n]*/),
      mend: {
        by: 'putting the folder back, or `./scripts/restore`',
        act: () => {
          renameSync(`${secrets}.away`, secrets);
        },
      },
      atMost: 5,
    });
  });

  test('two deploys at once', () => {
    let first: Promise<CommandResult> | undefined;
    return endure('Two deploys at once', {
      strike: async () => {
        first = environment.script('up');
        const { lock } = environment.state;
        await waitFor({ what: 'the first one to hold the lock', timeoutMs: 180_000, intervalMs: 20 }, async () =>
          (await lockHolder(lock)) === undefined ? new NotYet('nobody holds it') : true,
        );
      },
      diagnose: async () => saying(await refusedUp(), './scripts/up', /error: process \d+[^]*?hint: [^\n]*/),
      mend: {
        by: 'the first one, which goes on',
        act: async () => mustSucceed((await first) ?? { code: 1, stdout: '', stderr: 'it was not begun', seconds: 0 }),
      },
      atMost: 5,
    });
  });

  test("Terraform's state is lost, or cut short as by a kill", () => {
    let said = '';
    return endure("Terraform's state is lost: one file cut short, one emptied, the others gone", {
      strike: () => {
        const { terraform } = environment.state;
        const file = (stack: string): string => path.join(terraform, `${stack}.tfstate`);
        truncateSync(file('vault'), Math.floor(statSync(file('vault')).size / 2));
        truncateSync(file('keystore'), 0);
        for (const stack of ['foundation', 'kes', 'minio', 'checks']) rmSync(file(stack));
      },
      mend: {
        by: '`./scripts/up`: it adopts volumes and Vault, and makes the containers again',
        act: async () => {
          const result = mustSucceed(await environment.script('up'));
          said = saying(
            result,
            './scripts/up',
            /\S+keystore\.tfstate was cut short[^]*?\S+vault\.tfstate was cut short[^]*?Terraform's state does not know [^\n]*: removed[^\n]*/,
          );
        },
      },
      explain: () => said,
      atMost: 180,
    });
  });

  test('the KV mount is deleted', () =>
    endure('The KV mount is deleted, with every master key', {
      strike: () =>
        asRoot(async (root) => {
          expect(await root.probe('DELETE', 'sys/mounts/kes')).toBe(204);
        }),
      diagnose: async () =>
        saying(
          await refusedUp(),
          './scripts/up',
          /master key backup-default[^]*?so is its whole mount[^]*?restore --from \S+/,
        ),
      mend: {
        by: '`./scripts/restore --from … --replace …`, into the same Vault',
        act: async () =>
          mustSucceed(
            await environment.script('restore', [
              '--from',
              backup,
              '--identity',
              identity,
              '--replace',
              environment.name,
            ]),
          ),
      },
      noticedWithinMs: NOTICED,
      atMost: 300,
    }));
});

describe('what must not be destroyed', () => {
  test('cdktf destroy stops, and says what to do instead', async () => {
    const life = await environment.lifeOf('minio');
    const { dataVolumes } = await environment.dockerResources();
    const result = await environment.cdktf([
      'destroy',
      `${environment.name}-checks`,
      `${environment.name}-minio`,
      '--auto-approve',
    ]);
    expect(result.code).not.toBe(0);
    const said = result.stdout + result.stderr;
    expect(said).toContain('Instance cannot be destroyed');
    expect(said).toContain('To stop the environment and keep them:  ./scripts/down ENVIRONMENT');
    expect(await environment.lifeOf('minio')).toBe(life);
    expect((await environment.dockerResources()).dataVolumes).toEqual(dataVolumes);
  });

  test('a plan that would replace a data volume is refused and explained, unless the environment allows it', async () => {
    const volume = environment.containerName('vault-audit');
    // GIVEN a volume that somebody made by hand under the name of ours
    await container('kes').remove({ force: true });
    await container('vault').remove({ force: true });
    await environment.docker.getVolume(volume).remove();
    await environment.docker.createVolume({ Name: volume });
    const refused = await environment.script('up');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/refused: docker_volume\.Vault_Audit_\w+ would be deleted or replaced\./);
    expect(refused.stderr).toContain('This would lose the audit log of Vault');
    expect(refused.stderr).toContain(`allowDataLoss: ${environment.name}`);
    const planned = await environment.script('plan');
    expect(planned.code).toBe(1);
    expect(planned.stdout).toMatch(/!!! REFUSED: \S+-vault would delete or replace docker_volume\.Vault_Audit_/);

    environment.write({ ...SETTINGS, allowDataLoss: environment.name });
    mustSucceed(await environment.script('up'));
    expect((await environment.docker.getVolume(volume).inspect()).Labels).toHaveProperty([environment.owner.name]);
  });
});

test('all that was ever acknowledged opens', async () => {
  expect(objects.size).toBeGreaterThan(OBJECTS);
  expect(await objects.lost()).toEqual([]);
  if (!LONG || process.env.EBS_WRITE_DOCS !== '1') return;
  const machine = `a machine with ${cpus().length} processors`;
  const page = faultPage(rows, { startedAt, machine, cache: CACHE });
  writePage(path.join(projectRoot, 'docs', 'reliability.md'), page);
});

const storedKey = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()) }) });

/** `up` must fail, and leave MinIO as it is. */
async function refusedUp(): Promise<CommandResult> {
  const life = await environment.lifeOf('minio');
  const result = await environment.script('up');
  expect(result.code).not.toBe(0);
  expect(await environment.lifeOf('minio')).toBe(life);
  return result;
}

const accessors = z.object({ data: z.object({ keys: z.array(z.string()) }) });
const tokenOf = z.object({ data: z.object({ policies: z.array(z.string()) }) });

async function revokeTokensOfKes(root: VaultClient): Promise<void> {
  const { kesPolicy } = vaultNames(environment.loaded.environment);
  const { keys } = accessors.parse(await root.read('auth/token/accessors?list=true')).data;
  let revoked = 0;
  for (const accessor of keys) {
    const { policies } = tokenOf.parse(await root.write('auth/token/lookup-accessor', { accessor })).data;
    if (!policies.includes(kesPolicy)) continue;
    await root.write('auth/token/revoke-accessor', { accessor });
    revoked += 1;
  }
  expect(revoked).toBeGreaterThan(0);
}

async function revokeSecretId(root: VaultClient): Promise<void> {
  const login = readKesLogin(environment.state.secret.kesConfiguration);
  const { kesRole } = vaultNames(environment.loaded.environment);
  await root.write(`auth/approle/role/${kesRole}/secret-id/destroy`, { secret_id: login?.secretId.reveal() });
}
