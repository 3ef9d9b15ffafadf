/** Every secret of a living deployment is replaced, one after the other, while clients write and read. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { z } from 'zod';
import { vaultNames } from '../../config/deployment-names';
import { s3Endpoint, vaultAccess } from '../../config/state/endpoints';
import { certificateIssue } from '../../config/state/certificate-files';
import { AppRole, readKesLogin } from '../../operations/vault/approle';
import { type CanaryVerdict, openCanary } from '../../operations/keys/canaries';
import { readCanaries } from '../../operations/state/notes/canaries';
import { pemCertificates } from '../../operations/certificates/certificate-authority';
import { readIfExists } from '../../operations/lib/files';
import { HttpClient } from '../../operations/lib/net/http';
import { KesClient } from '../../operations/kes/kes-client';
import { kesIdentity } from '../../operations/kes/kes-identity';
import { dataUnder, usesOf } from '../../operations/keys/inventory';
import { inventoryOf } from '../../operations/keys/rotate-master-key';
import { type S3Credentials, s3Client } from '../../operations/minio/s3-client';
import { VaultClient } from '../../operations/vault/vault-client';
import { proveDeployedKeys } from '../../operations/keys/verify-master-keys';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { mc } from '../helpers/e2e/clients/clients';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import {
  collectSecrets,
  dockerHaystacks,
  fileHaystacks,
  searchFor,
  type Secret as FoundSecret,
} from '../helpers/e2e/secrets';
import { type LoadResult, SteadyLoad } from '../helpers/e2e/clients/steady-load';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { inVault, ownVault } from '../helpers/servers/vault';
import { Secret } from '../../operations/lib/secret';

/** A client of its own, who only reads and writes. */
const USER = { accessKey: 'backup-client', secretKey: 'of-a-client-that-is-not-root' };

let environment: TestEnvironment;
/** As they were before the first rotation. */
let secrets: readonly FoundSecret[];

// a rotation deploys up to three times
beforeAll(async () => {
  environment = await TestEnvironment.create({
    minio: { defaultKey: 'backup-default' },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' }, versioning: true },
    ],
  });
  mustSucceed(await environment.script('up'));
  await mc(environment, ['admin', 'user', 'add', 'e2e', USER.accessKey, USER.secretKey]);
  await mc(environment, ['admin', 'policy', 'attach', 'e2e', 'readwrite', '--user', USER.accessKey]);
  secrets = collectSecrets(environment.state);
});

afterAll(async () => {
  await environment.remove();
});

/**
 * Acts while clients write and read, and goes on for a while: what is asked afterwards has to work, too.
 *
 * @param patient whether a client sends again what was refused; MinIO is alone, and nobody answers while it starts
 */
async function underLoad(
  { patient = false, s3 = environment.s3(1) }: { readonly patient?: boolean; readonly s3?: S3Client },
  what: string,
  act: () => Promise<CommandResult>,
): Promise<LoadResult> {
  const load = new SteadyLoad({ s3, buckets: ['backup', 'archive'], patient });
  await load.answered(20);
  const acted = await act();
  await load.answered(20);
  const result = await load.stop();
  s3.destroy();
  mustSucceed(acted);
  const { requests, retried, slowestMs } = result;
  measured(`./scripts/rotate ${what}: ${requests} requests, ${retried} again, slowest ${slowestMs} ms`, acted.seconds);
  expect(result.failures).toEqual([]);
  expect(requests).toBeGreaterThanOrEqual(40);
  return result;
}

/** Starts a rotation and kills it with all its processes as soon as a phase is done, and so in the middle of the next. */
async function killAfter(phase: string, ...what: string[]): Promise<void> {
  const rotating = environment.rotate(what);
  await waitFor({ what: `phase ${phase} of ${what.join(' ')}`, timeoutMs: 180_000, intervalMs: 20 }, () => {
    const note = readIfExists(environment.state.rotation);
    return Promise.resolve(note?.includes(`"${phase}"`) === true ? true : new NotYet(note ?? 'not begun'));
  });
  await environment.killWorkers();
  expect((await rotating).code).not.toBe(0);
}

