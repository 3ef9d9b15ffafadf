/** What the environment file in a backup may say by itself, and what it may not. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadEnvironment } from '../../../../operations/state/load';
import { parseEnvironment } from '../../../../config/load';
import { defaultStateHome, stateLayout } from '../../../../config/state/layout';
import { projectRoot } from '../../../../operations/lib/project-root';
import type { Bundle } from '../../../../operations/backup/bundle/bundle';
import { outerSettings } from '../../../../operations/backup/restore/outer-settings';
import { restoreTarget } from '../../../../operations/backup/restore/restore-target';
import { UsageError } from '../../../../operations/lib/errors';
import { HEADER } from '../../../helpers/bundle';
import { thrownBy } from '../../../helpers/thrown';

/** No file in environments/ has this name. */
const NAME = 'of-a-backup';
const FILE = path.join(projectRoot, 'environments', `${NAME}.yaml`);

function bundleWith(environmentFile: string, name = NAME): Bundle {
  const none = new Map<string, Buffer>();
  return {
    header: { ...HEADER, environment: name },
    ...{ sha256: '', environmentFile, masterKeys: none, canaries: {}, stateFiles: none },
    ...{ iam: Buffer.of(), buckets: Buffer.of(), settings: undefined },
  };
}

const INNER = `
name: ${NAME}
docker: { publishAddress: 127.0.0.1 }
vault: { mode: embedded, unseal: manual, shares: 3, threshold: 2, port: 18200, memoryMb: 512 }
keyStore: { type: vault, mount: kes, prefix: x, kvVersion: 2, approle: { tokenPeriod: 30m } }
kes: { port: 17373, cache: { any: 5m }, clients: [{ name: app, keys: [app-key] }] }
minio: { port: 19000, hostnames: [backup.example.com], domain: s3.lan, defaultKey: a, keys: [b], autoEncryption: true, sseC: deny }
buckets: [{ name: archive, encryption: { type: sse-kms, key: c }, versioning: true, objectLock: true }]
tls: { mode: self-signed, validityDays: 90, ipAddresses: [192.0.2.1] }
`;

/** Every way out that the settings know. */
const OUTER = `
name: ${NAME}
docker: { host: "ssh://root@192.0.2.9", publishAddress: 0.0.0.0 }
images:
  source: registry
  kes: evil.example/kes@sha256:${'a'.repeat(64)}
  minio: evil.example/minio@sha256:${'a'.repeat(64)}
  dockerConfigFile: /home/user/.docker/config.json
vault: { mode: external, address: "https://vault.example", namespace: n, caFile: /ca.pem, tokenFile: /token }
keyStore:
  type: vault
  approle: { existingMount: true, secretId: { delivery: wrapped, wrappingTokenFile: /wrapped } }
tls:
  mode: acme
  directory: https://acme.example/directory
  email: a@example.com
  termsOfServiceAgreed: true
  domains: [backup.example.com]
  challenge: { type: dns-01, hook: /bin/sh }
trustedCAs: [/one.pem, /two.pem]
state: { backend: s3, bucket: state-of-theirs, region: us-east-1, endpoint: "https://s3.example", directory: /srv/state }
allowDataLoss: ${NAME}
`;

test('an environment file in a backup that stays inside is restored as it is, into the state folder of this machine', () => {
  const { target, writeEnvironmentFile } = restoreTarget(bundleWith(INNER), undefined);
  expect({ ...target, state: target.state.root, writeEnvironmentFile }).toEqual({
    environment: parseEnvironment(INNER, ''),
    file: FILE,
    argument: NAME,
    state: path.join(defaultStateHome(), NAME),
    writeEnvironmentFile: true,
  });
  expect(existsSync(FILE)).toBe(false);
});

