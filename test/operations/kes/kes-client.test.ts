import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ExternalError } from '../../../operations/lib/errors';
import { KesClient, KesError } from '../../../operations/kes/kes-client';
import { ThrowawayCa } from '../../helpers/certificates';
import { FakeKes } from '../../helpers/servers/fake-kes';
import { rejectionOf } from '../../helpers/thrown';

let folder: string;
let kes: FakeKes;
let client: KesClient;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-kes-'));
  const ca = await ThrowawayCa.create(folder, 'ca');
  kes = await FakeKes.start({ ...(await ca.issue('server')), clientCaFile: ca.file });
  client = new KesClient({ url: kes.url, caFile: ca.file, ...(await ca.issue('client')) });
});

afterAll(async () => {
  client.close();
  await kes.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  kes.keys.clear();
  kes.failure = undefined;
  kes.status = { version: 'fake' };
});

describe('ready', () => {
  test.each([
    ['KES reaches its key store', {}, true],
    ['it says so', { keystore_unreachable: false }, true],
    ['it does not', { keystore_unreachable: true }, false],
  ])('when %s', async (_, status, ready) => {
    kes.status = status;
    expect(await client.ready()).toBe(ready);
  });

  test('fails when KES refuses', async () => {
    kes.failure = { status: 403, body: '{"message":"not authorized: insufficient permissions"}' };
    const error = await rejectionOf(client.ready());
    expect(error).toBeInstanceOf(KesError);
    expect(error.message).toBe('KES: status: not authorized: insufficient permissions (HTTP 403)');
  });
});

describe('create', () => {
  test('makes a key', async () => {
    expect(await client.create('a')).toBe('created');
    expect(kes.keys.has('a')).toBe(true);
  });

  test('leaves a key that exists as it is', async () => {
    await client.create('a');
    const before = kes.keys.get('a');
    expect(await client.create('a')).toBe('exists');
    expect(kes.keys.get('a')).toBe(before);
  });

  test.each([
    [400, '{"message":"invalid key name"}', 'KES: create key a: invalid key name (HTTP 400)'],
    [
      502,
      '{"message":"bad gateway: failed to create key"}',
      'KES: create key a: bad gateway: failed to create key (HTTP 502)',
    ],
  ])('fails when KES answers %i', async (status, body, message) => {
    kes.failure = { status, body };
    const error = await rejectionOf(client.create('a'));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(message);
    expect(error).toHaveProperty('status', status);
  });
});

describe('generate and decrypt', () => {
  const context = Buffer.from('a context');

  test('belong together', async () => {
    await client.create('a');
    const dataKey = await client.generate('a', context);
    const plaintext = await client.decrypt('a', dataKey?.ciphertext ?? '', context);
    expect(plaintext).toEqual(Buffer.from(dataKey?.plaintext ?? '', 'base64'));
  });

  test('work without a context', async () => {
    await client.create('a');
    const dataKey = await client.generate('a');
    expect(await client.decrypt('a', dataKey?.ciphertext ?? '')).toBeInstanceOf(Buffer);
  });

  test('say when there is no such key', async () => {
    expect(await client.generate('a')).toBeUndefined();
    expect(await client.decrypt('a', 'AAAA')).toBe('missing');
  });

  test.each([
    ['the master key is another', 'b', context],
    ['the context is another', 'a', Buffer.from('another')],
  ])('say when %s', async (_, key, other) => {
    await client.create('a');
    await client.create('b');
    const dataKey = await client.generate('a', context);
    expect(await client.decrypt(key, dataKey?.ciphertext ?? '', other)).toBe('other');
  });

  test.each([
    ['generate', async () => client.generate('a'), 'generate a data key under a'],
    ['decrypt', async () => client.decrypt('a', 'AAAA'), 'open a data key under a'],
  ])('%s: an outage is not taken for a missing or other key', async (_, call, what) => {
    for (const status of [403, 500, 502, 503]) {
      kes.failure = { status, body: '{"message":"key store is not available"}' };
      const error = await rejectionOf(call());
      expect(error).toBeInstanceOf(KesError);
      expect(error.message).toBe(`KES: ${what}: key store is not available (HTTP ${status})`);
    }
  });
});

test('an answer that is not JSON is shown, cut off', async () => {
  kes.failure = { status: 500, body: `<html>${'x'.repeat(1_000)}` };
  const { message } = await rejectionOf(client.create('a'));
  expect(message).toBe(`KES: create key a: <html>${'x'.repeat(194)} (HTTP 500)`);
});