/** Rotates, is killed after that phase, and goes on. */
async function killedOnce(phase: string, ...what: string[]): Promise<CommandResult> {
  await killAfter(phase, ...what);
  return environment.rotate(what);
}

/** Another container in the place of KES's loader: what a kill leaves between Docker's create and Terraform's note of it. */
async function leaveOrphanedLoader(): Promise<void> {
  const { docker, owner } = environment;
  const kes = environment.containerName('kes');
  const name = `${kes}-files-loader`;
  const { Image } = await docker.getContainer(kes).inspect();
  await docker.getContainer(name).remove({ force: true });
  await docker.createContainer({ name, Image, Cmd: ['true'], Labels: { [owner.name]: owner.value } });
}

const logLine = z.object({
  at: z.iso.datetime(),
  id: z.string(),
  what: z.string(),
  phase: z.string().optional(),
  outcome: z.string(),
  command: z.string(),
});

/** What the log says of the newest rotation. */
function logged(): string[] {
  const lines = readFileSync(environment.state.rotationsLog, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => logLine.parse(JSON.parse(line)));
  return lines
    .filter(({ id }) => id === lines.at(-1)?.id)
    .map(({ what, phase, outcome }) => [what, phase, outcome].filter((part) => part !== undefined).join(' '));
}

function role(): AppRole {
  const { loaded, state } = environment;
  return new AppRole(vaultAccess(inVault(loaded.environment), state, {}), {
    mount: 'approle',
    role: vaultNames(loaded.environment).kesRole,
  });
}

describe('secret-id', () => {
  test('interrupted by kill -9 it lets no other begin, and goes on with the same SecretID; no request fails', async () => {
    // GIVEN
    const old = readKesLogin(environment.state.secret.kesConfiguration);
    if (old === undefined) throw new Error('KES has no login');
    const life = await environment.lifeOf('kes');

    // WHEN
    let minted: Secret | undefined;
    let other: CommandResult | undefined;
    const { retried } = await underLoad({}, 'secret-id, killed once', async () => {
      await killAfter('log-in', 'secret-id');
      minted = readKesLogin(environment.state.secret.kesConfiguration)?.secretId;
      other = await environment.rotate(['certificates']);
      await leaveOrphanedLoader();
      return environment.rotate(['secret-id']);
    });

    // THEN
    expect(retried).toBe(0);
    expect(other?.code).toBe(64);
    expect(other?.stderr).toMatch(/error: a rotation of secret-id, begun on \S+, has not ended/);
    const present = readKesLogin(environment.state.secret.kesConfiguration);
    if (present === undefined || minted === undefined) throw new Error('KES has no login');
    expect(minted.equals(old.secretId)).toBe(false);
    expect([present.roleId, present.secretId.reveal()]).toEqual([old.roleId, minted.reveal()]);
    const approle = role();
    try {
      expect(await approle.accessorOf(old.secretId)).toBeUndefined();
      expect(await approle.accessorOf(present.secretId)).toBeDefined();
      await expect(approle.proveLogin(old.roleId, old.secretId)).rejects.toThrow(/invalid role or secret ID/);
    } finally {
      approle.close();
    }
    expect(await environment.lifeOf('kes')).toBe(life);
    expect(logged()).toEqual([
      'secret-id begun',
      'secret-id mint done',
      'secret-id log-in done',
      'secret-id resumed',
      'secret-id deliver done',
      'secret-id prove done',
      'secret-id destroy done',
      'secret-id ended',
    ]);
  });
});

const SERVERS = ['vault', 'kes', 'minio'] as const;

