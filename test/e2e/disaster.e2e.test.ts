/** What is left after a disaster, and a backup: each restored with ./scripts/restore, and every object read again. */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../operations/lib/project-root';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { restartMinio } from '../../operations/backup/minio-settings';
import { readIfExists } from '../../operations/lib/files';
import { s3Client } from '../../operations/minio/s3-client';
import { GiveUp, NotYet, waitFor } from '../../operations/lib/wait';
import { forge, HEADER, membersWith } from '../helpers/bundle';
import { mc } from '../helpers/e2e/clients/clients';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import {
  collectSecrets,
  dockerHaystacks,
  fileHaystacks,
  searchFor,
  type Secret as KnownSecret,
} from '../helpers/e2e/secrets';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { Secret } from '../../operations/lib/secret';

const BUCKETS = [
  { name: 'backup', encryption: { type: 'sse-s3' } },
  { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' }, versioning: true },
] as const;

/** An access key of that user, and a group, that somebody has disabled. */
const LEAKED = { accessKey: 'LEAKEDKEY', secretKey: 'leaked-secret-key' };
const LEFT = 'left';
const FORMER = { accessKey: 'a-former-client', secretKey: 'a-secret-of-a-former-client' };
const USER = { accessKey: 'a-backup-client', secretKey: 'a-secret-of-a-backup-client' };
const RETIRED_KEY = 'no-longer-declared';

// each restore deploys everything, some of them twice
let environment: TestEnvironment;
/** What the first deploy said. */
let first: CommandResult;
let identity: string;
let recipient: string;
let objects: readonly DrillObject[];
/** As they were before the first disaster. */
let secrets: readonly KnownSecret[];
let count = 0;
/** Where some of the backups go: apart, because what works in the folder of the environment is killed in a test. */
const otherFolder = mkdtempSync(path.join(tmpdir(), 'ebs-other-storage-'));
let other: OtherStorage;

beforeAll(async () => {
  environment = await TestEnvironment.create({ buckets: [...BUCKETS], minio: { keys: [RETIRED_KEY] } });
  identity = path.join(environment.folder, 'identity.txt');
  recipient = await newIdentity(identity);
  other = await OtherStorage.start(otherFolder, 'backups');
  first = mustSucceed(await environment.script('up'));
  // what is under a key that is no longer declared must be readable after each restore, too
  environment.write({ buckets: [...BUCKETS] });
  secrets = collectSecrets(environment.state);
  objects = await writeObjects(environment.loaded);
  await makeSettings();
});

afterAll(async () => {
  await other.stop();
  await environment.remove();
  rmSync(otherFolder, { recursive: true });
});

/** What only MinIO knows: a backup client with a user of its own, and a setting of a bucket. */
async function makeSettings(): Promise<void> {
  await mc(environment, ['admin', 'user', 'add', 'e2e', USER.accessKey, USER.secretKey]);
  await mc(environment, ['admin', 'policy', 'attach', 'e2e', 'readwrite', '--user', USER.accessKey]);
  await mc(environment, ['tag', 'set', 'e2e/backup', 'team=storage']);
}

/** What MinIO enables when it is imported. */
async function makeDisabled(): Promise<void> {
  const [key, group] = [LEAKED.accessKey, LEFT];
  const keys = ['--access-key', key, '--secret-key', LEAKED.secretKey];
  await mc(environment, ['admin', 'user', 'svcacct', 'add', 'e2e', USER.accessKey, ...keys]);
  await mc(environment, ['admin', 'user', 'svcacct', 'disable', 'e2e', key]);
  // whoever is in a disabled group is refused everything (cmd/iam-store.go)
  await mc(environment, ['admin', 'user', 'add', 'e2e', FORMER.accessKey, FORMER.secretKey]);
  await mc(environment, ['admin', 'group', 'add', 'e2e', group, FORMER.accessKey]);
  await mc(environment, ['admin', 'group', 'disable', 'e2e', group]);
}

/** A rule for events and the webhook that it names; MinIO only asks whether somebody listens there, and it does itself. */
async function makeEventRule(): Promise<void> {
  const { environment: declared } = environment.loaded;
  await mc(environment, ['admin', 'config', 'set', 'e2e', 'notify_webhook:later', 'endpoint=https://127.0.0.1:9000']);
  await restartMinio(environment.loaded);
  const arn = `arn:minio:sqs:${declared.minio.region}:later:webhook`;
  await mc(environment, ['event', 'add', 'e2e/backup', arn, '--event', 'put']);
}

async function backUp(): Promise<string> {
  const file = path.join(environment.folder, `backup-${++count}.age`);
  const result = mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient]));
  measured('./scripts/backup', result.seconds);
  keepSigner(identity, result);
  return file;
}

