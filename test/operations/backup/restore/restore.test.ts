/** What a restore refuses before anything is touched, and what it leaves for the next run of it. */
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import type { Bundle, BundleHeader } from '../../../../operations/backup/bundle/bundle';
import {
  commonDeployment,
  noteMadeDrive,
  planRestore,
  restoreMasterKeys,
  type RestorePlan,
  restoreState,
  type Surroundings,
  withStateToCome,
} from '../../../../operations/backup/restore/restore';
import { restoreTarget } from '../../../../operations/backup/restore/restore-target';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import { ExternalError, UsageError } from '../../../../operations/lib/errors';
import type { KeyMaterial } from '../../../../operations/keys/material/key-material';
import { lockHolder, withLock } from '../../../../operations/lib/lock';
import type { KeyInVault } from '../../../../operations/keys/lost-keys';
import { canaryOf } from '../../../helpers/master-key';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const CREATED_AT = '2026-01-01T00:00:00.000Z';
const UNDELETE = 'vault kv undelete -mount=kes -versions=1 demo/b';
const REMOVE = 'vault kv metadata delete -mount=kes demo/b';
const DRIVE_REFUSED =
  'the volume ebs-demo-minio-data holds data of MinIO another, and the backup is of ours: its keys do not open that data';

/** A backup with the keys `a` and `b`. */
function backup(state: Readonly<Record<string, string>> = {}): Bundle {
  const header = {
    ...{ environment: 'demo', deployment: 'deployment', createdAt: CREATED_AT, minioDeployment: 'ours' },
    masterKeys: ['a', 'b'],
  } as unknown as BundleHeader;
  const bytes = (texts: Readonly<Record<string, string>>) =>
    new Map(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
  return {
    header,
    sha256: '',
    environmentFile: 'name: demo\n',
    masterKeys: bytes({ a: 'key a', b: 'key b' }),
    canaries: {},
    stateFiles: bytes({ 'keys.json': '{}', ...state }),
    iam: Buffer.of(),
    buckets: Buffer.of(),
    settings: undefined,
  };
}

function into(keys = '[b]', name = 'demo', unseal = 'auto') {
  const root = path.join(folder(), 'state');
  const environment = parseEnvironment(
    `name: ${name}\nminio: { defaultKey: a, keys: ${keys} }\nvault: { mode: embedded, unseal: ${unseal} }\nstate: { backend: local, directory: ${root} }`,
    'demo.yaml',
  );
  const target = { environment, file: 'demo.yaml', argument: 'demo', state: stateLayout(name, root) };
  return { target, writeEnvironmentFile: false };
}

/** @param keys what the key store holds; undefined: nobody is let in */
function keyStore(keys: Readonly<Record<string, string>> | undefined, seen?: KeyInVault) {
  const written: string[] = [];
  const material: KeyMaterial = {
    read: (key) => Promise.resolve(keys?.[key] === undefined ? undefined : Buffer.from(keys[key])),
    create: (key) => {
      written.push(key);
      return Promise.resolve('created');
    },
    close: () => Promise.resolve(),
  };
  return {
    written,
    open: () => Promise.resolve(keys === undefined ? undefined : material),
    look: (key: string) => Promise.resolve(key === 'b' || key === 'newer' ? seen : undefined),
  };
}

function surroundings({ drive = 'ours', vault = true, store = keyStore(undefined) } = {}): Surroundings {
  return {
    minioDeployment: () => Promise.resolve(drive === '' ? undefined : drive),
    containers: () => Promise.resolve([]),
    volumeExists: () => Promise.resolve(vault),
    keyStore: store,
  };
}

function begun(note: object): void {
  const { state } = into().target;
  mkdirSync(state.root, { recursive: true });
  writeFileSync(state.restore, JSON.stringify({ createdAt: CREATED_AT, deployment: 'deployment', ...note }));
}

const plan = (around: Surroundings, keys?: string): Promise<RestorePlan> =>
  planRestore(backup(), into(keys), undefined, around);

test('a backup of another environment is refused', () => {
  expect(() => restoreTarget(backup(), into('[]', 'other').target)).toThrow(
    new UsageError('the backup is of environment demo, and demo.yaml is of other'),
  );
});

describe('a restore that was interrupted', () => {
  test.each([
    ['before MinIO was asked which one it made', {}],
    ['after it', { madeDrive: 'another' }],
  ])('goes on with the drive that MinIO made out of an empty one, %s', async (_, made) => {
    begun({ drive: 'empty', vaultSurvived: false, ...made });
    expect(await plan(surroundings({ drive: 'another' }))).toMatchObject({ resumed: true, drive: 'empty' });
  });

  test.each([
    ['MinIO made another one', { drive: 'empty', vaultSurvived: false, madeDrive: 'a third' }],
    ['the drive had data', { drive: 'with data', vaultSurvived: false }],
  ])('refuses a drive that does not fit where %s', async (_, note) => {
    begun(note);
    await expect(plan(surroundings({ drive: 'another' }))).rejects.toThrow(new UsageError(DRIVE_REFUSED));
  });

  test('takes the drive of the backup, attached since, for one with data', async () => {
    begun({ drive: 'empty', vaultSurvived: false });
    expect(await plan(surroundings())).toMatchObject({ resumed: true, drive: 'with data' });
  });

  test('knows the drive again that it noted', async () => {
    begun({ drive: 'empty', vaultSurvived: false });
    const first = await plan(surroundings({ drive: '' }));
    await noteMadeDrive(first, () => Promise.resolve('made'));
    expect(await plan(surroundings({ drive: 'made' }))).toMatchObject({ resumed: true, drive: 'empty' });
    await expect(plan(surroundings({ drive: 'another' }))).rejects.toThrow(new UsageError(DRIVE_REFUSED));
  });
});

test('an old backup, without a key that is known here, is refused before anything is touched, unless the key is given up', async () => {
  const { state } = into().target;
  writeCanaries(state.canaries, { newer: canaryOf('newer', Buffer.alloc(32, 'x')) });
  const refusal = await rejectionOf(plan(surroundings()));
  expect(refusal.message).toBe(
    `the backup of ${CREATED_AT} lacks master keys that are known here: newer, made on 2026-01-01T00:00:00.000Z`,
  );
  expect(readdirSync(state.root)).toEqual(['keys.json']);
  await planRestore(backup(), into(), undefined, surroundings(), ['newer']);
});

describe('a seal of Vault', () => {
  const NOTE = JSON.stringify({ version: 1, url: 'https://seal.example.com', mount: 'transit', key: 'k' });
  const SEAL = '{ type: transit, address: "https://seal.example.com", key: k, tokenFile: /t }';
  const SHARES = { 'secrets/vault/unseal-share-2': 'share' };
  const IN_NOTE = 'the key k of transit/ in Vault at https://seal.example.com';
  const planning = (unseal: string, inBackup: boolean, around = surroundings()): Promise<RestorePlan> =>
    planRestore(
      backup(inBackup ? { 'vault-seal.json': NOTE } : SHARES),
      into('[b]', 'demo', unseal),
      undefined,
      around,
    );

  test.each([
    ['auto', true, IN_NOTE, 'unseal shares'],
    [SEAL, false, 'unseal shares', IN_NOTE],
    [SEAL.replace('key: k', 'key: l'), true, IN_NOTE, IN_NOTE.replace('key k', 'key l')],
  ])('that Vault in its volume does not have is refused: %s', async (unseal, inBackup, opener, declared) => {
    expect(await rejectionOf(planning(unseal, inBackup))).toMatchObject({
      message: `vault.unseal: the volume ebs-demo-vault-data is there, and its Vault is opened by ${opener}; demo.yaml declares ${declared}`,
      hint: 'declare what opens it. If that is lost for good: docker rm -f ebs-demo-vault ebs-demo-vault-data-owner; docker volume rm ebs-demo-vault-data; then run the restore again, which writes the master keys into a new Vault',
    });
  });

  test('may be any where neither backup nor state folder says what opens Vault', async () => {
    await planRestore(backup(), into('[b]', 'demo', SEAL), undefined, surroundings());
  });

  test('that was taken after the backup is known from the state folder', async () => {
    const { state } = into().target;
    mkdirSync(state.root);
    writeFileSync(state.vaultSeal, NOTE);
    expect((await rejectionOf(planning('auto', false))).message).toContain(`is opened by ${IN_NOTE}; `);
  });

  test('may be another one where Vault is made anew, also by an interrupted restore', async () => {
    await planning('auto', true, surroundings({ vault: false }));
    begun({ drive: 'with data', vaultSurvived: false });
    await planning('auto', true);
  });

  test.each([
    ['auto', false],
    [SEAL, true],
    [SEAL.replace(' }', ', leave: true }'), true],
  ])('%s that it has is restored', async (unseal, inBackup) => {
    await expect(planning(unseal, inBackup)).resolves.toMatchObject({ vaultSurvived: true });
  });
});

describe('several hosts', () => {
  const NAMES = ['a', 'b', 'c'] as const;

  function intoHosts() {
    const root = path.join(folder(), 'state');
    const hosts = NAMES.map((name, n) => `{ name: ${name}, docker: 'ssh://${name}', address: 192.0.2.${n + 1} }`);
    const environment = parseEnvironment(
      `name: demo\nhosts: [${hosts.join(', ')}]\nminio: { defaultKey: a, keys: [b] }\nstate: { backend: local, directory: ${root} }`,
      'demo.yaml',
    );
    const target = { environment, file: 'demo.yaml', argument: 'demo', state: stateLayout('demo', root) };
    return { target, writeEnvironmentFile: false };
  }

  const planWith = async (vaultOn: readonly string[]): Promise<RestorePlan> =>
    planRestore(backup(), intoHosts(), undefined, {
      ...surroundings({ drive: '' }),
      volumeExists: (_, node) => Promise.resolve(vaultOn.includes(node?.host?.name ?? '')),
    });

  test.each([
    [[], false],
    [['a', 'c'], true],
    [['a', 'b', 'c'], true],
  ])('with the volume of Vault on %j: survived %s', async (on, vaultSurvived) => {
    expect(await planWith(on)).toMatchObject({ vaultSurvived });
  });

  test.each([[['a']], [['a', 'b']]])(
    'a restore into new Vaults that was interrupted with those of %j made goes on',
    async (on) => {
      begun({ drive: 'empty', vaultSurvived: false });
      expect(await planWith(on)).toMatchObject({ resumed: true, vaultSurvived: false, vaultRemoved: false });
    },
  );

  test('a minority of the Vaults is refused, and none of their volumes is removed', async () => {
    const refusal = await rejectionOf(planWith(['b']));
    expect(refusal).toBeInstanceOf(UsageError);
    expect(refusal.message).toBe(
      'volume ebs-demo-vault-data of Vault is on 1 of 3 hosts alone (b), which is no majority: Vault would elect no leader',
    );
  });

  const drives = (...ids: (readonly [string, string])[]) =>
    ids.map(([name, id]) => ({ node: { host: { name, address: '' } }, id }));

  test.each<[string, ReturnType<typeof drives>, string | undefined]>([
    ['none has data', [], undefined],
    ['one was replaced', drives(['a', 'ours'], ['c', 'ours']), 'ours'],
  ])('MinIO where %s', (_, found, id) => {
    expect(commonDeployment(found, 3)).toBe(id);
  });

  test.each([
    [
      'drives of two MinIO',
      drives(['a', 'ours'], ['b', 'other'], ['c', 'ours']),
      'the drives hold data of more than one MinIO: ours on host a, other on host b, ours on host c',
    ],
    [
      'too few drives',
      drives(['b', 'ours']),
      'the drives of 1 of 3 hosts hold data of MinIO (b), and it does not start with so few',
    ],
  ])('%s are refused', (_, found, message) => {
    expect(() => commonDeployment(found, 3)).toThrow(new UsageError(message));
  });
});

test('a drive of another MinIO is refused when nothing was begun', async () => {
  await expect(plan(surroundings({ drive: 'another' }))).rejects.toThrow(new UsageError(DRIVE_REFUSED));
});

describe('a declared key that the backup does not hold', () => {
  const LOST =
    'demo.yaml declares master keys that are neither in the backup of 2026-01-01T00:00:00.000Z nor in the key store: newer. ' +
    'New keys of their names would make what was written under the lost ones unreadable for ever';

  test.each<[string, Surroundings]>([
    ['Vault is gone', surroundings({ vault: false })],
    ['Vault is left without it', surroundings({ store: keyStore({ a: 'key a', b: 'key b' }) })],
    ['Vault says that it is not there', surroundings({ store: keyStore(undefined, { kind: 'missing' }) })],
  ])('is refused where there is data and %s', async (_, around) => {
    const refusal = await rejectionOf(plan(around, '[b, newer]'));
    expect(refusal).toEqual(new ExternalError(LOST));
    expect(refusal).toMatchObject({
      hint: 'take a newer backup that holds them; if nothing was ever written under them, take them out of demo.yaml',
    });
  });

  test('is refused where an interrupted restore made the Vault', async () => {
    begun({ drive: 'with data', vaultSurvived: false });
    await expect(plan(surroundings(), '[b, newer]')).rejects.toThrow(new ExternalError(LOST));
  });

  test.each<[string, Surroundings]>([
    ['the drive is empty', surroundings({ drive: '', vault: false })],
    ['the key store has it', surroundings({ store: keyStore({ a: 'key a', b: 'key b', newer: 'key' }) })],
    ['nobody can ask the key store yet', surroundings()],
  ])('is not refused where %s', async (_, around) => {
    await expect(plan(around, '[b, newer]')).resolves.toMatchObject({ replace: false });
  });

  test('is refused at the latest when the key store is there, before a key is written', async () => {
    const planned = await plan(surroundings(), '[b, newer]');
    const store = keyStore({});
    await expect(restoreMasterKeys(planned, store)).rejects.toThrow(new ExternalError(LOST));
    expect(store.written).toEqual([]);
  });
});

describe('a key of the backup', () => {
  test.each<[string, Record<string, string> | undefined, KeyInVault | undefined, string, string]>([
    [
      'has another one in its place',
      { b: 'another' },
      { kind: 'there', remove: REMOVE },
      'the key store has another master key b than the backup, and a restore writes over no key',
      `see which of the two opens your data. If it is that of the backup, keep the other one if anything was written under it, and take it away: ${REMOVE}. Then run the restore again`,
    ],
    [
      'was deleted and is kept',
      {},
      { kind: 'deleted', at: '2026-01-31', undelete: UNDELETE },
      'master key b cannot be read from the key store: it was deleted on 2026-01-31, and Vault keeps it',
      `bring it back: ${UNDELETE}. Then run the restore again`,
    ],
    [
      'was destroyed, and nobody but the provisioner is let in',
      undefined,
      { kind: 'destroyed', remove: REMOVE },
      'master key b was destroyed in Vault, and what is left of it keeps the one of the backup from being written',
      `take away what is left: ${REMOVE}. Then run the restore again`,
    ],
  ])('that %s is refused, with the command that mends it', async (_, keys, seen, said, hint) => {
    const refusal = await rejectionOf(plan(surroundings({ store: keyStore(keys, seen) })));
    expect(refusal).toEqual(new ExternalError(said));
    expect(refusal).toMatchObject({ hint });
  });

  test('is written where there is none, also where its mount is gone', async () => {
    const store = keyStore({ a: 'key a' }, { kind: 'no mount' });
    const planned = await plan(surroundings({ store }));
    expect(await restoreMasterKeys(planned, store)).toBe('2 of 2 written, the others were there');
  });
});

describe('the state folder', () => {
  const planned = (): RestorePlan => ({
    ...into(),
    ...{
      bundle: backup(),
      drive: 'with data',
      vaultSurvived: true,
      vaultRemoved: false,
      resumed: false,
      replace: true,
    },
  });

  test('is set aside with all of it, and stays locked under its name', async () => {
    const { target } = into();
    const { state } = target;
    await withLock(state.lock, 'restoring demo', async () => {
      writeFileSync(state.lastBackup, 'of before');
      const holder = await lockHolder(state.lock);
      await restoreState(planned());
      expect(holder).toBeDefined();
      expect(await lockHolder(state.lock)).toEqual(holder);
    });
    expect(existsSync(state.lock)).toBe(false);
    const [aside = ''] = readdirSync(folder()).filter((name) => name.startsWith('state.before-restore-'));
    expect(readdirSync(path.join(folder(), aside))).toEqual(['last-backup.json']);
    expect(readdirSync(state.root).sort()).toEqual(['keys.json', 'restore.json']);
  });

  test('is not set aside where there is none but for the lock', async () => {
    await withLock(into().target.state.lock, 'restoring demo', () => restoreState(planned()));
    expect(readdirSync(folder())).toEqual(['state']);
  });

  test('is shown to preflights as it will be: with certificates and credentials, and no more secrets', async () => {
    const restored = {
      ...{ 'tls/ca.crt': 'CA', 'secrets/tls/s3.key': 'key', 'secrets/aws/credentials.json': 'AWS' },
      'secrets/vault/unseal-share-1': 'share',
    };
    const seen = await withStateToCome({ ...planned(), bundle: backup(restored) }, ({ state }) =>
      Promise.resolve({
        files: readdirSync(state.root, { recursive: true }).sort(),
        credentials: readFileSync(state.secret.awsCredentials, 'utf8'),
      }),
    );
    expect(seen).toEqual({
      files: ['secrets', 'secrets/aws', 'secrets/aws/credentials.json', 'secrets/tls', 'secrets/tls/s3.key'].concat([
        'tls',
        'tls/ca.crt',
      ]),
      credentials: 'AWS',
    });
    expect(readdirSync(folder())).toEqual([]);
  });

  test('is shown to preflights in a folder of its own, not where somebody made its name lead', async () => {
    const elsewhere = path.join(folder(), 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, `${into().target.state.root}.restore-preflight`);
    const files = await withStateToCome(
      { ...planned(), bundle: backup({ 'secrets/tls/s3.key': 'key' }) },
      ({ state }) =>
        Promise.resolve([readFileSync(path.join(state.secret.tls, 's3.key'), 'utf8'), readdirSync(elsewhere)]),
    );
    expect(files).toEqual(['key', []]);
    expect(readdirSync(folder())).toEqual(['elsewhere']);
  });
});