describe('certificates', () => {
  test('killed on the way: every certificate is another, servers have other keys, nothing is restarted, and no request fails', async () => {
    const { state } = environment;
    const names = certificateIssue(environment.loaded.environment, state).leaves.map(({ name }) => name);
    const certificates = () => names.map((name) => readFileSync(path.join(state.tls, `${name}.crt`), 'utf8'));
    const old = certificates();
    const lives = await Promise.all(SERVERS.map((name) => environment.lifeOf(name)));

    const act = () => killedOnce('issue', 'certificates');
    const { retried } = await underLoad({}, 'certificates, killed once', act);

    expect(retried).toBe(0);
    names.forEach((name, index) => {
      const [before = '', now = ''] = [old[index], certificates()[index]];
      expect(now).not.toBe(before);
      expect([name, kesIdentity(now) === kesIdentity(before)]).toEqual([name, !name.endsWith('-server')]);
    });
    for (const name of SERVERS) expect(await servedBy(name)).toBe(fingerprint(`${name}-server`));
    expect(await Promise.all(SERVERS.map((name) => environment.lifeOf(name)))).toEqual(lives);
  });
});

describe('client-identity', () => {
  test('killed on the way: MinIO shows another key, KES refuses the old one, and no request fails', async () => {
    const { state, loaded } = environment;
    const file = path.join(state.tls, 'minio.crt');
    const old = { certificate: readFileSync(file), key: readFileSync(path.join(state.secret.tls, 'minio.key')) };

    const act = () => killedOnce('switch', 'client-identity');
    const { retried } = await underLoad({}, 'client-identity, killed once', act);

    expect(retried).toBe(0);
    expect(kesIdentity(readFileSync(file, 'utf8'))).not.toBe(kesIdentity(old.certificate.toString()));
    const folder = environment.folderFor('old-identity');
    writeFileSync(path.join(folder, 'old.crt'), old.certificate);
    writeFileSync(path.join(folder, 'old.key'), old.key, { mode: 0o600 });
    const kes = new HttpClient({
      url: `https://127.0.0.1:${loaded.environment.kes.port}`,
      caFile: state.caCertificate,
      certificateFile: path.join(folder, 'old.crt'),
      privateKeyFile: path.join(folder, 'old.key'),
    });
    expect((await kes.send({ method: 'PUT', path: '/v1/key/generate/backup-default', json: {} })).status).toBe(403);
    kes.close();
    rmSync(folder, { recursive: true });
    const leftovers = [...readdirSync(state.tls), ...readdirSync(state.secret.tls)];
    expect(leftovers.filter((name) => /next|previous/.test(name))).toEqual([]);
    const names = (await environment.docker.listContainers({ all: true })).flatMap(({ Names }) => Names);
    expect(names).not.toContain(`/${environment.containerName('kes')}-standby`);
  });
});

/** As that client. */
function client(caFile?: string): S3Client {
  const { environment: settings, state } = environment.loaded;
  const endpoint = s3Endpoint(settings, state);
  return s3Client({
    endpoint: { ...endpoint, ...(caFile === undefined ? {} : { caFile }) },
    region: settings.minio.region,
    credentials: { ...USER, secretKey: new Secret(USER.secretKey) },
    attempts: 1,
  });
}

