import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { environmentSchema } from '../../../../config/environment-schema';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import { stateLayout } from '../../../../config/state/layout';
import { UsageError } from '../../../../operations/lib/errors';
import { Rotation } from '../../../../operations/state/rotation';
import {
  copyForPlans,
  readPlanCopy,
  unpackPlanCopy,
  writePlanCopy,
} from '../../../../operations/terraform/plan/plan-copy';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

function put(file: string, text: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A deployment whose state names a secret by its hash, and files in it and elsewhere by their paths. */
function deployed(root = path.join(folder(), 'it\'s "a" ${state}')): LoadedEnvironment {
  const state = stateLayout('demo', root);
  const [certificate, privateKey] = ['s3.crt', 's3.key'].map((name) =>
    put(path.join(folder(), 'elsewhere', name), `text of ${name}`),
  ) as [string, string];
  put(state.deployment, '{"id":"a"}');
  put(state.secret.deployment, '{"id":"a"}');
  put(state.caCertificate, 'the certificate');
  put(path.join(state.tls, 'renewal.json'), '{"generation":1}');
  put(path.join(state.secret.tls, 'ca.key'), 'the secret of the CA');
  put(state.secret.provisionerToken, 'hvs.secret');
  const instance = {
    source: state.caCertificate,
    hash: hash('the secret of the CA'),
    trigger: `1 ${hash('the certificate')}`,
    input: JSON.stringify({ folder: state.tls, beside: `${root}-2/tls`, privateKey, certificate }),
    context: path.join(cacheLayout().root, 'images', 'x'),
    elsewhere: hash('text of s3.key'),
  };
  put(path.join(state.terraform, 'foundation.tfstate'), JSON.stringify(instance));
  const environment = environmentSchema.parse({
    name: 'demo',
    docker: { host: 'ssh://host' },
    minio: { hostnames: ['s3.example.org'] },
    tls: { mode: 'files', certificate, privateKey },
  });
  return { environment, file: '/e/demo.yaml', argument: 'demo', state };
}

test('a copy holds what is public and the names of what is not', async () => {
  const loaded = deployed();
  const copy = await copyForPlans(loaded);
  const text = JSON.stringify(copy);
  expect(copy.secrets).toEqual(['secrets/tls/ca.key', 'secrets/vault/provisioner-token']);
  expect(Object.keys(copy.files)).toEqual(
    expect.arrayContaining(['deployment.json', 'secrets/deployment.json', 'tls/ca.crt', 'tls/renewal.json']),
  );
  for (const secret of ['the secret of the CA', 'hvs.secret', 'text of s3.key']) {
    expect(text).not.toContain(secret);
    // nor anything by which a guess could be tried
    expect(text).not.toContain(hash(secret));
  }
  expect(text).toContain(hash('the certificate'));
  expect(text).toContain('text of s3.crt');
});

test('what it is unpacked to is consistent: hashes fit files, paths lead there, whatever is in their names', async () => {
  const loaded = deployed();
  const file = path.join(folder(), 'copy.json');
  writePlanCopy(file, await copyForPlans(loaded));
  const to = path.join(folder(), 'un"packed');
  const unpacked = unpackPlanCopy(readPlanCopy(file, 'demo'), loaded, to);
  const { state, environment } = unpacked.loaded;
  const text = readFileSync(path.join(state.terraform, 'foundation.tfstate'), 'utf8');
  const instance = JSON.parse(text) as Record<string, string>;
  expect(instance.hash).toBe(hash(readFileSync(path.join(state.secret.tls, 'ca.key'), 'utf8')));
  expect(instance.source).toBe(state.caCertificate);
  const input = JSON.parse(instance.input ?? '') as Record<string, string>;
  expect(input.folder).toBe(state.tls);
  expect(input.beside).toBe(`${loaded.state.root}-2/tls`);
  expect(readFileSync(input.certificate ?? '', 'utf8')).toBe('text of s3.crt');
  expect(instance.elsewhere).toBe(hash(readFileSync(input.privateKey ?? '', 'utf8')));
  // what is synthesized has the same paths
  const { tls } = loaded.environment;
  const declared = JSON.stringify({ key: `\${fileexists("${tls.mode === 'files' ? tls.privateKey : ''}")}` });
  expect(unpacked.relocate(declared)).toContain(JSON.stringify(JSON.stringify(input.privateKey)).slice(3, -3));
  expect(environment.docker.host).toBeUndefined();
  expect(environment.state).toEqual({ backend: 'local' });
});

test.each([
  ['no JSON', 'x', /^--from: .* is not what \.\/scripts\/plan --export writes: Unexpected token/],
  ['another format', '{"version":2}', /is not what .* writes: version: /],
  [
    'a name that leads out of the folder',
    JSON.stringify({
      ...{ version: 1, environment: 'demo', createdAt: '2026-01-01T00:00:00Z', root: '/r', cache: '/c' },
      ...{ files: { '../x': '' }, secrets: [], outside: {}, terraform: {} },
    }),
    /is not what .* writes: files\.\.\.\/x: /,
  ],
  [
    'another environment',
    JSON.stringify({
      ...{ version: 1, environment: 'other', createdAt: '2026-01-01T00:00:00Z', root: '/r', cache: '/c' },
      ...{ files: {}, secrets: [], outside: {}, terraform: {} },
    }),
    /^--from: .* is a copy of environment other, and demo is to be planned$/,
  ],
])('%s is refused', (_, text, message) => {
  const file = put(path.join(folder(), 'copy.json'), text);
  expect(() => readPlanCopy(file, 'demo')).toThrow(message);
});

test('there is none of what is not deployed', async () => {
  const state = stateLayout('demo', path.join(folder(), 'nothing'));
  await expect(copyForPlans({ ...deployed(), state })).rejects.toThrow(
    `environment demo is not deployed: there is no ${state.secret.deployment}`,
  );
});

/** With a folder of CAs, in which there is a folder for what is nobody's business. */
function withTrustedCAs(): { readonly loaded: LoadedEnvironment; readonly trusted: string } {
  const loaded = deployed();
  const trusted = path.join(folder(), 'trusted');
  put(path.join(trusted, 'ca.crt'), 'text of a CA');
  put(path.join(trusted, 'private', 'ca.key'), 'text of its key');
  return { trusted, loaded: { ...loaded, environment: { ...loaded.environment, trustedCAs: [trusted] } } };
}

test('of a folder of CAs it holds what a deploy reads, and nothing of the folders in it', async () => {
  const { loaded, trusted } = withTrustedCAs();
  const copy = await copyForPlans(loaded);
  expect(copy.outside[path.join(trusted, 'ca.crt')]).toBe('text of a CA');
  expect(JSON.stringify(copy)).not.toContain('text of its key');
});

const KEY = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\ny\n';

test.each([
  ['trusted', 'ca.crt'],
  ['elsewhere', 's3.crt'],
])('a private key in %s/%s is not copied', async (...names) => {
  const { loaded } = withTrustedCAs();
  const file = put(path.join(folder(), ...names), KEY);
  await expect(copyForPlans(loaded)).rejects.toThrow(
    new UsageError(
      `${file}: must hold nothing but certificates, because a copy for plans shows it, got: EC PRIVATE KEY`,
      'remove the rest from that file; a private key belongs into a file of its own',
    ),
  );
});

test('a rotation that has not ended is ended first', async () => {
  const loaded = deployed();
  Rotation.begin(loaded.state, 'unseal-keys', 'demo');
  await expect(copyForPlans(loaded)).rejects.toThrow(
    new UsageError(
      'a rotation of unseal-keys has not ended: Terraform’s state may hold the SHA-256 of an earlier secret',
      'end it first: ./scripts/rotate unseal-keys demo',
    ),
  );
});
