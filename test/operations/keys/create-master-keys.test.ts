import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readCanaries, writeCanaries } from '../../../operations/state/notes/canaries';
import { createMasterKeys } from '../../../operations/keys/create-master-keys';
import { ExternalError } from '../../../operations/lib/errors';
import { ThrowawayCa } from '../../helpers/certificates';
import { FakeKes } from '../../helpers/servers/fake-kes';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

describe('creating master keys', () => {
  const folder = useTemporaryFolder();
  let kes: FakeKes;
  let endpoint: { url: string; caFile: string; certificateFile: string; privateKeyFile: string };

  beforeEach(async () => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    const certificate = await ca.issue('kes');
    kes = await FakeKes.start(certificate);
    endpoint = { url: kes.url, caFile: ca.file, ...certificate };
  });
  afterEach(() => kes.stop());

  const canariesFile = () => path.join(folder(), 'keys.json');
  const create = (keys: string[], dataExists = false, clients: Record<string, string> = {}) =>
    createMasterKeys(
      { creator: endpoint, prover: endpoint, keys, clients, canariesFile: canariesFile(), dataVolume: 'the-data' },
      () => Promise.resolve(dataExists),
    );

  test('the first time makes each key and its canary', async () => {
    await create(['a', 'b']);

    expect([...kes.keys.keys()]).toEqual(['a', 'b']);
    expect(readCanaries(canariesFile())).toMatchObject({ a: { origin: 'created' }, b: { origin: 'created' } });
  });

  test('a canary says whose key it is, also when that changes', async () => {
    await create(['a', 'b'], false, { b: 'client-warehouse' });
    expect(readCanaries(canariesFile())).toMatchObject({ b: { client: 'client-warehouse' } });
    expect(readCanaries(canariesFile()).a).not.toHaveProperty('client');

    await create(['b'], true, {});
    expect(readCanaries(canariesFile()).b).not.toHaveProperty('client');
  });

  test('the second time proves them and changes nothing', async () => {
    // GIVEN
    await create(['a']);
    const key = kes.keys.get('a');
    const canaries = readCanaries(canariesFile());

    // WHEN
    await create(['a'], true);

    // THEN
    expect(kes.keys.get('a')).toBe(key);
    expect(readCanaries(canariesFile())).toEqual(canaries);
  });

  test('a key that is declared again is no longer withdrawn', async () => {
    // GIVEN
    await create(['a', 'b']);
    const canaries = readCanaries(canariesFile());
    const withdrawnAt = '2026-11-22T00:00:00.000Z';
    const withdrawn = Object.entries(canaries).map(([key, canary]) => [key, { ...canary, withdrawnAt }] as const);
    writeCanaries(canariesFile(), Object.fromEntries(withdrawn));

    // WHEN
    await create(['a'], true);

    // THEN
    expect(readCanaries(canariesFile())).toEqual({ a: canaries.a, b: { ...canaries.b, withdrawnAt } });
  });

  test('a key that exists without a canary is adopted as it is', async () => {
    // GIVEN
    const key = randomBytes(32);
    kes.keys.set('a', key);

    // WHEN
    await create(['a'], true);

    // THEN
    expect(kes.keys.get('a')).toBe(key);
    expect(readCanaries(canariesFile())).toMatchObject({ a: { origin: 'adopted' } });
  });

  test('a new key beside one that is proven is created, although there is data', async () => {
    await create(['a']);
    await create(['a', 'b'], true);
    expect([...kes.keys.keys()]).toEqual(['a', 'b']);
  });

  test('a key that is missing is never made anew', async () => {
    // GIVEN
    await create(['a', 'b']);
    const bornAt = readCanaries(canariesFile()).a?.bornAt ?? '';
    kes.keys.delete('a');

    // WHEN
    const refusal = await rejectionOf(create(['a', 'b'], true));

    // THEN
    expect(refusal).toBeInstanceOf(ExternalError);
    expect(refusal.message).toBe(
      `master key a, made on ${bornAt}, is missing in the key store. What is encrypted under it cannot be read without it`,
    );
    expect(kes.keys.has('a')).toBe(false);
  });

  test('a key that was replaced is noticed', async () => {
    // GIVEN
    await create(['a']);
    const bornAt = readCanaries(canariesFile()).a?.bornAt ?? '';
    kes.keys.set('a', randomBytes(32));

    // WHEN
    const refusal = await rejectionOf(create(['a'], true));

    // THEN
    expect(refusal.message).toBe(
      `master key a, made on ${bornAt}, was replaced by another: it does not open its canary. What is encrypted under it cannot be read without it`,
    );
  });

  test('a key whose use KES denies does not pass for proven', async () => {
    // GIVEN
    await create(['a', 'b']);
    kes.denied.add('a');

    // WHEN
    const refusal = await rejectionOf(create(['a', 'b'], true));

    // THEN
    expect(refusal).toBeInstanceOf(ExternalError);
    expect(refusal.message).toBe('KES denied `decrypt` (403) under master keys a; they cannot be verified');
  });

  test('data without any key that can be proven is not covered up with a new key', async () => {
    const refusal = await rejectionOf(create(['a'], true));

    expect(refusal.message).toBe(
      'master key a does not exist, but the data volume the-data does: its objects are encrypted under a lost key, and a new key would make the loss final',
    );
    expect(kes.keys.size).toBe(0);
  });

  test('which drives there are is noted, and named where the keys of their data are lost', async () => {
    // GIVEN
    const note = path.join(folder(), 'drives.json');
    const of = ['/mnt/disk1', '/mnt/disk2'].map((source) => ({ kind: 'folder' as const, source }));
    const input = { creator: endpoint, prover: endpoint, keys: ['a'], clients: {}, canariesFile: canariesFile() };

    // WHEN
    const refusal = await rejectionOf(
      createMasterKeys({ ...input, drives: { of, note } }, () => Promise.resolve(true)),
    );

    // THEN
    expect(refusal.message).toBe(
      'master key a does not exist, but the folders /mnt/disk1 and /mnt/disk2 of MinIO with data do: its objects are encrypted under a lost key, and a new key would make the loss final',
    );
    expect(JSON.parse(readFileSync(note, 'utf8'))).toEqual({ version: 1, drives: of });
  });
});