/** The same into the other storage. */
async function backUpTo(place: string, env: Record<string, string> = other.variables): Promise<CommandResult> {
  return environment.script('backup', ['--to', place, ...atOther(), '--recipient', recipient, '--json'], {
    env: { ...env, AWS_REGION: undefined, AWS_PROFILE: undefined, AWS_SESSION_TOKEN: undefined },
  });
}

function atOther(): string[] {
  return ['--endpoint', other.url, '--ca', other.caFile];
}

async function restore(file: string, more: readonly string[] = []): Promise<CommandResult> {
  return environment.script('restore', ['--from', file, '--identity', identity, ...more]);
}

/** As ./scripts/backup --new-identity has made it. */
function identityWithoutSigner(): string {
  const file = path.join(environment.folder, 'unsaid.txt');
  writeFileSync(file, readFileSync(identity, 'utf8').replace(/^# signer: .*\n/gm, ''));
  return file;
}

/** Kills a restore, with everything that it started, as soon as it has come so far. */
async function killRestore(file: string, what: string, isThere: () => boolean): Promise<void> {
  const args = ['--from', file, '--identity', identity, environment.file];
  const killed = spawn(path.join(projectRoot, 'scripts', 'restore'), args, { stdio: 'ignore' });
  const closed = new Promise((resolve) => killed.once('close', resolve));
  let ended = false;
  void closed.then(() => (ended = true));
  await waitFor({ what, timeoutMs: 900_000, intervalMs: 50 }, async () => {
    if (ended) throw new GiveUp(new Error(`the restore ended before there was ${what}`));
    return Promise.resolve(isThere() || new NotYet('not there'));
  });
  await environment.killWorkers();
  await closed;
}

async function userCanWrite(): Promise<void> {
  const s3 = s3Client({
    endpoint: { url: environment.s3Url, caFile: environment.state.caCertificate },
    region: 'us-east-1',
    credentials: { ...USER, secretKey: new Secret(USER.secretKey) },
  });
  await s3.send(new PutObjectCommand({ Bucket: 'backup', Key: 'by the user', Body: 'still known' }));
  s3.destroy();
}

describe('a backup', () => {
  test('is refused in the storage that it is to save', async () => {
    const s3 = environment.s3();
    await s3.send(new CreateBucketCommand({ Bucket: 'backups' }));
    s3.destroy();
    const { accessKey, secretKey } = environment.credentials;
    const result = await environment.script(
      'backup',
      ['--to', 's3://backups/today.age', '--endpoint', environment.s3Url, '--recipient', recipient],
      { env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey.reveal() } },
    );
    expect(result.code).toBe(64);
    expect(result.stderr).toContain('must not be the storage that the backup is to save');
  });

  test('is one file of the owner alone; whoever deploys is told as long as there is none', async () => {
    expect(first.stderr).toContain('no backup of the master keys is known');
    const file = await backUp();
    expect(readFileSync(file).subarray(0, 21).toString()).toBe('age-encryption.org/v1');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(environment.state.root).filter((name) => name.includes('backup-'))).toEqual([]);
    const note = z
      .object({ masterKeys: z.array(z.string()) })
      .parse(JSON.parse(readFileSync(environment.state.lastBackup, 'utf8')));
    expect(note.masterKeys).toEqual(['backup-default', 'archive-key', RETIRED_KEY]);
    const again = await environment.script('backup', ['--to', file, '--recipient', recipient]);
    expect(again.code).toBe(64);
    expect(again.stderr).toContain(`${file} exists already and is not overwritten`);
  });
});

