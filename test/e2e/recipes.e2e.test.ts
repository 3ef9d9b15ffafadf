/**
 * The pages of docs/clients, run as they are written: against a MinIO of its own on the loopback with the guard and a real
 * KES, by clients that are declared, in buckets with SSE-S3 and SSE-KMS.
 */
import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { declaredClients } from '../../config/minio/client-policies';
import type { Environment } from '../../config/environment';
import { parseEnvironment } from '../../config/load';
import { readAccessKeys } from '../../operations/minio/clients/access-keys';
import { provisionClients } from '../../operations/minio/clients/provision-clients';
import { provisionBuckets } from '../../operations/minio/objects/provision-buckets';
import { cacheLayout } from '../../operations/toolchain/cache';
import { buildProgram } from '../../operations/toolchain/go/go-build';
import { kes, mc, minio } from '../../operations/toolchain/go/programs';
import { CONFIGURATIONS, isConfiguredProgram } from '../../scripts/lib/pages/client-configuration';
import { findClient, NO_AWS_SETTINGS } from '../helpers/e2e/clients/client-programs';
import { runCommand } from '../helpers/e2e/command';
import { provideMoto } from '../helpers/e2e/servers/moto';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';
import { type OwnKes, startKes } from '../helpers/e2e/servers/own-kes';
import {
  type Block,
  blocksOf,
  NOT_RUN,
  readRecipe,
  recipePages,
  scriptOf,
  wrongFailures,
} from '../helpers/e2e/clients/recipe';

const PAGES = recipePages().filter((page) => !readRecipe(page).includes(NOT_RUN));
const MAY = ['append', 'write'] as const;
const MODES = ['sse-s3', 'sse-kms'] as const;
const CASES = PAGES.flatMap((page) => MAY.flatMap((may) => MODES.map((mode) => ({ page, may, mode }))));
type Case = (typeof CASES)[number];

const bucketOf = ({ may, mode }: Case): string => `${may}-${mode}`;
// s3fs lists the bucket without a prefix when it mounts
const prefixOf = ({ page }: Case): string => (page === 's3fs' ? '' : `${page}/`);
const clientOf = (one: Case): string => `${one.page}-${bucketOf(one)}`;
const KMS_KEY = 'archive-key';

/** As a file declares it: a bucket for each right and mode, and a client for each page in each of them. */
const DECLARED = {
  name: 'recipes',
  minio: { defaultKey: 'default-key' },
  buckets: MAY.flatMap((may) =>
    MODES.map((mode) => ({
      name: `${may}-${mode}`,
      encryption: mode === 'sse-s3' ? { type: mode } : { type: mode, key: KMS_KEY },
      ...(may === 'append' ? { versioning: true } : {}),
    })),
  ),
  clients: CASES.map((one) => ({
    name: clientOf(one),
    access: [{ bucket: bucketOf(one), ...(prefixOf(one) === '' ? {} : { prefix: prefixOf(one) }), may: one.may }],
  })),
};

