import { kesConfiguration } from '../../../config/keys/key-store';
import { parseEnvironment } from '../../../config/load';
import { s3Url } from '../../../config/minio/s3-endpoint';
import { s3Endpoint, vaultAccess } from '../../../config/state/endpoints';
import { stateLayout } from '../../../config/state/layout';
import { inVault } from '../../helpers/servers/vault';

const state = stateLayout('x', '/state');
const FILES = 'mode: files, certificate: /pki/s3.crt, privateKey: /pki/s3.key';
const parse = (...lines: string[]) => parseEnvironment(['name: x', ...lines].join('\n'), 'test.yaml');

test.each<[string, string[], string, object]>([
  ['self-signed', [], 'https://127.0.0.1:9000', { url: 'https://127.0.0.1:9000', caFile: '/state/tls/ca.crt' }],
  [
    'self-signed with a name, which the address is verified without',
    ['minio: {hostnames: [s3.example.org]}'],
    'https://s3.example.org:9000',
    { url: 'https://127.0.0.1:9000', caFile: '/state/tls/ca.crt' },
  ],
  [
    'files, publicly trusted',
    [`tls: {${FILES}}`, "minio: {port: 443, hostnames: ['*.s3.example.org', s3.example.org]}"],
    'https://s3.example.org:443',
    { url: 'https://127.0.0.1:443', serverName: 's3.example.org' },
  ],
  [
    'files of a CA of one’s own',
    [`tls: {${FILES}, ca: /pki/root.crt}`, 'minio: {hostnames: [s3.example.org]}', 'trustedCAs: [/pki/others]'],
    'https://s3.example.org:9000',
    { url: 'https://127.0.0.1:9000', serverName: 's3.example.org', caFile: '/pki/root.crt' },
  ],
  [
    'files of one of the trusted CAs',
    [`tls: {${FILES}}`, 'docker: {publishAddress: 192.0.2.7}', 'trustedCAs: [/pki/others]'],
    'https://192.0.2.7:9000',
    { url: 'https://192.0.2.7:9000', caFile: '/state/tls/public-trust.crt' },
  ],
])('%s: where clients connect, and how this machine does', (_, lines, url, endpoint) => {
  const environment = parse(...lines);
  expect(s3Url(environment)).toBe(url);
  expect(s3Endpoint(environment, state)).toEqual(endpoint);
});

test('an embedded Vault is reached through its published port', () => {
  expect(vaultAccess(inVault(parse('vault: { mode: embedded, port: 18200 }')), state, {})).toEqual({
    url: 'https://127.0.0.1:18200',
    caFile: '/state/tls/ca.crt',
    tokenFile: '/state/secrets/vault/provisioner-token',
  });
});

test('an external Vault has one address for all, and its token comes from the variables', () => {
  const variables = { address: 'https://vault.example.org', namespace: 'team' };

  const external = inVault(parse('vault: { mode: external, caFile: /ca.crt }'));

  expect(vaultAccess(external, state, variables)).toEqual({
    url: 'https://vault.example.org',
    namespace: 'team',
    caFile: '/ca.crt',
  });
  expect(kesConfiguration(external, {}, variables).keyStore).toMatchObject({
    endpoint: 'https://vault.example.org',
    namespace: 'team',
    caFile: '/files/vault-ca.crt',
  });
});