describe('a backup into another S3 storage', () => {
  test('is there, byte for byte, when the command says so; another one does not take its place', async () => {
    const { stdout, seconds } = mustSucceed(await backUpTo('s3://backups/of/today.age'));
    measured('./scripts/backup into another S3 storage', seconds);
    const result = z
      .object({ destination: z.string(), bytes: z.number(), sha256: z.string() })
      .parse(JSON.parse(stdout));
    const stored = await other.read('backups', 'of/today.age');
    expect({
      destination: `s3://backups/of/today.age at ${other.url}`,
      bytes: stored.length,
      sha256: createHash('sha256').update(stored).digest('hex'),
    }).toEqual(result);
    expect(Buffer.from(stored.subarray(0, 21)).toString()).toBe('age-encryption.org/v1');
    const note = z
      .object({ destination: z.string() })
      .parse(JSON.parse(readFileSync(environment.state.lastBackup, 'utf8')));
    expect(note.destination).toBe(result.destination);
    expect(readdirSync(environment.state.root).filter((name) => name.includes('backup-'))).toEqual([]);
    const again = await backUpTo('s3://backups/of/today.age');
    expect(again.code).toBe(64);
    expect(again.stderr).toContain('s3://backups/of/today.age at');
    expect(again.stderr).toContain('exists already and is not overwritten');
  });

  test('that does not exist, or lets nobody in, is said in one line', async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = other.variables;
    const refused = [
      await backUpTo('s3://no-such-bucket/today.age'),
      await backUpTo('s3://backups/wrong.age', { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: 'another' }),
      await backUpTo('s3://backups/wrong.age', { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY }),
    ];
    expect(refused.map(({ code }) => code)).toEqual([1, 1, 1]);
    const nobodyKnows = 'error: whether a backup exists already is unknown: ';
    const credentials =
      'hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to those of that storage';
    expect(refused.map(({ stderr }) => stderr.trimEnd().split('\n'))).toEqual([
      [`${nobodyKnows}there is no bucket no-such-bucket at ${other.url}`, 'hint: create it first, or correct the name'],
      [`${nobodyKnows}${other.url} does not accept the credentials: SignatureDoesNotMatch`, credentials],
      [`${nobodyKnows}${other.url} does not accept the credentials: InvalidAccessKeyId`, credentials],
    ]);
  });
});

describe('a restore', () => {
  test('refuses what it must not replace, what does not fit, and what is no backup, and touches nothing', async () => {
    const file = await backUp();
    const life = await environment.lifeOf('minio');
    const other = path.join(environment.folder, 'other.txt');
    await newIdentity(other);
    const [signer = ''] = /^# signer: .*$/m.exec(readFileSync(identity, 'utf8')) ?? [];
    appendFileSync(other, `${signer}\n`);
    const unsaid = identityWithoutSigner();
    const forged = path.join(environment.folder, 'forged.age');
    await forge(forged, membersWith([], { ...HEADER, format: 1, environment: environment.name }), recipient);
    const damaged = path.join(environment.folder, 'damaged.age');
    writeFileSync(damaged, readFileSync(file).subarray(0, 20_000));
    const strange = path.join(environment.folder, 'strange.yaml');
    writeFileSync(strange, readFileSync(environment.file, 'utf8').replace(environment.name, 'another-name'));
    const script = async (...args: string[]) => environment.scriptWith('restore', args);
    const results = [
      await restore(file),
      await restore(file, ['--replace', 'somebody-else']),
      await script('--from', file, '--identity', other, environment.file),
      await restore(damaged),
      await script('--from', file, '--identity', identity, strange),
      await script('--from', file, '--identity', unsaid, environment.file),
      await restore(forged, ['--replace', environment.name]),
      await restore(file, ['--replace', environment.name, '--sha256', '0'.repeat(64)]),
    ];
    expect(results.map(({ code }) => code)).toEqual([64, 64, 1, 1, 64, 64, 1, 1]);
    expect(results.map(({ stderr }) => /^error: (.*)$/m.exec(stderr)?.[1])).toEqual([
      expect.stringMatching(/ exists here: \d+ container\(s\), state in /),
      expect.stringMatching(/ exists here: /),
      `${file} is encrypted for other recipients than the given identity`,
      expect.stringContaining(`${damaged} is truncated or was altered: `),
      `the backup is of environment ${environment.name}, and ${strange} is of another-name`,
      `--signer: must be given, or stand in ${unsaid} as a line "# signer: ed25519:…", got nothing`,
      `${forged} is not signed: it is older than signatures, or not of your deployment`,
      expect.stringMatching(/ has SHA-256 [0-9a-f]{64}, and 0{64} was asked for$/),
    ]);
    expect(await environment.lifeOf('minio')).toBe(life);
  });

  test('Vault and state are lost, a restore is killed, and goes on: every object opens', async () => {
    const file = await backUp();
    await environment.lose(/vault/);
    rmSync(environment.state.root, { recursive: true });

    // WHEN it is killed as soon as Vault is there, with everything that it started
    await killRestore(file, 'the token of the new Vault', () => existsSync(environment.state.secret.provisionerToken));

    // THEN nothing else may be deployed meanwhile, and the same restore goes on
    const up = await environment.script('up');
    expect(up.code).toBe(64);
    expect(up.stderr).toContain(`a restore of environment ${environment.name} was begun and has not ended`);
    const result = mustSucceed(await restore(file));
    measured('the rest of a killed ./scripts/restore', result.seconds);
    await openObjects(environment.loaded, objects);
    await userCanWrite();
  });

  test('the state is lost, Vault is left: its keys are used, and Terraform knows again what is there', async () => {
    // GIVEN a backup in another storage, of which somebody has noted the SHA-256, and an identity that knows no signer
    const { sha256 } = z
      .object({ sha256: z.string() })
      .parse(JSON.parse(mustSucceed(await backUpTo('s3://backups/last.age')).stdout));
    rmSync(environment.state.root, { recursive: true });
    const known = ['--identity', identityWithoutSigner(), '--sha256', sha256];
    const from = ['--from', 's3://backups/last.age', ...atOther(), ...known, environment.file];
    const result = mustSucceed(
      await environment.scriptWith('restore', [...from, '--replace', environment.name], { env: other.variables }),
    );
    measured('./scripts/restore with a Vault that is left', result.seconds);
    expect(result.stderr).toContain('Master keys: 0 of 3 written, the others were there');
    await openObjects(environment.loaded, objects);
    await environment.expectNothingToDeploy();
  });

  test('the drive is another one: refused, whatever is confirmed', async () => {
    const file = await backUp();
    // GIVEN a drive that another MinIO made, under the name of ours
    await environment.lose(/minio-data/);
    const up = await environment.script('up');
    expect(up.code).toBe(1);
    expect(up.stderr).toContain('earlier-objects-open: ');
    const result = await restore(file, ['--replace', environment.name]);
    expect(result.code).toBe(64);
    expect(result.stderr).toContain('its keys do not open that data');
  });

  test('everything is lost, and the keys go into another kind of Vault mount; killed, it goes on: users, settings and event rules are back', async () => {
    // GIVEN a drive that has them; the one of before is lost
    await makeSettings();
    await makeDisabled();
    await makeEventRule();
    const file = await backUp();
    await environment.lose(/./);
    rmSync(environment.state.root, { recursive: true });
    environment.write({
      buckets: [...BUCKETS],
      keyStore: { type: 'vault', kvVersion: 1, mount: 'elsewhere', prefix: 'other' },
    });

    // WHEN it is killed after MinIO has made a drive of its own
    const note = environment.state.restore;
    await killRestore(file, 'the drive', () => readIfExists(note)?.includes('madeDrive') === true);

    // THEN that drive is no reason to stop
    const result = mustSucceed(await restore(file));
    measured('the rest of a ./scripts/restore of everything', result.seconds);
    await userCanWrite();
    expect(await mc(environment, ['tag', 'list', 'e2e/backup'])).toContain('storage');
    expect(await mc(environment, ['event', 'list', 'e2e/backup'])).toContain(':later:webhook');
    expect(await mc(environment, ['admin', 'config', 'get', 'e2e', 'notify_webhook:later'])).toContain(
      'endpoint=https://127.0.0.1:9000',
    );
    expect(result.stderr).not.toContain('NOT restored');
    // MinIO would let both in again
    expect(await mc(environment, ['admin', 'user', 'svcacct', 'info', 'e2e', LEAKED.accessKey])).toContain(
      'Status: off',
    );
    expect(await mc(environment, ['admin', 'group', 'info', 'e2e', LEFT])).toContain('Status: disabled');
  });
});

