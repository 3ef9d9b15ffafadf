/**
 * Three hosts, each a Docker engine of its own: deployed, then robbed of a host, of programs and of the way to each other,
 * under the load of clients that know the addresses of all hosts.
 */
import { GetObjectCommand, ListBucketsCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type Docker from 'dockerode';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { cpus } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VAULT_CLIENTS } from '../../config/deployment-names';
import { awsPolicy } from '../../config/keys/aws';
import { firstVault, nodesOf } from '../../config/node';
import { s3Endpoint, vaultClientFiles } from '../../config/state/endpoints';
import { embeddedVault } from '../../config/vault/vault';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { dockerEngine } from '../../operations/docker/docker';
import { thisMachine } from '../../operations/lib/machine';
import { projectRoot } from '../../operations/lib/project-root';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { readCredentials, s3Client, type S3Credentials } from '../../operations/minio/s3-client';
import { type LoadedEnvironment, loadEnvironment } from '../../operations/state/load';
import { readKeyStoreNote } from '../../operations/state/notes/key-store-note';
import { readCanaries } from '../../operations/state/notes/canaries';
import { readToolchain } from '../../operations/toolchain/findings';
import { ThrowawayCa } from '../helpers/certificates';
import { type CommandResult, mustSucceed, runCommand } from '../helpers/e2e/command';
import { forMoto, Moto, REGION } from '../helpers/e2e/servers/moto';
import { testPorts } from '../helpers/e2e/test-ports';
import { DockerHosts } from '../helpers/e2e/servers/docker-hosts';
import { restic } from '../helpers/e2e/clients/clients';
import { failoverClient } from '../helpers/e2e/clients/failover-client';
import { type HostRow, hostPage, writePage } from '../helpers/e2e/fault-page';
import { measured } from '../helpers/e2e/clients/measured';
import { type Mode, ObjectSet, putObject } from '../helpers/e2e/clients/object-set';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { type LoadResult, type LoadTarget, SteadyLoad } from '../helpers/e2e/clients/steady-load';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';

const HOSTS = [1, 2, 3] as const;
const NAMES = ['a', 'b', 'c'] as const;
type Host = (typeof HOSTS)[number];

const PROGRAMS: Readonly<Record<string, string>> = { minio: 'MinIO', kes: 'KES', vault: 'Vault', balancer: 'HAProxy' };
const MORE_MEMORY = {
  balancer: { memoryMb: 192 },
  kes: { memoryMb: 192 },
  vault: { memoryMb: 768 },
  minio: { memoryMb: 1152 },
};

const OBJECTS = 480;
const PLAIN: Mode = { name: 'no header', bucket: 'backup', options: {} };
const MODES: readonly Mode[] = [
  PLAIN,
  { name: 'SSE-KMS', bucket: 'backup', options: { ServerSideEncryption: 'aws:kms' } },
  { name: 'versions', bucket: 'archive', options: {} },
];

/** What a deploy says of a stack that it changed. */
const CHANGES = /\d+ (?:added|changed|destroyed)/;

let hosts: DockerHosts;
let environment: TestEnvironment;
let ca: ThrowawayCa;
let objects: ObjectSet;
let env: Readonly<Record<string, string>>;
/** Through whose balancer objects are read. */
let reader: Host = 2;
/** The host that is off. */
let off: Host | undefined;
/** The environment as it has become. */
let changed: Settings;
const written = new Map<string, { readonly bucket: string; readonly key: string; readonly sha256: string }>();
const rows: HostRow[] = [];
const startedAt = new Date();

function settings(): Settings {
  const host = (index: Host) => ({ name: NAMES[index - 1] ?? '', address: hosts.address(index) });
  return {
    hosts: [
      // one is reached by ssh, the others by TLS
      { ...host(1), docker: 'ssh://alpha' },
      ...([2, 3] as const).map((index) => {
        const { host: docker, certPath } = hosts.tls(index);
        return { ...host(index), docker, certificates: certPath };
      }),
    ],
    // of what stands for AWS; a migration changes nothing but the key store
    trustedCAs: [ca.file],
    // the default: root is refused
    minio: { drives: 1, memoryMb: 1024, rootAccess: undefined },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-s3' }, versioning: true },
    ],
  };
}

const other = (host: Host): Host => (host === 1 ? 2 : 1);
const engine = (host: Host): Docker => dockerEngine(hosts.tls(host));

