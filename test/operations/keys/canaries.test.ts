import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeCanary, openCanary } from '../../../operations/keys/canaries';
import { type Canary, readCanaries, writeCanaries } from '../../../operations/state/notes/canaries';
import { ExternalError } from '../../../operations/lib/errors';
import { KesClient } from '../../../operations/kes/kes-client';
import { ThrowawayCa } from '../../helpers/certificates';
import { proveCanaries, whyLater } from '../../../operations/keys/verify-master-keys';
import { FakeKes } from '../../helpers/servers/fake-kes';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const CANARY: Canary = {
  bornAt: '2026-11-22T00:00:00.000Z',
  origin: 'created',
  ciphertext: 'c2VhbGVk',
  plaintextSha256: 'a'.repeat(64),
};

describe('the file of canaries', () => {
  const folder = useTemporaryFolder();
  const file = () => path.join(folder(), 'state', 'keys.json');

  test('holds what was written', () => {
    writeCanaries(file(), { archive: { ...CANARY, origin: 'adopted' }, 'backup-default': CANARY });

    expect(readCanaries(file())).toEqual({ archive: { ...CANARY, origin: 'adopted' }, 'backup-default': CANARY });
    expect(readFileSync(file(), 'utf8')).toMatch(/^\{\n {2}"version": 1,[^]*\n$/);
  });

  test('is no secret: it may be committed', () => {
    writeCanaries(file(), { a: CANARY });
    expect(statSync(file()).mode & 0o777).toBe(0o644);
  });

  test('that is not there holds none', () => {
    expect(readCanaries(file())).toEqual({});
  });

  test.each([
    ['another version', { version: 2, keys: {} }],
    ['a canary without its hash', { version: 1, keys: { a: { ...CANARY, plaintextSha256: undefined } } }],
    ['a plaintext, which does not belong there', { version: 1, keys: { a: { ...CANARY, plaintext: 'x' } } }],
  ])('is refused with %s', (_, content) => {
    writeFileSync(path.join(folder(), 'keys.json'), JSON.stringify(content));
    const error = thrownBy(() => readCanaries(path.join(folder(), 'keys.json')));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toContain(`${folder()}/keys.json is not a file of canaries: `);
  });

  test('is refused when it is not whole', () => {
    writeFileSync(path.join(folder(), 'keys.json'), '{"version": 1, "ke');
    const error = thrownBy(() => readCanaries(path.join(folder(), 'keys.json')));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toContain(`${folder()}/keys.json is not a file of canaries: `);
  });
});

describe('a canary', () => {
  let folder: string;
  let kes: FakeKes;
  let prover: KesClient;

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'ebs-canaries-'));
    const ca = await ThrowawayCa.create(folder, 'ca');
    kes = await FakeKes.start({ ...(await ca.issue('server')), clientCaFile: ca.file });
    prover = new KesClient({ url: kes.url, caFile: ca.file, ...(await ca.issue('client')) });
  });

  afterAll(async () => {
    prover.close();
    await kes.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    kes.failure = undefined;
    kes.keys.clear();
    kes.keys.set('a', randomBytes(32));
  });

  const born = async (key = 'a'): Promise<Canary> => {
    const canary = await makeCanary(prover, key, 'created');
    if (canary === undefined) throw new Error(`no canary for ${key}`);
    return canary;
  };

  test('opens as long as its master key is the same', async () => {
    const canary = await born();
    expect(await openCanary(prover, 'a', canary)).toBe('opens');
    expect(await openCanary(prover, 'a', canary)).toBe('opens');
  });

  test('tells when its master key is missing', async () => {
    const canary = await born();
    kes.keys.delete('a');
    expect(await openCanary(prover, 'a', canary)).toBe('missing');
  });

  test('tells when another master key has its name', async () => {
    const canary = await born();
    kes.keys.set('a', randomBytes(32));
    expect(await openCanary(prover, 'a', canary)).toBe('other');
  });

  test('tells when what opens is not what was sealed', async () => {
    const canary = await born();
    expect(await openCanary(prover, 'a', { ...canary, plaintextSha256: '0'.repeat(64) })).toBe('damaged');
  });

  test('that is damaged says nothing about its master key, and is not taken for one that was replaced', async () => {
    const canary = await born();
    // the first character is random
    const ciphertext = `${canary.ciphertext.startsWith('A') ? 'B' : 'A'}${canary.ciphertext.slice(1)}`;
    expect(ciphertext).not.toBe(canary.ciphertext);
    expect(await openCanary(prover, 'a', { ...canary, ciphertext })).toBe('damaged');
    await expect(proveCanaries(prover, { a: { ...canary, ciphertext } })).rejects.toThrow(
      /^master key a, made on .*, cannot be proven: its canary in keys\.json is damaged, which says nothing about the key/,
    );
    // the same in the file of an early version, of whose bytes nothing was noted
    expect(await openCanary(prover, 'a', { ...canary, ciphertext, ciphertextSha256: undefined })).toBe('other');
  });

  test('that KES refuses for another reason is not taken for that of another key', async () => {
    const canary = await born();
    kes.failure = { status: 400, body: '{"message":"invalid request body"}' };
    await expect(openCanary(prover, 'a', canary)).rejects.toThrow('invalid request body (HTTP 400)');
  });

  test.each([
    [
      'KES fails',
      { status: 503, body: '{"message":"starting"}' },
      /^KES cannot be asked now \(KES: status: starting \(HTTP 503\)\)$/,
    ],
    [
      'the key store is away',
      { status: 200, body: '{"keystore_unreachable":true}' },
      /^KES does not reach its key store now$/,
    ],
    ['all is well', { status: 200, body: '{}' }, undefined],
  ])('is opened before a deploy, or after it: %s', async (_, failure, later) => {
    kes.failure = failure;
    const why = await whyLater(prover, kes.url);
    if (later === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(later);
  });

  test('is not put off when something else has the port of KES', async () => {
    kes.failure = { status: 200, body: '<html>' };
    await expect(whyLater(prover, kes.url)).rejects.toThrow(`${kes.url} answers, but not as KES does: `);
  });

  test('opens for no other key, even one with the same bytes', async () => {
    const canary = await born();
    kes.keys.set('b', kes.keys.get('a') ?? randomBytes(32));
    expect(await openCanary(prover, 'b', canary)).toBe('other');
  });

  test('says nothing when KES cannot answer', async () => {
    const canary = await born();
    kes.failure = { status: 502, body: '{"message":"key store is not available"}' };
    await expect(openCanary(prover, 'a', canary)).rejects.toThrow(/key store is not available/);
  });

  test('is opened again while Vault, unsealed a moment ago, gives no answer', async () => {
    // GIVEN
    const canaries = { a: await born() };
    kes.failure = { status: 502, body: '{"message":"failed to read key"}' };
    let asked = 0;
    // WHEN
    const proof = await proveCanaries(prover, canaries, () => {
      asked += 1;
      if (asked === 2) kes.failure = undefined;
      return Promise.resolve({ kind: 'no answer' });
    });
    // THEN
    expect(proof).toEqual({ proven: ['a'], unasked: [] });
    expect(asked).toBe(2);
  });

  test('is not opened again when Vault has an answer', async () => {
    const canaries = { a: await born() };
    kes.failure = { status: 502, body: '{"message":"failed to read key"}' };
    await expect(proveCanaries(prover, canaries, () => Promise.resolve({ kind: 'no mount' }))).rejects.toThrow(
      /is missing in the key store, and so is its whole mount/,
    );
  });

  test('cannot be made without a master key', async () => {
    expect(await makeCanary(prover, 'none', 'created')).toBeUndefined();
  });

  test('holds no data key, only its hash', async () => {
    const canary = await born();
    const opened = await prover.decrypt('a', canary.ciphertext, Buffer.from('encrypted-backup-storage canary of a'));
    if (!Buffer.isBuffer(opened)) throw new Error('it did not open');

    expect(canary).toEqual({
      bornAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      origin: 'created',
      ciphertext: expect.any(String) as string,
      ciphertextSha256: createHash('sha256').update(Buffer.from(canary.ciphertext, 'base64')).digest('hex'),
      plaintextSha256: createHash('sha256').update(opened).digest('hex'),
    });
    expect(JSON.stringify(canary)).not.toContain(opened.toString('base64'));
  });
});