test('the drill of an environment passes, and leaves neither a copy nor a change behind', async () => {
  const life = await environment.lifeOf('minio');
  const junit = path.join(environment.folder, 'drill.xml');
  const result = mustSucceed(
    await environment.script('drill', ['--json', '--junit', junit], {
      env: { XDG_STATE_HOME: path.join(environment.folder, 'drill-state') },
    }),
  );
  const report = z
    .object({
      outcome: z.string(),
      objects: z.number(),
      objectsSame: z.number(),
      firstObjectSeconds: z.number(),
      copy: z.string(),
    })
    .parse(JSON.parse(result.stdout));
  expect(report).toMatchObject({ outcome: 'passed', objects: 42, objectsSame: 42 });
  measured('restore to the first object', report.firstObjectSeconds);
  expect(readFileSync(junit, 'utf8')).toContain('name="Open every object"');
  const left = await environment.docker.listContainers({
    all: true,
    filters: { label: [`${environment.owner.name}=${report.copy}`] },
  });
  expect(left).toEqual([]);
  expect(await environment.lifeOf('minio')).toBe(life);
});

test('neither the lost nor the restored secrets are in anything that was printed, logged or noted, or that Docker tells', async () => {
  const all = [...secrets, ...collectSecrets(environment.state)];
  expect(new Set(all.map(({ value }) => value)).size).toBeGreaterThan(secrets.length);
  expect(searchFor(all, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
});