let folder: string;
let ownKes: OwnKes | undefined;
let storage: OtherStorage;
let environment: Environment;
/** Folder of the Python of moto, which has boto3. */
let python: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-recipes-'));
  for (const program of [minio, kes]) await buildProgram(cacheLayout(), program);
  environment = parseEnvironment(JSON.stringify(DECLARED), 'recipes');
  ownKes = await startKes(path.join(folder, 'kes'), ['default-key', KMS_KEY]);
  mkdirSync(path.join(folder, 'minio'));
  storage = await OtherStorage.start(path.join(folder, 'minio'), 'of-nobody', { variables: ownKes.variables });
  const { accessKey, secretKey } = storage.credentials;
  const rootFile = path.join(folder, 'root.json');
  writeFileSync(rootFile, JSON.stringify({ accessKey, secretKey: secretKey.reveal() }), { mode: 0o600 });
  const input = {
    endpoint: { url: storage.url, caFile: storage.caFile },
    region: environment.minio.region,
    operationsFile: rootFile,
    iamFile: rootFile,
    denySseC: false,
  };
  await provisionBuckets({ ...input, buckets: environment.buckets });
  await provisionClients({
    ...input,
    clients: declaredClients(environment),
    folder: path.join(folder, 'clients'),
    renewalNote: path.join(folder, 'clients.json'),
  });
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(await buildProgram(cacheLayout(), mc), path.join(bin, 'mc'));
  python = path.join(await provideMoto(), 'venv', 'bin');
  const data = path.join(folder, 'data', 'below');
  mkdirSync(data, { recursive: true });
  writeFileSync(path.join(folder, 'data', 'small'), 'as it was');
  writeFileSync(path.join(data, 'large'), randomBytes(17 * 1024 * 1024));
});
afterAll(async () => {
  await storage.stop();
  await ownKes?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A folder with what a page takes for granted, and the shell that runs it there. */
function prepare(one: Case): { readonly place: string; readonly shell: readonly string[] } {
  // PostgreSQL refuses root, and its user may not enter the folder of the tests
  const asPostgres = one.page === 'pgbackrest' && process.getuid?.() === 0;
  const place = mkdtempSync(path.join(asPostgres ? tmpdir() : folder, `${one.page}-`));
  const keys = readAccessKeys(path.join(folder, 'clients', `${clientOf(one)}.json`));
  const bucket = environment.buckets.find(({ name }) => name === bucketOf(one));
  if (keys === undefined || bucket === undefined || !isConfiguredProgram(one.page)) throw new Error(clientOf(one));
  const ca = path.join(place, 'ca.crt');
  copyFileSync(storage.caFile, ca);
  const configuration = CONFIGURATIONS[one.page]({
    client: clientOf(one),
    environment: environment.name,
    key: keys.current,
    url: storage.url,
    region: environment.minio.region,
    caFile: ca,
    bucket,
    prefix: prefixOf(one),
  });
  writeFileSync(path.join(place, 'client.conf'), configuration, { mode: 0o600 });
  cpSync(path.join(folder, 'data'), path.join(place, 'data'), { recursive: true });
  if (!asPostgres) return { place, shell: ['bash'] };
  const { uid, gid } = statSync('/var/lib/postgresql');
  for (const file of [place, ca, path.join(place, 'client.conf')]) chownSync(file, uid, gid);
  chmodSync(place, 0o700);
  return { place, shell: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', 'bash'] };
}

/** Debian has those of PostgreSQL in no folder of the PATH. */
function serverPrograms({ page }: Case): string[] {
  const server = page === 'pgbackrest' ? findClient('postgres') : undefined;
  return server === undefined ? [] : [path.dirname(server)];
}

/** Runs the blocks. @returns what is wrong */
async function runBlocks(blocks: readonly Block[], one: Case): Promise<string[]> {
  const { place, shell } = prepare(one);
  const [program = 'bash', ...args] = shell;
  const variables = {
    ...NO_AWS_SETTINGS,
    ...{ SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined, AWS_CA_BUNDLE: undefined, REQUESTS_CA_BUNDLE: undefined },
    PATH: [path.join(folder, 'bin'), python, '/usr/bin', ...serverPrograms(one), process.env.PATH ?? ''].join(':'),
    HOME: place,
    BUCKET: bucketOf(one),
    PREFIX: prefixOf(one),
    REMOTE: `${environment.name}_${clientOf(one)}`.replaceAll('-', '_'),
    ENDPOINT: storage.url,
    REGION: environment.minio.region,
  };
  const result = await runCommand(program, [...args, '-c', scriptOf(blocks, [one.may, one.mode])], {
    cwd: place,
    env: variables,
  });
  const said = `exit code ${result.code}\n${result.stdout}\n${result.stderr}`;
  const read = (file: string): string => readFileSync(path.join(place, file), 'utf8');
  const exists = (file: string): boolean => existsSync(path.join(place, file));
  const problems = result.code === 0 ? wrongFailures(blocks, [one.may, one.mode], { exists, read }) : [said];
  // where a page ended early
  if (one.page === 's3fs') await runCommand('fusermount', ['-quz', path.join(place, 'mounted')]);
  if (one.page === 'pgbackrest' && exists('database/postmaster.pid')) {
    await runCommand(program, [...args, '-c', 'pg_ctl stop --mode=immediate'], {
      cwd: place,
      env: { ...variables, PGDATA: path.join(place, 'database') },
    });
  }
  rmSync(place, { recursive: true, force: true });
  return problems;
}

/** How the store says that the objects of a client are encrypted. */
async function encryptionOf(one: Case): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const { s3 } = storage;
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: bucketOf(one), Prefix: prefixOf(one), MaxKeys: 1000 }),
  );
  for (const { Key } of Contents) {
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucketOf(one), Key }));
    found.add([head.ServerSideEncryption, head.SSEKMSKeyId].filter((part) => part !== undefined).join(' '));
  }
  return found;
}

const NAME = '$page as a client that may $may, in a bucket with $mode';

async function recipe(one: Case): Promise<void> {
  const blocks = blocksOf(readRecipe(one.page));
  expect(await runBlocks(blocks, one)).toEqual([]);
  const encryption = one.mode === 'sse-s3' ? 'AES256' : `aws:kms arn:aws:kms:${KMS_KEY}`;
  expect(await encryptionOf(one)).toEqual(new Set([encryption]));
}

const withoutFuse = CASES.filter(({ page }) => page === 's3fs' && !existsSync('/dev/fuse'));
test.each(CASES.filter((one) => !withoutFuse.includes(one)))(NAME, recipe);
if (withoutFuse.length > 0) test.skip.each(withoutFuse)(`${NAME}: there is no /dev/fuse`, recipe);

test('a block that must be refused and is not, or fails for another reason, fails the page', async () => {
  const [one] = CASES;
  if (one === undefined) throw new Error('there is no page');
  const blocks = blocksOf('```sh\n# append: refused\ntrue\n```\n```sh\n# append: refused\nfalse\n```\n');
  expect(await runBlocks(blocks, one)).toEqual([
    'block 1 worked, and must not:\n',
    'block 2 failed for another reason:\n',
  ]);
});
