import type { KeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import type { KeyStorePlace } from '../../../../config/keys/key-store-place';
import { parseEnvironment } from '../../../../config/load';
import { UsageError } from '../../../../operations/lib/errors';
import { requirePossible, requireSameEnvironment } from '../../../../operations/keys/migrate/require-possible';
import { thrownBy } from '../../../helpers/thrown';

const LOCAL = { environment: parseEnvironment('name: local', 'local.yaml'), argument: 'local' };
const FILES: KeyStorePlace = { type: 'filesystem' };
const KV1: KeyStorePlace = { type: 'vault', mount: 'kes', prefix: 'local', kvVersion: 1 };
const KV2: KeyStorePlace = { ...KV1, kvVersion: 2 };
const OPENBAO: KeyStorePlace = { ...KV2, distribution: 'openbao' };
const OTHER_MOUNT: KeyStorePlace = { ...KV2, mount: 'kes-v2' };
const AWS: KeyStorePlace = { type: 'aws', region: 'eu-central-1', endpoint: 'https://aws.example.com' };

const at = (place: KeyStorePlace, migration?: NonNullable<KeyStoreNote['migration']>): KeyStoreNote => ({
  ...{ version: 1, place },
  ...(migration === undefined ? {} : { migration }),
});
const underWay = (to: KeyStorePlace) => ({ to, sourceForgotten: false });

test.each<[string, KeyStoreNote, KeyStorePlace, KeyStorePlace]>([
  ['files to Vault', at(FILES), FILES, KV2],
  ['Vault to AWS', at(KV2), KV2, AWS],
  ['AWS to files', at(AWS), AWS, FILES],
  ['another mount of the same Vault', at(KV1), KV1, OTHER_MOUNT],
  ['the same mount of another Vault', at(KV1), KV1, { ...KV2, address: 'https://vault.example.com' }],
  ['files to OpenBao', at(FILES), FILES, OPENBAO],
  ['one that was interrupted', at(FILES, underWay(KV2)), FILES, KV2],
])('possible: %s', (_, note, from, to) => {
  expect(() => {
    requirePossible(LOCAL, note, from, to);
  }).not.toThrow();
});

test.each<[string, KeyStoreNote | undefined, KeyStorePlace, KeyStorePlace, string]>([
  [
    'an environment that was never deployed',
    undefined,
    FILES,
    KV2,
    'environment local is not deployed, so there are no keys to move',
  ],
  [
    'a file that says they are elsewhere',
    at(AWS),
    FILES,
    KV2,
    'keyStore: environment local keeps its master keys in AWS Secrets Manager, eu-central-1 (https://aws.example.com), got: a volume of the Docker host',
  ],
  ['the same place', at(FILES), FILES, FILES, '--to: must name another key store, got: a volume of the Docker host'],
  [
    'a second migration while one is under way',
    at(FILES, underWay(KV2)),
    FILES,
    AWS,
    'the master keys are on their way to the embedded Vault, kes/local (KV v2), got: AWS Secrets Manager, eu-central-1 (https://aws.example.com)',
  ],
  [
    'another version of the same mount',
    at(KV1),
    KV1,
    KV2,
    '--to: keyStore.mount must be another one in the same Vault, got: kes',
  ],
  [
    'the embedded Vault to the embedded OpenBao',
    at(KV2),
    KV2,
    OPENBAO,
    '--to: the embedded Vault, kes/local (KV v2) and the embedded OpenBao, kes/local (KV v2) cannot run side by side',
  ],
])('refused: %s', (_, note, from, to, message) => {
  const error = thrownBy(() => {
    requirePossible(LOCAL, note, from, to);
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
});

const named = (file: string, text: string) => ({ file, environment: parseEnvironment(text, file) });

test('the files may differ in keyStore and vault', () => {
  const source = named('a.yaml', 'name: local\nkeyStore: { type: filesystem }');
  const target = named('b.yaml', 'name: local\nvault: { mode: embedded, port: 8300 }');
  expect(() => {
    requireSameEnvironment(source, target);
  }).not.toThrow();
});

test('and in nothing else, each of which is named', () => {
  const source = named('a.yaml', 'name: local\nkeyStore: { type: filesystem }');
  const target = named('b.yaml', 'name: other\nminio: { defaultKey: other }');
  const error = thrownBy(() => {
    requireSameEnvironment(source, target);
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe('--to: b.yaml must differ from a.yaml in keyStore and vault only, got other name, minio');
});
