import type { AcmeSettings } from '../../../config/environment';
import { parseEnvironment } from '../../../config/load';
import { certificateOrder, s3CertificateFiles } from '../../../config/state/certificate-files';
import { stateLayout } from '../../../config/state/layout';

const state = stateLayout('x', '/state');
const FILES = 'mode: files, certificate: /pki/s3.crt, privateKey: /pki/s3.key';
const parse = (...lines: string[]) => parseEnvironment(['name: x', ...lines].join('\n'), 'test.yaml');

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
