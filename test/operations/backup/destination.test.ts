import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { download, parsePlace, requireFree, requireOtherStorage, upload } from '../../../operations/backup/destination';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { type FakeDeployment, fakeDeployment, loaded } from '../checks/fakes';

const folder = useTemporaryFolder();

test('a place is a file or an object', () => {
  expect(parsePlace('--to', '/backups/today.age')).toEqual({ kind: 'file', file: '/backups/today.age' });
  const endpoint = 'https://s3.example.net:9000';
  expect(parsePlace('--to', 's3://backups/of/today.age', { endpoint, region: 'eu-1', caFile: '/ca.crt' })).toEqual({
    kind: 's3',
    bucket: 'backups',
    key: 'of/today.age',
    endpoint,
    region: 'eu-1',
    caFile: '/ca.crt',
  });
});

test.each([
  ['s3://backups', {}, '--to: must be a path or s3://bucket/key, got: s3://backups'],
  ['s3://backups/folder/', {}, '--to: must be a path or s3://bucket/key, got: s3://backups/folder/'],
  ['ftp://host/file', {}, '--to: must be a path or s3://bucket/key, got: ftp://host/file'],
  [
    's3://backups/a',
    { endpoint: 'http://s3.example.net' },
    '--endpoint: must be an https:// address, got: http://s3.example.net',
  ],
  ['a.age', { endpoint: 'https://s3.example.net' }, '--endpoint goes with an s3:// place only, --to is a.age'],
])('%s %j is refused', (place, s3, message) => {
  expect(thrownBy(() => parsePlace('--to', place, s3)).message).toBe(message);
});

test('a file that exists is not overwritten', async () => {
  const file = path.join(folder(), 'backup.age');
  await requireFree({ kind: 'file', file });
  writeFileSync(file, 'the only good one');
  expect((await rejectionOf(requireFree({ kind: 'file', file }))).message).toBe(
    `--to: ${file} exists already and is not overwritten`,
  );
});

describe('the storage that is to be saved', () => {
  let deployment: FakeDeployment;
  beforeEach(async () => {
    deployment = await fakeDeployment(folder(), (_, response) => response.end());
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await deployment.close();
  });

  const place = (endpoint: string) => ({ kind: 's3', bucket: 'backups', key: 'today.age', endpoint }) as const;

  test('is refused by its address', async () => {
    const { message } = await rejectionOf(
      requireOtherStorage(place(`https://localhost:${deployment.port}`), deployment.loaded),
    );
    expect(message).toBe(
      `--to: must not be the storage that the backup is to save, got: s3://backups/today.age at https://localhost:${deployment.port}`,
    );
  });

  test('is refused by its certificate where it is reached at another address', async () => {
    // GIVEN an environment file with another port than the one by which the storage is reached here
    const elsewhere = { ...loaded(folder(), 'name: test\nminio: { port: 1 }'), state: deployment.loaded.state };
    const { message } = await rejectionOf(
      requireOtherStorage(place(`https://127.0.0.1:${deployment.port}`), elsewhere),
    );
    expect(message).toMatch(/^--to: must not be the storage that the backup is to save/);
  });

  const KEYS = { AWS_ACCESS_KEY_ID: 'of-a-test', AWS_SECRET_ACCESS_KEY: 'of-a-test' };
  test.each([
    ['AWS_ENDPOINT_URL', (url: string) => ({ ...KEYS, AWS_ENDPOINT_URL: url })],
    [
      'AWS_ENDPOINT_URL_S3',
      (url: string) => ({ ...KEYS, AWS_ENDPOINT_URL_S3: url, AWS_ENDPOINT_URL: 'https://192.0.2.1' }),
    ],
    [
      'the profile',
      (url: string) => {
        const file = path.join(folder(), 'config');
        const credentials = 'aws_access_key_id = of-a-test\naws_secret_access_key = of-a-test\n';
        writeFileSync(file, `[profile storage]\nendpoint_url = ${url}\n${credentials}`);
        return { AWS_CONFIG_FILE: file, AWS_PROFILE: 'storage' };
      },
    ],
  ])('is refused where %s names it, and no --endpoint', async (_, variables) => {
    const url = `https://localhost:${deployment.port}`;
    jest.replaceProperty(process, 'env', { ...process.env, AWS_REGION: 'eu-1', ...variables(url) });
    const asked = rejectionOf(requireOtherStorage({ kind: 's3', bucket: 'backups', key: 'a.age' }, deployment.loaded));
    expect((await asked).message).toBe(
      `--to: must not be the storage that the backup is to save, got: s3://backups/a.age at ${url}`,
    );
  });

  test('another server is not', async () => {
    const other = path.join(folder(), 'other');
    mkdirSync(other);
    const server = await fakeDeployment(other, (_, response) => response.end());
    await requireOtherStorage(place(`https://127.0.0.1:${server.port}`), deployment.loaded);
    await server.close();
  });
});