test('what reaches outside is listed with its values, and counts when all of it was confirmed by name', () => {
  const bundle = bundleWith(OUTER);
  const names = [...new Set(outerSettings(OUTER).map(({ name }) => name))];
  const refusal = thrownBy(() => restoreTarget(bundle, undefined));
  expect(refusal).toEqual(
    new UsageError(
      `the environment file in the backup reaches outside of its deployment:
  docker.host: "ssh://root@192.0.2.9"
  docker.publishAddress: "0.0.0.0"
  images.source: "registry"
  images.kes: "evil.example/kes@sha256:${'a'.repeat(64)}"
  images.minio: "evil.example/minio@sha256:${'a'.repeat(64)}"
  images.dockerConfigFile: "/home/user/.docker/config.json"
  vault.mode: "external"
  vault.address: "https://vault.example"
  vault.namespace: "n"
  vault.caFile: "/ca.pem"
  vault.tokenFile: "/token"
  keyStore.approle.existingMount: true
  keyStore.approle.secretId.delivery: "wrapped"
  keyStore.approle.secretId.wrappingTokenFile: "/wrapped"
  tls.mode: "acme"
  tls.directory: "https://acme.example/directory"
  tls.email: "a@example.com"
  tls.termsOfServiceAgreed: true
  tls.domains: "backup.example.com"
  tls.challenge.type: "dns-01"
  tls.challenge.hook: "/bin/sh"
  trustedCAs: "/one.pem"
  trustedCAs: "/two.pem"
  state.backend: "s3"
  state.bucket: "state-of-theirs"
  state.region: "us-east-1"
  state.endpoint: "https://s3.example"
  state.directory: "/srv/state"
  allowDataLoss: "${NAME}"`,
    ),
  );
  expect(refusal).toMatchObject({
    hint: `if all of that is right on this machine, write --trust-environment ${names.join(',')}; else give an environment file of your own`,
  });
  expect(restoreTarget(bundle, undefined, names).target.state.root).toBe('/srv/state');
  // a group stands for what is in it
  const groups = ['docker', 'images', 'vault', 'keyStore', 'tls', 'trustedCAs', 'state', 'allowDataLoss'];
  expect(restoreTarget(bundle, undefined, groups).target.state.root).toBe('/srv/state');
});

test.each<[string, string, string]>([
  ['keyStore: { type: aws, region: us-east-1, kmsKey: alias/theirs }', 'keyStore', 'kmsKey: "alias/theirs"'],
  [
    'keyStore: { type: aws, region: us-east-1, endpoint: "https://sm.example" }',
    'keyStore',
    'endpoint: "https://sm.example"',
  ],
  ['keyStore: { type: filesystem, path: /srv/keys }', 'keyStore', 'path: "/srv/keys"'],
  // what an alias stands for is shown
  [
    'minio: { hostnames: [&there "evil.example"] }\ntls: { mode: files, certificate: &c /c.pem, privateKey: *c }',
    'tls',
    'privateKey: "/c.pem"',
  ],
  ['tls: { mode: files, certificate: /c.pem, privateKey: /k.pem }', 'tls', 'privateKey: "/k.pem"'],
])('so is %s', (setting, group, listed) => {
  const bundle = bundleWith(`name: ${NAME}\n${setting}\n`);
  expect(thrownBy(() => restoreTarget(bundle, undefined)).message).toContain(`\n  ${group}.${listed}`);
  expect(restoreTarget(bundle, undefined, [group]).writeEnvironmentFile).toBe(true);
});

test.each([
  [
    OUTER,
    ['docker'],
    'the environment file in the backup reaches outside of its deployment:\n  images.source: "registry"',
  ],
  [
    OUTER,
    ['docker.hots'],
    '--trust-environment: must name settings of the environment file in the backup that reach outside of the deployment (docker.host, ',
  ],
  [INNER, ['docker.host'], '(there are none), got: docker.host'],
])('confirming something else confirms nothing', (text, trusted, message) => {
  expect(thrownBy(() => restoreTarget(bundleWith(text), undefined, trusted)).message).toContain(message);
});

test('beside an environment file that was given the one in the backup says nothing', () => {
  const own = {
    environment: parseEnvironment(`name: ${NAME}`, ''),
    file: '/own.yaml',
    argument: '/own.yaml',
    state: stateLayout(NAME, '/own'),
  };
  expect(restoreTarget(bundleWith(OUTER), own)).toEqual({ target: own, writeEnvironmentFile: false });
});

test('an environment of the same name in this clone is not replaced by it', () => {
  const { file } = loadEnvironment('local');
  expect(
    thrownBy(() => restoreTarget(bundleWith('name: local\nminio: { port: 1234 }', 'local'), undefined)).message,
  ).toBe(`${file} differs from the environment file in the backup`);
});

test.each<[string, string, string]>([
  ['of another environment than the backup', 'name: other\n', `the backup is of environment ${NAME}, and `],
  ['that is no YAML', 'name: [', 'the environment file in the backup is not YAML:\n  line 1, column 8: '],
  ['with a setting that there is not', `name: ${NAME}\nhook: /bin/sh`, 'hook: is not a setting.'],
  ['with a name that leads out', 'name: ../../x', 'name: must be 1 to 32 characters'],
  [
    'whose aliases would fill the memory',
    [
      'a0: &a0 [x,x,x,x,x,x,x,x,x,x]',
      ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`),
    ].join('\n'),
    'the environment file in the backup is not YAML:\n  Excessive alias count indicates a resource exhaustion attack',
  ],
])('an environment file %s is refused', (_, text, message) => {
  expect(thrownBy(() => restoreTarget(bundleWith(text), undefined)).message).toContain(message);
});