/** What of the deployment runs on a host. */
async function containers(host: Host): Promise<string[]> {
  const prefix = `/${environment.containerName('')}`;
  const running = await engine(host).listContainers();
  return running
    .flatMap(({ Names: [name = ''] }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
    .sort();
}

async function allContainerIds(): Promise<string[]> {
  const prefix = `/${environment.containerName('')}`;
  const running = await Promise.all(HOSTS.map(async (host) => engine(host).listContainers()));
  return running.flat().flatMap(({ Names: [name = ''], Id }) => (name.startsWith(prefix) ? [Id] : []));
}

/** A client of the balancer of one host. */
function s3Of(host: Host, attempts?: number, as?: S3Credentials): S3Client {
  const { environment: settled, state } = environment.loaded;
  return s3Client({
    endpoint: { url: `https://${hosts.address(host)}:${settled.minio.port}`, caFile: state.caCertificate },
    region: settled.minio.region,
    credentials: as ?? readCredentials(state.secret.minioObjects),
    ...(attempts === undefined ? {} : { attempts }),
  });
}

/** Whoever waits for a host that cannot serve waits longer; 2 to 10 s were seen on two processors, some of them busy. */
const TROUBLE_LIMIT_MS = 25_000;

/** An object whose writer lost its power is locked for 8 s (docs/adr/0077), and MinIO looks again within 5 s. */
const LOCKED_MS = 30_000;

/** The host whose Vault is the active one. */
async function activeVault(): Promise<Host> {
  return waitFor({ what: 'an active Vault', timeoutMs: 30_000 }, async () => {
    const answers = await Promise.all(HOSTS.map(async (host) => ({ host, status: await healthOfVault(host) })));
    const active = answers.find(({ status }) => status === 200);
    return active === undefined ? new NotYet(JSON.stringify(answers)) : active.host;
  });
}

interface VaultTrust {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @param trust by which the client knows Vault, and Vault the client. Default: what the deploying machine has */
async function healthOfVault(host: Host, trust?: VaultTrust): Promise<number | undefined> {
  const { environment: settled, state } = environment.loaded;
  const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.operator);
  return new Promise((resolve) => {
    const sent = request({
      host: hosts.address(host),
      port: embeddedVault(settled)?.port,
      path: '/v1/sys/health',
      ca: trust?.ca ?? readFileSync(state.caCertificate),
      cert: trust?.cert ?? readFileSync(certificate),
      key: trust?.key ?? readFileSync(privateKey),
      agent: false,
      timeout: 2000,
    });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => {
      resolve(undefined);
    });
    sent.end();
  });
}

/** @returns seconds until the Vault of a host is unsealed */
async function untilVaultServes(host: Host): Promise<number> {
  const began = performance.now();
  await waitFor({ what: `the Vault of host ${host} to be open`, timeoutMs: 90_000 }, async () => {
    const status = await healthOfVault(host);
    return status === 200 || status === 429 ? true : new NotYet(`sys/health answers ${status}`);
  });
  return (performance.now() - began) / 1000;
}

/**
 * Does something to the hosts while three clients write and read: two that send again what failed and know the addresses of
 * all hosts, beginning with that of the victim and with another; and one of another host's balancer, which waits for each
 * answer and sends nothing again.
 *
 * @param undo is done in any case, so that the next test begins with whole hosts
 * @param halts whether MinIO of a host is there and answers nothing, which the others notice late. Default: no
 * @param rolls whether it strikes one host after the other, so that there is more than one moment of trouble. Default: no
 */
async function endure(
  fault: string,
  victim: Host,
  act: () => Promise<void>,
  {
    rolls = false,
    halts = false,
    undo,
  }: { readonly rolls?: boolean; readonly halts?: boolean; readonly undo?: () => Promise<void> } = {},
): Promise<void> {
  const [next, last] = HOSTS.filter((host) => host !== victim);
  if (next === undefined || last === undefined) throw new Error('there are three hosts');
  const clients = new Map(HOSTS.map((host) => [host, s3Of(host, 1)]));
  const only = s3Of(next, 1);
  const of = (...order: readonly Host[]) => failoverClient(order.flatMap((host) => clients.get(host) ?? []));
  const acknowledged: LoadTarget['acknowledged'] = (object) => {
    written.set(`${object.bucket}/${object.key}`, object);
  };
  const buckets = ['backup', 'archive'];
  const patient = { patient: true, patienceMs: LOCKED_MS, perSecond: 4, acknowledged };
  const loads = [
    new SteadyLoad({ ...patient, s3: of(victim, next, last), buckets, prefix: 'first' }),
    new SteadyLoad({ ...patient, s3: of(next, last, victim), buckets, prefix: 'second' }),
    new SteadyLoad({ s3: only, buckets, perSecond: 4, acknowledged, prefix: 'third' }),
  ] as const;
  let results: readonly LoadResult[];
  try {
    await Promise.all(loads.map((load) => load.answered(40)));
    for (const load of loads) load.mark();
    await act();
    await Promise.all(loads.map((load) => load.answered(160)));
  } finally {
    results = await Promise.all(loads.map((load) => load.stop()));
    for (const client of [...clients.values(), only]) client.destroy();
    await undo?.();
  }
  const [first, second, impatient] = results;
  if (first === undefined || second === undefined || impatient === undefined) throw new Error('there are three loads');
  const slowestMs = Math.max(first.slowestMs, second.slowestMs, impatient.slowestMs);
  const troubledMs = Math.max(first.troubledMs, second.troubledMs);
  const underWayMs = Math.max(first.underWayMs, second.underWayMs, impatient.underWayMs);
  measured(`${fault}: trouble`, troubledMs / 1000);
  measured('… slowest request', slowestMs / 1000);
  measured('… slowest of those that were under way', underWayMs / 1000);
  measured(
    `… failed of ${impatient.requests} that were sent once: ${impatient.failures.length}; trouble`,
    impatient.troubledMs / 1000,
  );
  rows.push({
    fault,
    requests: first.requests + second.requests,
    failed: first.failures.length + second.failures.length,
    troubledMs,
    slowestMs,
    underWayMs,
    sentOnce: { requests: impatient.requests, failed: impatient.failures.length },
    objects: objects.size + written.size,
  });
  expect([...first.failures, ...second.failures]).toEqual([]);
  if (halts) return;
  if (!rolls) expect(troubledMs).toBeLessThan(TROUBLE_LIMIT_MS);
  // one that waits for a host that cannot serve waits for half a minute
  expect(Math.max(first.slowestMs, second.slowestMs)).toBeLessThan(TROUBLE_LIMIT_MS);
  expect(impatient.failures.length / impatient.requests).toBeLessThan(0.03);
}

/** restic that makes one snapshot after the other, by the balancer of one host. */
class ResticBeside {
  private readonly tree = environment.folderFor('tree');
  private readonly at: { readonly s3Url: string; readonly credentials: S3Credentials };
  private ending = false;
  private snapshots: Promise<number> = Promise.resolve(0);

  constructor(host: Host) {
    const { environment: settled, state } = environment.loaded;
    this.at = {
      s3Url: `https://${hosts.address(host)}:${settled.minio.port}`,
      credentials: readCredentials(state.secret.minioObjects),
    };
  }

  async begin(): Promise<void> {
    await this.run('init');
    this.snapshots = this.write();
    this.snapshots.catch(() => undefined);
  }

  /** @returns how many snapshots were made, each of which is whole */
  async end(): Promise<number> {
    this.ending = true;
    const made = await this.snapshots;
    // restic may not have got to take away the lock that it held when the host went: one of a process that is gone is stale
    await this.run('unlock');
    await this.run('check', '--read-data');
    const kept = JSON.parse(await this.run('snapshots', '--json')) as readonly unknown[];
    expect(kept).toHaveLength(made);
    return made;
  }

  private async write(): Promise<number> {
    let made = 0;
    for (; !this.ending; made++) {
      writeFileSync(path.join(this.tree, `${made}`), randomBytes(4 * 1024 * 1024));
      await this.run('backup', '.');
    }
    return made;
  }

  private async run(...args: readonly string[]): Promise<string> {
    return restic(environment, 'backup', args, this.tree, this.at);
  }
}

/** Every object that was acknowledged and is not what was written. */
async function lost(through: Host): Promise<string[]> {
  const all = new ObjectSet(() => s3Of(through));
  for (const { bucket, key, sha256 } of written.values())
    all.add({ name: 'load', bucket, options: {} }, { key, sha256 });
  reader = through;
  return [...(await objects.lost()), ...(await all.lost())];
}

async function untilCheckPasses(): Promise<CommandResult> {
  return waitFor({ what: 'the checks to pass', timeoutMs: 120_000 }, async () => {
    const result = await environment.script('check', [], { env });
    return result.code === 0 ? result : new NotYet(result.stdout + result.stderr);
  });
}

// said in the report of the run, where the kernel lets nobody make namespaces
const withHosts = thisMachine().root ? describe : describe.skip;

withHosts('three hosts', () => {
  beforeAll(async () => {
    environment = await TestEnvironment.create();
    ca = await ThrowawayCa.create(environment.folder, 'ca-of-moto', 24);
    const { images } = readToolchain();
    const template = images === undefined ? undefined : await DockerHosts.template(environment.folder, images);
    hosts = await DockerHosts.start(HOSTS.length, environment.folder, template);
    env = { PATH: hosts.sshPath({ alpha: { host: 1 } }) };
    changed = settings();
    environment.write(changed);
    objects = new ObjectSet(() => s3Of(reader));
  });

  afterAll(async () => {
    if (process.env.EBS_WRITE_DOCS === '1' && rows.length > 0) {
      const machine = `a machine with ${cpus().length} processors`;
      writePage(path.join(projectRoot, 'docs', 'reliability-hosts.md'), hostPage(rows, { startedAt, machine }));
    }
    await hosts.remove();
    rmSync(environment.folder, { recursive: true, force: true });
  });

  test('a first deploy is refused while a host is away, and nothing is deployed', async () => {
    await hosts.powerOff(3);
    const { code, stderr } = await environment.script('up', [], { env });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/host c/);
    expect(existsSync(environment.state.secret.minioRoot)).toBe(false);
    await hosts.powerOn(3);
    expect(await containers(1)).toEqual([]);
  });

  test('up deploys and proves it', async () => {
    const result = mustSucceed(await environment.script('up', [], { env }));
    measured('./scripts/up on three hosts', result.seconds);
    for (const host of HOSTS) {
      expect(await containers(host)).toEqual(['balancer', 'kes', 'minio', 'vault', 'vault-unsealer']);
    }
    await objects.write(MODES, OBJECTS);
    expect(objects.size).toBeGreaterThan(OBJECTS);
  });

  test('up again changes nothing', async () => {
    const result = mustSucceed(await environment.script('up', [], { env }));
    measured('./scripts/up on three hosts, nothing to do', result.seconds);
    expect(result.stderr).not.toMatch(CHANGES);
  });

  test('a client that does not read for a while gets the rest afterwards', async () => {
    const s3 = s3Of(1, 1);
    const object = { Bucket: 'backup', Key: 'read slowly' };
    const content = randomBytes(64 * 1024 * 1024);
    await s3.send(new PutObjectCommand({ ...object, Body: content }));
    const { Body } = await s3.send(new GetObjectCommand(object));
    // longer than a host without power may keep MinIO waiting, and more than all buffers on the way hold
    await delay(10_000);
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content)).toBe(true);
    s3.destroy();
  });

  test('the host of the active Vault loses its power under load: clients that try again lose nothing', async () => {
    const host = await activeVault();
    await endure('Power off: host of the active Vault', host, async () => {
      off = host;
      await hosts.powerOff(host);
    });
    expect(await lost(other(host))).toEqual([]);
  });

  test('plain cdktf deploy stops while a host is away, and says what goes on without it', async () => {
    if (off === undefined) throw new Error('no host is off');
    const { code, stdout, stderr } = await environment.cdktf(['deploy', '*', '--auto-approve'], { env });
    expect(code).toBeGreaterThan(0);
    expect(stdout + stderr).toContain(`host ${NAMES[off - 1] ?? ''}`);
    expect(stdout + stderr).toContain('./scripts/up');
  });

  test('it is back: the checks find everything well, and heal what it missed', async () => {
    if (off === undefined) throw new Error('no host is off');
    const host = off;
    // 300 MB that its drive has not
    const s3 = s3Of(other(host), 1);
    for (let number = 0; number < 20; number++) {
      const key = `while a host was away/${number}`;
      const body = randomBytes(15 * 1024 * 1024);
      await putObject(s3, PLAIN, key, body);
      written.set(`backup/${key}`, { bucket: 'backup', key, sha256: createHash('sha256').update(body).digest('hex') });
    }
    s3.destroy();
    const began = performance.now();
    await hosts.powerOn(host);
    await untilCheckPasses();
    mustSucceed(await environment.script('heal', [], { env }));
    measured('host back: checks pass, everything is healed', (performance.now() - began) / 1000);
    // without one of the others what it missed would be missed
    expect(await lost(host)).toEqual([]);
  });

  test('plain cdktf deploy rolls a change from host to host, and up finds nothing left to do', async () => {
    changed = { ...changed, balancer: { memoryMb: 160 } };
    await endure(
      "npx cdktf deploy '*'",
      1,
      async () => {
        environment.write(changed);
        const result = mustSucceed(await environment.cdktf(['deploy', '*', '--auto-approve'], { env }));
        measured("npx cdktf deploy '*'", result.seconds);
      },
      { rolls: true },
    );
    const { stderr } = mustSucceed(await environment.script('up', [], { env }));
    expect(stderr).not.toMatch(CHANGES);
    for (const host of HOSTS) {
      const { HostConfig } = await engine(host).getContainer(environment.containerName('balancer')).inspect();
      expect(HostConfig.Memory).toBe(160 * 1024 * 1024);
    }
  });

  describe('further faults', () => {
    test.each(['minio', 'kes', 'vault', 'balancer'])('%s of a host is killed', async (program) => {
      const host = program === 'vault' ? await activeVault() : 2;
      const container = engine(host).getContainer(environment.containerName(program));
      await endure(
        `${PROGRAMS[program] ?? program} of a host is killed`,
        host,
        async () => {
          await container.kill();
        },
        // Docker takes a kill for somebody's wish to stop it
        { undo: async () => container.start() as Promise<void> },
      );
      expect(await lost(other(host))).toEqual([]);
      await untilCheckPasses();
    });

    test.each(['minio', 'kes', 'vault'])('%s of a host is paused', async (program) => {
      const host = program === 'vault' ? await activeVault() : 2;
      const container = engine(host).getContainer(environment.containerName(program));
      await endure(
        `${PROGRAMS[program] ?? program} of a host is paused`,
        host,
        async () => {
          await container.pause();
        },
        { halts: program === 'minio', undo: async () => container.unpause() as Promise<void> },
      );
      await untilCheckPasses();
      expect(await lost(other(host))).toEqual([]);
    });

    test('the drive of a host is wiped: the next check heals it', async () => {
      const volume = engine(2).getVolume(nodesOf(environment.loaded.environment)[1]?.minio.drives[0].source ?? '');
      const { Mountpoint } = await volume.inspect();
      // MinIO goes on writing to it
      const wipe = path.join(environment.folder, 'wipe.sh');
      writeFileSync(
        wipe,
        'find "$1" -mindepth 1 -delete 2>/dev/null; [ ! -e "$1/.minio.sys/format.json" ] && [ ! -e "$1/backup" ]\n',
      );
      await endure('The drive of a host is wiped', 2, async () => hosts.run(2, ['sh', wipe, Mountpoint]));
      await untilCheckPasses();
      mustSucceed(await environment.script('heal', [], { env }));
      await hosts.powerOff(3);
      expect(await lost(1)).toEqual([]);
      await hosts.powerOn(3);
      await untilCheckPasses();
    });

    test('restic, which knows the address of one host, writes on while another loses its power', async () => {
      const backup = new ResticBeside(1);
      await backup.begin();
      await endure('Power off, restic beside', 3, async () => hosts.powerOff(3), {
        undo: async () => hosts.powerOn(3),
      });
      expect(await backup.end()).toBeGreaterThan(1);
      await untilCheckPasses();
    });

    test('two hosts do not reach each other', async () => {
      await endure('Two hosts do not reach each other', 1, async () => hosts.cut(1, 2), {
        undo: async () => hosts.join(1, 2),
      });
      // until the two nodes have found each other again, each reads without the drives of the other
      await untilCheckPasses();
      expect(await lost(3)).toEqual([]);
    });

    test.each([
      { what: 'Another memory limit for each program', change: MORE_MEMORY },
      // Docker cannot change it while a container runs
      { what: 'Every container is replaced', change: { docker: { processLimit: 4096 } } },
    ])('$what: nothing is felt', async ({ what, change }) => {
      const before = await allContainerIds();
      changed = { ...changed, ...change, minio: { ...changed.minio, ...('minio' in change ? change.minio : {}) } };
      await endure(
        what,
        1,
        async () => {
          environment.write(changed);
          const result = mustSucceed(await environment.script('up', [], { env }));
          measured(what, result.seconds);
        },
        { rolls: true },
      );
      const kept = (await allContainerIds()).filter((id) => before.includes(id));
      expect(kept).toHaveLength('docker' in change ? 0 : before.length);
      expect(await lost(2)).toEqual([]);
    });

    test('what each MinIO missed while it was replaced is on its drive: another host may go at once', async () => {
      await hosts.powerOff(3);
      expect(await lost(1)).toEqual([]);
      await hosts.powerOn(3);
      await untilCheckPasses();
    });

    test('two hosts lose their power: nothing is acknowledged that is lost, and service is back with them', async () => {
      const s3 = s3Of(1, 1);
      await Promise.all([hosts.powerOff(2), hosts.powerOff(3)]);
      await expect(putObject(s3, PLAIN, 'alone', Buffer.from('x'))).rejects.toThrow();
      s3.destroy();
      await Promise.all([hosts.powerOn(2), hosts.powerOn(3)]);
      await untilCheckPasses();
      expect(await lost(1)).toEqual([]);
    });

    test('a host is replaced by an empty machine: up makes everything there, and heal fills its drive', async () => {
      await hosts.powerOff(3);
      await hosts.replace(3);
      mustSucceed(await environment.script('up', [], { env }));
      mustSucceed(await environment.script('heal', [], { env }));
      await untilCheckPasses();
      expect(await lost(3)).toEqual([]);
    });
  });

  describe('the firewall of docs/hosts.md', () => {
    test.each([
      {
        what: 'nftables',
        start: 'table inet ebs',
        run: ['nft', '-f'],
        undo: ['nft', 'delete', 'table', 'inet', 'ebs'],
      },
      {
        what: 'ufw',
        start: ':DOCKER-USER',
        run: ['iptables-restore', '--noflush'],
        undo: ['iptables', '--flush', 'DOCKER-USER'],
      },
    ])('$what: one that is not trusted reaches S3 alone', async ({ what, start, run, undo }) => {
      // GIVEN the rules as they are written, with the addresses and ports of these hosts
      const node = firstVault(environment.loaded.environment);
      const portOf = ({ url }: { readonly url: string }): number => Number(new URL(url).port);
      const ports = { minio: portOf(node.minio), kes: portOf(node.kes), vault: portOf(node.vault) };
      const inner = [...Object.values(ports), 8201];
      const outer = environment.loaded.environment.minio.port;
      const file = path.join(environment.folder, what);
      writeFileSync(file, firewallRules(start, ports));
      for (const port of [...inner, outer]) expect([port, await reaches(3, 1, port)]).toEqual([port, true]);

      // WHEN
      await hosts.run(1, [...run, file]);

      // THEN
      try {
        for (const port of inner) expect([port, await reaches(3, 1, port)]).toEqual([port, false]);
        for (const port of inner) expect([port, await reaches(2, 1, port)]).toEqual([port, true]);
        expect(await reaches(3, 1, outer)).toBe(true);
      } finally {
        await hosts.run(1, undo);
      }
      await untilCheckPasses();
    });

    /** A block of the page; host 2 is what it trusts. */
    function firewallRules(start: string, ports: Readonly<Record<'minio' | 'kes' | 'vault', number>>): string {
      const page = readFileSync(path.join(projectRoot, 'docs', 'hosts.md'), 'utf8');
      const block = page.split('```').find((part) => part.trimStart().startsWith(start)) ?? '';
      const rules = block
        .replace(/elements = \{[^}]+\}/, `elements = { ${hosts.address(2)} }`)
        .replaceAll('192.0.2.0/28', `${hosts.address(2)}/32`)
        .replaceAll('7373', `${ports.kes}`)
        // ports of a test are not neighbours
        .replace(/^(.*)8200:8201(.*)$/m, `$1${ports.vault}$2\n$18201$2`)
        .replaceAll('8200', `${ports.vault}`)
        .replaceAll('9010', `${ports.minio}`);
      return start.startsWith(':') ? `*filter\n${rules.trim()}\nCOMMIT\n` : rules;
    }

    async function reaches(from: Host, to: Host, port: number): Promise<boolean> {
      const open = path.join(environment.folder, 'open.sh');
      writeFileSync(open, 'exec 3<>"/dev/tcp/$1/$2"\n');
      try {
        await hosts.run(from, ['timeout', '2', 'bash', open, hosts.address(to), `${port}`]);
        return true;
      } catch {
        return false;
      }
    }
  });

  describe('rotations', () => {
    test.each(['secret-id', 'certificates', 'client-identity'])(
      '%s: clients that try again are never refused',
      async (what) => {
        await endure(
          `./scripts/rotate ${what}`,
          1,
          async () => {
            mustSucceed(await environment.rotate([what], { env }));
          },
          { rolls: true },
        );
        expect(await lost(2)).toEqual([]);
      },
    );

    test('root-credentials: every MinIO starts again with the new ones, and refuses both', async () => {
      const old = environment.credentials;
      const { stderr } = mustSucceed(await environment.rotate(['root-credentials'], { env }));
      measured('MinIO answers nobody', Number(/it answers again after ([\d.]+) s/.exec(stderr)?.[1]));
      expect(environment.credentials.secretKey.equals(old.secretKey)).toBe(false);
      for (const host of HOSTS) {
        for (const credentials of [old, environment.credentials]) {
          const s3 = s3Of(host, 1, credentials);
          await expect(s3.send(new ListBucketsCommand({}))).rejects.toThrow(/disabled/);
          s3.destroy();
        }
        // nodes sign for each other with it
        expect(await lost(host)).toEqual([]);
      }
    });

    test('master-key: what was under the old one is under the new one', async () => {
      // what a drive kept that was away when it was deleted would stop it
      mustSucceed(await environment.script('heal', [], { env }));
      mustSucceed(await environment.rotate(['master-key', 'backup-default', '--to', 'backup-second'], { env }));
      expect(environment.loaded.environment.minio.defaultKey).toBe('backup-second');
      const { stdout } = mustSucceed(await environment.rotate(['inventory'], { env }));
      // versions stay under the old one
      expect(stdout).toMatch(/^backup-second: .*\n {2}backup: \d+ by SSE-S3/m);
      expect(await lost(3)).toEqual([]);
    });

    test('unseal-keys: every Vault that starts again is opened by the new ones', async () => {
      const shares = () => readFileSync(environment.state.secret.unsealShare(1), 'utf8');
      const old = shares();
      await endure(
        './scripts/rotate unseal-keys',
        1,
        async () => {
          mustSucceed(await environment.rotate(['unseal-keys'], { env }));
        },
        { rolls: true },
      );
      expect(shares()).not.toBe(old);
      for (const host of HOSTS) {
        await engine(host).getContainer(environment.containerName('vault')).restart();
        const seconds = await untilVaultServes(host);
        measured(`Vault of host ${host} is opened by the new shares`, seconds);
      }
      await untilCheckPasses();
    });

    test('unseal-keys is refused while a Vault is sealed: that one would not get the new shares', async () => {
      const unsealer = engine(3).getContainer(environment.containerName('vault-unsealer'));
      await unsealer.stop();
      await engine(3).getContainer(environment.containerName('vault')).restart();
      const { code, stderr } = await environment.rotate(['unseal-keys'], { env });
      expect(code).toBe(1);
      expect(stderr).toContain('for Vault on host c to be unsealed and serve');
      await unsealer.start();
      await untilVaultServes(3);
    });

    test('ca, then ca --finish: clients with the old certificates alone are refused', async () => {
      const { state } = environment;
      const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.operator);
      const old = {
        ca: readFileSync(state.caCertificate),
        cert: readFileSync(certificate),
        key: readFileSync(privateKey),
      };
      const renew = async (what: readonly string[]) =>
        endure(
          `./scripts/rotate ${what.join(' ')}`,
          1,
          async () => {
            mustSucceed(await environment.rotate(what, { env }));
          },
          { rolls: true },
        );

      await renew(['ca']);
      const both = { ...old, ca: readFileSync(state.caCertificate) };
      for (const host of HOSTS) expect(await healthOfVault(host, both)).toBeDefined();

      await renew(['ca', '--finish']);
      const present = { ca: readFileSync(state.caCertificate), cert: readFileSync(certificate), key: old.key };
      for (const host of HOSTS) {
        expect(await healthOfVault(host, present)).toBeDefined();
        // neither is Vault known by its old CA, nor the client by that of its certificate
        expect(await healthOfVault(host, { ...present, ca: old.ca })).toBeUndefined();
        expect(await healthOfVault(host, { ...present, cert: old.cert })).toBeUndefined();
      }
      expect(await lost(2)).toEqual([]);
    });
  });

  test('migrate: the master keys go to AWS and back, and no client that tries again is refused', async () => {
    const address = hosts.machine;
    const [port = 0] = await testPorts(1);
    const files = { caFile: ca.file, ...(await ca.issue('moto', address)) };
    const moto = await Moto.start({ address, port, ...files, logFile: path.join(environment.folder, 'moto.log') });
    try {
      const aws: Settings = { ...changed, keyStore: { type: 'aws', region: REGION, endpoint: moto.url } };
      const target = loadEnvironment(environment.writeOther('aws.yaml', aws));
      const kes = await moto.user('kes', forMoto(awsPolicy(target.environment)));
      const variables = {
        ...env,
        AWS_ACCESS_KEY_ID: kes.accessKeyId,
        AWS_SECRET_ACCESS_KEY: kes.secretAccessKey.reveal(),
        AWS_EC2_METADATA_DISABLED: 'true',
      };
      const migrate = async (what: string, to: Settings): Promise<void> => {
        const file = environment.writeOther('to.yaml', to);
        const program = path.join(projectRoot, 'scripts', 'migrate');
        const { transcript } = environment;
        const act = async (): Promise<void> => {
          const options = { transcript, env: variables, timeoutMs: 900_000 };
          mustSucceed(await runCommand(program, [environment.file, '--to', file], options));
        };
        await endure(what, 1, act, { rolls: true });
        changed = to;
        environment.write(to);
        expect(await lost(2)).toEqual([]);
      };

      await migrate('./scripts/migrate to AWS', aws);
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('aws');
      const { stdout } = mustSucceed(await environment.script('check', ['--json'], { env: variables }));
      expect(stdout).toContain('"outcome": "passed"');

      // what was left in the Vaults stays there
      const again = { mount: 'kes-again', approle: { mount: 'approle-again' } };
      await migrate('./scripts/migrate back to Vault', { ...changed, keyStore: { type: 'vault', ...again } });
      expect(readKeyStoreNote(environment.state)?.place.type).toBe('vault');
    } finally {
      await moto.stop();
    }
  });

  describe('what is left of all hosts', () => {
    test('down, then up: the Vaults find each other again, and no object is lost', async () => {
      mustSucceed(await environment.script('down', [], { env }));
      for (const host of HOSTS) expect(await containers(host)).toEqual([]);
      mustSucceed(await environment.script('up', [], { env }));
      expect(await lost(2)).toEqual([]);
    });

    describe('nothing but a backup', () => {
      const identityOf = (name: string) => path.join(environment.folder, `${name}-identity.txt`);
      const fileOf = (name: string) => path.join(environment.folder, `${name}.age`);
      let keys: ReturnType<typeof readCanaries>;
      /** The same environment on the engine of this machine. */
      let single: LoadedEnvironment;

      async function backUp(name: string, environmentFile: string): Promise<void> {
        const to = ['--to', fileOf(name), '--recipient', await newIdentity(identityOf(name))];
        const made = await environment.scriptWith('backup', [environmentFile, ...to], { env });
        keepSigner(identityOf(name), mustSucceed(made));
      }
      async function restore(name: string, environmentFile: string): Promise<void> {
        const from = ['--from', fileOf(name), '--identity', identityOf(name), environmentFile];
        const { seconds } = mustSucceed(await environment.scriptWith('restore', from, { env }));
        measured(`./scripts/restore of a backup of ${name}`, seconds);
      }

      afterAll(async () => {
        await environment.scriptWith('down', [single.file, '--delete-data', '--confirm', environment.name]);
      });

      test('of three hosts is restored onto one, with the master keys, and takes the objects', async () => {
        // GIVEN
        await backUp('three', environment.file);
        keys = readCanaries(environment.state.canaries);
        const directory = path.join(environment.folder, 'single');
        const { hosts: _, ...settings } = changed;
        const file = environment.writeOther('single.yaml', { ...settings, state: { backend: 'local', directory } });

        // WHEN
        await restore('three', file);

        // THEN
        single = loadEnvironment(file);
        expect(readCanaries(single.state.canaries)).toEqual(keys);
        const s3 = () =>
          s3Client({
            endpoint: s3Endpoint(single.environment, single.state),
            region: single.environment.minio.region,
            credentials: readCredentials(single.state.secret.minioObjects),
          });
        const there = new ObjectSet(s3);
        const [from, to] = [s3Of(1), s3()];
        for (const { bucket, key, sha256 } of [...written.values()].slice(-200)) {
          const { Body } = await from.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
          await to.send(
            new PutObjectCommand({
              Bucket: bucket,
              Key: key,
              Body: Buffer.from((await Body?.transformToByteArray()) ?? []),
            }),
          );
          there.add({ ...PLAIN, bucket }, { key, sha256 });
        }
        for (const client of [from, to]) client.destroy();
        expect(there.size).toBe(200);
        expect(await there.lost()).toEqual([]);
      });

      test('of that host is restored onto three empty ones, with the same master keys', async () => {
        // GIVEN
        await backUp('one', single.file);
        for (const host of HOSTS) await hosts.powerOff(host);
        for (const host of HOSTS) await hosts.replace(host);
        rmSync(environment.state.root, { recursive: true });

        // WHEN
        await restore('one', environment.file);

        // THEN every balancer takes objects
        expect(readCanaries(environment.state.canaries)).toEqual(keys);
        for (const host of HOSTS) {
          const s3 = s3Of(host);
          await putObject(s3, PLAIN, `after the restore, ${host}`, Buffer.from('x'));
          s3.destroy();
        }
        await environment.expectNothingToDeploy({ env });
      });
    });
  });
});
