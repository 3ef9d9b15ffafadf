import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../config/state/layout';
import { isMadeAnew, isStateFile } from '../../../operations/backup/bundle/entries';
import { stateFiles } from '../../../operations/backup/contents';
import { INITIALISING } from '../../../operations/vault/initialize-vault';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();

test('of the state goes into a backup what no deployment could make again', () => {
  // GIVEN
  const { state } = loaded(folder());
  const { secret } = state;
  const saved = [
    state.deployment,
    state.canaries,
    state.vaultSeal,
    state.caCertificate,
    secret.minioRoot,
    secret.unsealShare(1),
  ];
  const mark = path.join(path.dirname(secret.unsealShare(1)), INITIALISING);
  const tokens = [secret.rootToken, secret.provisionerToken];
  const left = [...tokens, mark, secret.kesConfiguration, state.lastBackup, state.keyStore];
  for (const file of [...saved, `${secret.minioRoot}.0123456789ab.tmp`, ...left]) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  // THEN
  const relative = (files: string[]) => files.map((file) => path.relative(state.root, file)).sort();
  expect(stateFiles(state).sort()).toEqual(relative(saved));

  // what some deployments have and older ones have not
  writeFileSync(state.earlierObjects, '');
  expect(stateFiles(state).sort()).toEqual(relative([...saved, state.earlierObjects]));
});

test('of several hosts, so do the certificates of each and of those who may connect to Vault', () => {
  const { state } = loaded(folder());
  const files = [
    ...[state.deployment, state.canaries, state.secret.minioRoot],
    ...['vault', 'kes', 'minio'].map((program) => path.join(state.tls, `${program}-server-a.crt`)),
    path.join(state.secret.tls, 'minio-server-nas-2.key'),
    ...['ca', 'operator', 'vault', 'kes', 'balancer', 'monitoring'].flatMap((name) => [
      path.join(state.vaultClients, `${name}.crt`),
      path.join(state.secret.vaultClients, `${name}.key`),
    ]),
    path.join(state.vaultClients, 'renewal.json'),
  ];
  for (const file of files) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  expect(stateFiles(state).sort()).toEqual(files.map((file) => path.relative(state.root, file)).sort());
});

test.each([
  'secrets/vault-clients/minio.key',
  'tls/minio-server-A.crt',
  'secrets/minio/root.json~',
  'secrets/note',
  'tls/other.crt',
])('a file that no restore would take stops a backup: %s', (strange) => {
  const { state } = loaded(folder());
  for (const file of [state.deployment, state.canaries, state.secret.minioRoot, path.join(state.tls, 'ca.crt')]) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  expect(stateFiles(state)).toHaveLength(4);
  mkdirSync(path.dirname(path.join(state.root, strange)), { recursive: true });
  writeFileSync(path.join(state.root, strange), '');
  expect(thrownBy(() => stateFiles(state)).message).toBe(
    `the state folder ${state.root} holds files that no backup has: ${strange}`,
  );
});

test('every secret that a deployment has is either saved or made anew', () => {
  const { root, secret } = stateLayout('test', '/state');
  const files = Object.values(secret).map((one) => (typeof one === 'string' ? one : one(1)));
  const folders: string[] = [secret.tls, secret.vaultClients, secret.acme, secret.clients];
  const forgotten = files
    .filter((file) => !folders.includes(file))
    .map((file) => path.relative(root, file))
    .filter((file) => isStateFile(file) === isMadeAnew(file));
  expect(forgotten).toEqual([]);
});
