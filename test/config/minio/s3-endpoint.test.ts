import { parseEnvironment } from '../../../config/load';
import type { AcmeSettings } from '../../../config/environment';
import {
  certificateOrder,
  s3CertificateFiles,
  s3Endpoint,
  s3RequiredNames,
  s3Url,
} from '../../../config/minio/s3-endpoint';
import { stateLayout } from '../../../config/state';

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

test.each([
  ['minio: {hostnames: [s3.example.org, s3.lan]}', ['s3.example.org', 's3.lan']],
  ['docker: {publishAddress: 192.0.2.7}', ['192.0.2.7']],
  ['minio: {domain: s3.lan}', ['s3.lan', '*.s3.lan']],
  ['minio: {domain: s3.lan, hostnames: [nas.lan]}', ['nas.lan', 's3.lan', '*.s3.lan']],
])('the names that certificates must cover: %s', (line, names) => {
  expect(s3RequiredNames(parse(line, `tls: {${FILES}}`))).toEqual(names);
});

test('certificates from elsewhere have files beside those of the private CA', () => {
  const additional = '{certificate: /pki/b.crt, privateKey: /pki/b.key}';
  expect(s3CertificateFiles(parse(`tls: {${FILES}, additional: [${additional}]}`), state)).toEqual([
    { certificate: '/state/tls/s3.crt', privateKey: '/state/secrets/tls/s3.key' },
    { certificate: '/state/tls/s3-additional-1.crt', privateKey: '/state/secrets/tls/s3-additional-1.key' },
  ]);
  expect(s3CertificateFiles(parse(), state)).toEqual([]);
});

test('an order is told where the key of an external account is, and not the key', () => {
  const order = (more: string) => {
    const environment = parse(
      `tls: {mode: acme, directory: "https://acme.example/d", email: ops@example.org, termsOfServiceAgreed: true, domains: [s3.example.org]${more}}`,
    );
    return certificateOrder(environment, environment.tls as AcmeSettings, state);
  };
  expect(order(', eab: {keyId: one, hmacKeyFile: /eab.key}').eab).toEqual({ keyId: 'one', hmacKeyFile: '/eab.key' });
  expect(order('')).not.toHaveProperty('eab');
});