describe('another S3 storage', () => {
  let server: TlsServer;
  let caFile: string;
  /** What it has, by path. */
  let stored: Map<string, string>;
  /** Makes something else of what is read. */
  let onRead: (content: string) => string;
  /** Whether it writes under a condition. */
  let conditional: boolean;
  /** What was there by the time of an unconditional write. */
  let meanwhile: string | undefined;
  const file = () => path.join(folder(), 'backup.age');
  const place = () => ({ kind: 's3', bucket: 'backups', key: 'today.age', endpoint: server.url, caFile }) as const;

  beforeEach(async () => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    caFile = ca.file;
    stored = new Map();
    onRead = (content) => content;
    conditional = true;
    meanwhile = undefined;
    server = await TlsServer.start(await ca.issue('s3'), ({ method, url = '', headers }, response, body) => {
      const { pathname } = new URL(url, 'https://s3');
      const refuse = (status: number, code: string) =>
        response.writeHead(status).end(`<Error><Code>${code}</Code><Message>refused</Message></Error>`);
      if (method === 'PUT' && !conditional && headers['if-none-match'] !== undefined) {
        if (meanwhile !== undefined) stored.set(pathname, meanwhile);
        refuse(501, 'NotImplemented');
        return;
      }
      // a checksum that follows the body, which many storages do not know
      if (headers['x-amz-trailer'] !== undefined) {
        refuse(400, 'InvalidRequest');
        return;
      }
      const content = stored.get(pathname);
      if (method === 'PUT' && content !== undefined && headers['if-none-match'] === '*') {
        refuse(412, 'PreconditionFailed');
        return;
      }
      if (method === 'PUT') stored.set(pathname, body);
      if (method === 'PUT') response.end();
      else if (content !== undefined) response.end(onRead(content));
      else response.writeHead(404).end('<Error><Code>NoSuchKey</Code><Message>none</Message></Error>');
    });
    const credentials = { AWS_ACCESS_KEY_ID: 'of-a-test', AWS_SECRET_ACCESS_KEY: 'of-a-test' };
    jest.replaceProperty(process, 'env', { ...process.env, ...credentials });
    writeFileSync(file(), 'a bundle');
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await server.stop();
  });

  test('takes a bundle, and has it', async () => {
    await requireFree(place());
    await upload(file(), place(), sha256('a bundle'));
    expect([...stored]).toEqual([['/backups/today.age', 'a bundle']]);
    expect((await rejectionOf(requireFree(place()))).message).toMatch(/ exists already and is not overwritten$/);
    await download(place(), path.join(folder(), 'fetched.age'));
    expect(readFileSync(path.join(folder(), 'fetched.age'), 'utf8')).toBe('a bundle');
  });

  test('of which the answer does not end is left when it is larger than any backup', async () => {
    stored.set('/backups/today.age', '');
    const fetched = path.join(folder(), 'fetched.age');
    onRead = () => 'x'.repeat(1_000_001);
    expect((await rejectionOf(download(place(), fetched, 1_000_000))).message).toBe(
      `s3://backups/today.age at ${server.url} is no backup: it has more than 1000000 bytes, and no backup has`,
    );
    await download(place(), fetched, 1_000_001);
  });

  test('keeps what another run wrote a moment ago', async () => {
    stored.set('/backups/today.age', 'the only good one');
    const { message } = await rejectionOf(upload(file(), place(), sha256('a bundle')));
    expect(message).toMatch(/^the backup cannot be stored: .*PreconditionFailed/);
    expect([...stored.values()]).toEqual(['the only good one']);
  });

  describe('that answers 501 to a conditional write', () => {
    beforeEach(() => {
      conditional = false;
    });

    test('takes a bundle all the same', async () => {
      await upload(file(), place(), sha256('a bundle'));
      expect([...stored]).toEqual([['/backups/today.age', 'a bundle']]);
    });

    test('keeps what another run wrote meanwhile', async () => {
      meanwhile = 'the only good one';
      const { message } = await rejectionOf(upload(file(), place(), sha256('a bundle')));
      expect(message).toMatch(/ exists already and is not overwritten$/);
      expect([...stored.values()]).toEqual(['the only good one']);
    });
  });

  test('that gives back something else than it was sent is told', async () => {
    onRead = (content) => content.replace('bundle', 'bumble');
    const { message } = await rejectionOf(upload(file(), place(), sha256('a bundle')));
    expect(message).toBe(
      `s3://backups/today.age at ${server.url} has SHA-256 ${sha256('a bumble')} when it is read back, expected ${sha256('a bundle')}`,
    );
  });
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