describe('unseal-keys', () => {
  const share = (): string => readFileSync(environment.state.secret.unsealShare(1), 'utf8');

  test('killed after Vault took the new share and before it was noted, and Vault is sealed by a reboot: it opens it by that share', async () => {
    // GIVEN
    const { state } = environment;
    const old = share();
    const written = `${state.secret.unsealShare(1)}.new`;
    let inForce: string | undefined;

    // WHEN
    const s3 = client();
    await underLoad({ patient: true, s3 }, 'unseal-keys, killed once, and Vault restarted', async () => {
      await killAfter('rekey', 'unseal-keys');
      if (!existsSync(written)) renameSync(state.secret.unsealShare(1), written);
      inForce = readFileSync(written, 'utf8');
      writeFileSync(state.secret.unsealShare(1), old, { mode: 0o600 });
      const note = JSON.parse(readFileSync(state.rotation, 'utf8')) as { done: string[] };
      writeFileSync(state.rotation, JSON.stringify({ ...note, done: [] }));
      await environment.docker.getContainer(environment.containerName('vault')).restart();
      return environment.rotate(['unseal-keys']);
    });

    // THEN
    expect(share()).toBe(inForce);
    expect(share()).not.toBe(old);
    expect(existsSync(written)).toBe(false);
    await expectRestartedVaultToOpenWithout(old);
  });

  /** The unsealer has the new share, and Vault does not take the old one. */
  async function expectRestartedVaultToOpenWithout(old: string): Promise<void> {
    const unsealer = environment.docker.getContainer(environment.containerName('vault-unsealer'));
    await unsealer.stop();
    const client = vault();
    try {
      await environment.docker.getContainer(environment.containerName('vault')).restart();
      await waitFor({ what: 'Vault to answer', timeoutMs: 180_000 }, () => client.sealStatus());
      await expect(client.unseal(new Secret(old))).rejects.toThrow(/HTTP (400|500)/);
      expect((await client.sealStatus()).sealed).toBe(true);

      await unsealer.start();
      await waitFor({ what: 'the unsealer to open Vault', timeoutMs: 180_000 }, async () =>
        (await client.sealStatus()).sealed ? new NotYet('it is sealed') : true,
      );
      const { environment: settings, state } = environment.loaded;
      await proveDeployedKeys(settings, state);
    } finally {
      client.close();
    }
  }
});

describe('root-credentials', () => {
  test('killed on the way: the root user has another password; users of their own, and access keys that root made, go on', async () => {
    // GIVEN
    const old = environment.credentials;
    const ofRoot = { accessKey: 'made-by-root', secretKey: new Secret('and-belongs-to-root') };
    const keys = ['--access-key', ofRoot.accessKey, '--secret-key', ofRoot.secretKey.reveal()];
    await mc(environment, ['admin', 'user', 'svcacct', 'add', 'e2e', old.accessKey, ...keys]);

    // WHEN
    const act = () => killedOnce('make', 'root-credentials');
    await underLoad({ patient: true, s3: client() }, 'root-credentials, killed once', act);

    // THEN
    expect(environment.credentials.accessKey).toBe(old.accessKey);
    expect(environment.credentials.secretKey.reveal()).not.toBe(old.secretKey.reveal());
    expect(await answerTo(environment.credentials)).toBe('taken');
    expect(await answerTo(ofRoot)).toBe('taken');
    expect(await answerTo(old)).toBe('SignatureDoesNotMatch');
    // nothing of the change is left
    const files = ['config.env', 'iam.json', 'objects.json', 'operations.json', 'root.json'];
    expect(readdirSync(path.dirname(environment.state.secret.minioRoot)).sort()).toEqual(files);
  });

  async function answerTo(credentials: S3Credentials): Promise<string> {
    const { environment: settings, state } = environment.loaded;
    const s3 = s3Client({ endpoint: s3Endpoint(settings, state), region: settings.minio.region, credentials });
    try {
      await s3.send(new ListBucketsCommand({}));
      return 'taken';
    } catch (error) {
      return (error as Error).name;
    } finally {
      s3.destroy();
    }
  }
});

