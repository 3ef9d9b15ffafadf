/** What an empty Vault means: keys that were lost, or a place that keys are on their way to. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { KeyStorePlace } from '../../config/key-store-place';
import { writeKeyStoreNote } from '../../config/key-store-place';
import type { OperationInput } from '../../config/operation-inputs';
import { writeCanaries } from '../../operations/canaries';
import { ExternalError } from '../../operations/errors';
import { initializeVault } from '../../operations/initialize-vault';
import { ThrowawayCa } from '../helpers/certificates';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { rejectionOf } from '../helpers/thrown';
import { TlsServer } from '../helpers/tls-server';

const folder = useTemporaryFolder();
const EMBEDDED: KeyStorePlace = { type: 'vault', mount: 'kes', prefix: 'local', kvVersion: 2 };
let vault: TlsServer;
let input: OperationInput<'initialize-vault'>;
let initialized: boolean;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const seal = { t: 1, n: 1, progress: 0 };
  initialized = false;
  // a Vault that was never initialised, and does what its root token asks
  vault = await TlsServer.start(await ca.issue('vault'), ({ method, url }, response) => {
    const answers: Record<string, unknown> = {
      'GET /v1/sys/seal-status': { ...seal, initialized, sealed: !initialized },
      'POST /v1/sys/init': { keys: ['share'], root_token: 'root' },
      'POST /v1/auth/token/create-orphan': { auth: { client_token: 'provisioner' } },
    };
    if (url === '/v1/sys/init') initialized = true;
    response.end(JSON.stringify(answers[`${method} ${url}`] ?? {}));
  });
  const file = (name: string): string => path.join(folder(), name);
  input = {
    environment: 'local',
    endpoint: { url: vault.url, caFile: ca.file },
    ...{ shares: 1, threshold: 1, unsealShareFiles: [file('share')], rootTokenFile: file('root-token') },
    provisionerTokenFile: file('provisioner-token'),
    provisionerPolicy: { name: 'provisioner', document: '' },
    ...{ canariesFile: file('canaries.json'), placeFile: file('key-store.json'), renewalNote: file('renewal') },
  };
  const canary = { ciphertext: 'sealed', plaintextSha256: '0'.repeat(64) };
  writeCanaries(input.canariesFile, {
    'master-key': { bornAt: '2026-01-01T00:00:00.000Z', origin: 'created', ...canary },
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await vault.stop();
});

test.each<[string, KeyStorePlace]>([
  ['files', { type: 'filesystem' }],
  ['AWS', { type: 'aws', region: 'eu-central-1', endpoint: 'https://secretsmanager.eu-central-1.amazonaws.com' }],
  ['an external Vault', { ...EMBEDDED, address: 'https://vault.example.com' }],
])('canaries of keys in %s say nothing about this Vault: it is initialised', async (_, place) => {
  writeKeyStoreNote(input.placeFile, place, { to: EMBEDDED, sourceForgotten: true });
  await initializeVault(input);
  expect(initialized).toBe(true);
  expect(readFileSync(input.provisionerTokenFile, 'utf8')).toBe('provisioner');
});

test.each<[string, KeyStorePlace | undefined]>([
  ['this Vault', EMBEDDED],
  ['a place that nobody noted', undefined],
])('canaries of keys in %s: they were lost, and an empty Vault must not take their place', async (_, place) => {
  if (place !== undefined) writeKeyStoreNote(input.placeFile, place);
  const error = await rejectionOf(initializeVault(input));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(
    'Vault is empty, but environment local already has master keys (master-key): its volume was lost or replaced',
  );
  expect(initialized).toBe(false);
  expect(existsSync(input.unsealShareFiles[0] ?? '')).toBe(false);
});