describe('master-key', () => {
  interface Written {
    readonly bucket: string;
    readonly key: string;
    readonly version: string | undefined;
    readonly sha256: string;
  }
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  /** Small content is in xl.meta, other in a file of its own. */
  async function write(bucket: string, key: string, more: Partial<PutObjectCommandInput> = {}): Promise<Written[]> {
    const s3 = environment.s3(1);
    const written: Written[] = [];
    for (const size of [100, 300_000]) {
      const body = randomBytes(size);
      const request = { Bucket: bucket, Key: `${key}/${size}`, Body: body, ...more };
      const { VersionId: version } = await s3.send(new PutObjectCommand(request));
      written.push({ bucket, key: `${key}/${size}`, version, sha256: sha256(body) });
    }
    s3.destroy();
    return written;
  }

  /** Reads everything again and says which master keys S3 names. */
  async function readAgain(objects: readonly Written[]): Promise<string[]> {
    const s3 = environment.s3(1);
    const keys = new Set<string>();
    for (const { bucket, key, version, sha256: expected } of objects) {
      const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: version }));
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      expect([bucket, key, sha256(bytes)]).toEqual([bucket, key, expected]);
      keys.add(answer.SSEKMSKeyId?.replace('arn:aws:kms:', '') ?? 'none');
    }
    s3.destroy();
    return [...keys].sort();
  }

  async function remove(objects: readonly Written[]): Promise<void> {
    const s3 = environment.s3(1);
    for (const { bucket, key } of objects) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    s3.destroy();
  }

  /** For good: what a lifecycle rule does to old versions. */
  async function removeVersions(Bucket: string, Prefix: string): Promise<void> {
    const s3 = environment.s3(1);
    for (;;) {
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
      const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
      if (Objects.length === 0) break;
      const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      expect(Errors).toEqual([]);
    }
    s3.destroy();
  }

  /** Names of the objects of which the newest version is no delete marker. */
  async function currentNames(bucket: string, prefix: string): Promise<string[]> {
    const s3 = environment.s3(1);
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    s3.destroy();
    return Contents.map(({ Key = '' }) => Key);
  }

  async function usesNow(key: string): Promise<string | undefined> {
    return usesOf(await inventoryOf(environment.loaded, () => undefined), key);
  }

  /** What KES answers to MinIO, and to who proves the key by its canary. */
  async function mayOpenBy(key: string): Promise<{ readonly minio: number; readonly prover: CanaryVerdict }> {
    const { state, loaded } = environment;
    const as = (leaf: string) => ({
      url: `https://127.0.0.1:${loaded.environment.kes.port}`,
      caFile: state.caCertificate,
      certificateFile: path.join(state.tls, `${leaf}.crt`),
      privateKeyFile: path.join(state.secret.tls, `${leaf}.key`),
    });
    const minio = new HttpClient(as('minio'));
    const prover = new KesClient(as('key-prover'));
    try {
      const { status } = await minio.send({ method: 'PUT', path: `/v1/key/decrypt/${key}`, json: {} });
      const canary = readCanaries(state.canaries)[key];
      if (canary === undefined) throw new Error(`${key} has no canary`);
      return { minio: status, prover: await openCanary(prover, key, canary) };
    } finally {
      minio.close();
      prover.close();
    }
  }

  test('of a bucket: killed on the way, no request fails; versions stay as they are, and under the old key until they are gone', async () => {
    // GIVEN versions, one of them deleted, another mode in the bucket, a context, and names that read like a pattern
    const context = Buffer.from('{"client":"one"}').toString('base64');
    const byName = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'archive-key' } as const;
    const older = await write('archive', 'twice');
    const current = await write('archive', 'twice');
    await remove(await write('archive', 'deleted'));
    const named = await write('backup', 'named [x]*?', { ...byName, SSEKMSEncryptionContext: context });
    const others = [
      ...(await write('archive', 'other', { ServerSideEncryption: 'AES256' })),
      ...(await write('backup', 'default', { ServerSideEncryption: 'aws:kms' })),
    ];
    expect(await readAgain([...older, ...current, ...named])).toEqual(['archive-key']);
    writeFileSync(environment.file, `# of the archive\n${readFileSync(environment.file, 'utf8')}`);

    // WHEN
    const { retried } = await underLoad({}, 'master-key archive-key, killed once', async () => {
      await killAfter('switch', 'master-key', 'archive-key', '--to', 'archive-2');
      return environment.rotate(['master-key', 'archive-key']);
    });

    // THEN
    expect(retried).toBe(0);
    expect(await readAgain(named)).toEqual(['archive-2']);
    expect(await readAgain(others)).toEqual(['backup-default', 'none']);
    expect(await readAgain([...older, ...current])).toEqual(['archive-key']);
    await readAgain(current.map((object) => ({ ...object, version: undefined })));
    expect(await currentNames('archive', 'deleted')).toEqual([]);
    expect(await readAgain(await write('archive', 'new'))).toEqual(['archive-2']);
    expect(await mayOpenBy('archive-key')).toEqual({ minio: 400, prover: 'opens' });
    expect(readFileSync(environment.file, 'utf8')).toMatch(/^# of the archive\n/);
    const { buckets, minio } = environment.loaded.environment;
    expect(buckets.at(-1)?.encryption).toEqual({ type: 'sse-kms', key: 'archive-2' });
    expect(minio.keys).toEqual([]);
    expect(logged().filter((line) => !line.endsWith('done'))).toEqual(
      ['begun', 'resumed', 'ended'].map((outcome) => `master-key archive-key --to archive-2 ${outcome}`),
    );

    // WHEN it is asked for again, before and after the versions are gone
    const early = await environment.rotate(['master-key', 'archive-key']);
    for (const prefix of ['load/', 'twice/', 'deleted/']) await removeVersions('archive', prefix);
    const again = await environment.rotate(['master-key', 'archive-key', '--to', 'archive-3']);
    const withdrawn = mustSucceed(await environment.rotate(['master-key', 'archive-key']));

    // THEN
    expect([again.code, again.stderr]).toEqual([
      64,
      expect.stringContaining(
        'error: --to: must not be given for archive-key, which has a successor already, got: archive-3',
      ),
    ]);
    expect(withdrawn.stdout).toContain('archive-key is withdrawn: MinIO may not use it any more.');
    expect(early.code).toBe(1);
    expect(early.stderr).toMatch(/error: \d+ versions of objects are still under archive-key, and MinIO may decrypt/);
    expect(await usesNow('archive-key')).toBeUndefined();
    expect(await mayOpenBy('archive-key')).toEqual({ minio: 403, prover: 'opens' });
  });

  test('the default key: it waits for an upload that began before; MinIO keeps the old key for its own files', async () => {
    // GIVEN
    const objects = [
      ...(await write('backup', 'old')),
      ...(await write('backup', 'old-kms', { ServerSideEncryption: 'aws:kms' })),
    ];
    const s3 = environment.s3(1);
    const upload = { Bucket: 'backup', Key: 'in-parts' };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
    const rotate = () => environment.rotate(['master-key', 'backup-default']);

    // WHEN
    let stopped: CommandResult | undefined;
    await underLoad({ patient: true, s3: client() }, 'master-key backup-default, stopped once', async () => {
      stopped = await rotate();
      const part = { ...upload, UploadId, PartNumber: 1 };
      const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: 'of an upload that took long' }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      await s3.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload }));
      return rotate();
    });

    // THEN
    expect(stopped?.code).toBe(1);
    expect(stopped?.stderr).toContain('error: 1 unfinished uploads are under backup-default still');
    const next = environment.loaded.environment.minio.defaultKey;
    expect(next).toMatch(/^backup-default-\d{4}-\d{2}$/);
    expect(await readAgain(objects)).toEqual([next, 'none']);
    const { Body } = await s3.send(new GetObjectCommand(upload));
    expect(await Body?.transformToString()).toBe('of an upload that took long');
    s3.destroy();

    const inventory = await inventoryOf(environment.loaded, () => undefined);
    const [unversioned, versioned] = ['backup', 'archive'].map((name) =>
      inventory.buckets.find(({ bucket }) => bucket === name),
    );
    expect(unversioned).toMatchObject({ versioned: false, sseS3: { [next]: expect.any(Number) as number } });
    expect({ ...unversioned?.sseS3, ...unversioned?.sseKms }).not.toHaveProperty('backup-default');
    expect(versioned).toMatchObject({ versioned: true, sseS3: { 'backup-default': 2 } });
    expect(inventory.own['backup-default']).toContain('config/iam/format.json');
    expect(await mayOpenBy('backup-default')).toEqual({ minio: 400, prover: 'opens' });
    expect(dataUnder(inventory, next)).toBeDefined();
  });

  test('what could not be carried through is refused before anything is changed', async () => {
    const before = readFileSync(environment.file, 'utf8');
    const unknown = await environment.rotate(['master-key', 'archive-key']);
    expect(unknown.code).toBe(64);
    expect(unknown.stderr).toMatch(/error: NAME: must be a master key of MinIO \(.*archive-2\), got/);
    const taken = await environment.rotate(['master-key', 'archive-2', '--to', 'archive-key']);
    expect(taken.code).toBe(64);
    expect(taken.stderr).toMatch(/error: --to: must be a new name, and there is a master key archive-key already/);
    expect(readFileSync(environment.file, 'utf8')).toBe(before);
  });
});

describe('ca', () => {
  test('killed on the way: clients of the old CA and of both are served while both are trusted, and the new one alone afterwards', async () => {
    // GIVEN
    const { state } = environment;
    const folder = environment.folderFor('cas');
    const oldCa = path.join(folder, 'old.crt');
    copyFileSync(state.caCertificate, oldCa);

    // WHEN
    const begin = () => killedOnce('issue', 'ca');
    await underLoad({ patient: true, s3: client(oldCa) }, 'ca, killed once', begin);
    const both = mustSucceed(await environment.script('ca')).stdout;
    expect(pemCertificates(both)).toHaveLength(2);
    const again = await environment.rotate(['ca']);
    expect([again.code, again.stderr]).toEqual([64, expect.stringContaining('error: ca: two CAs are trusted already')]);
    const bothCas = path.join(folder, 'both.crt');
    writeFileSync(bothCas, both);
    const finish = () => killedOnce('issue', 'ca', '--finish');
    await underLoad({ patient: true, s3: client(bothCas) }, 'ca --finish, killed once', finish);

    // THEN
    const [only = '', ...more] = pemCertificates(readFileSync(state.caCertificate, 'utf8'));
    expect(more).toEqual([]);
    expect(readFileSync(oldCa, 'utf8')).not.toContain(only);
    for (const name of SERVERS) expect(await servedBy(name)).toBe(fingerprint(`${name}-server`));
    const outdated = client(oldCa);
    await expect(outdated.send(new ListBucketsCommand({}))).rejects.toThrow(/certificate/);
    outdated.destroy();
    expect(readdirSync(state.secret.tls).filter((name) => name.startsWith('ca'))).toEqual(['ca.key']);
  });
});

test('neither the old nor the new secrets are in anything that was printed, logged or noted, or that Docker tells', async () => {
  const all = [...secrets, ...collectSecrets(environment.state)];
  const fewest = process.env.EBS_E2E_LONG === '1' ? 10 : 2;
  expect(new Set(all.map(({ value }) => value)).size).toBeGreaterThan(secrets.length + fewest);
  expect(searchFor(all, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
});

function vault(): VaultClient {
  const { url, caFile } = vaultAccess(inVault(environment.loaded.environment), environment.state, {});
  return new VaultClient({ url, ...(caFile === undefined ? {} : { caFile }) });
}

function fingerprint(leaf: string): string {
  return new X509Certificate(readFileSync(path.join(environment.state.tls, `${leaf}.crt`))).fingerprint256;
}

async function servedBy(program: (typeof SERVERS)[number]): Promise<string | undefined> {
  const { kes, minio } = environment.loaded.environment;
  const { port } = { vault: ownVault(environment.loaded.environment), kes, minio }[program];
  const { state } = environment;
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: readFileSync(state.caCertificate),
    // KES ends the connection of a client that shows none
    cert: readFileSync(path.join(state.tls, 'health.crt')),
    key: readFileSync(path.join(state.secret.tls, 'health.key')),
  });
  await once(socket, 'secureConnect');
  socket.end();
  return socket.getPeerX509Certificate()?.fingerprint256;
}
