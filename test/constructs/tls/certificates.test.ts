import { leafCertificates } from '../../../config/certificates/leaf-certificates';
import { DeclarationError } from '../../../constructs/declaration-error';
import { Certificates } from '../../../constructs/tls/certificates';
import { deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const deployment = deploymentWith({ tls: { mode: 'self-signed', validityDays: 90 } });
const declare = (stack = newStack()) => new Certificates(stack, 'Certificates', { deployment });

test('an operation issues the certificates, and again when one is due for renewal or missing', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare(stack);

  // THEN
  const { input, triggers } = synth(stack).operation('issue-certificates');
  expect(input).toEqual({
    environment: 'local',
    certificateFolder: '/nonexistent/state/tls',
    privateKeyFolder: '/nonexistent/state/secrets/tls',
    validityDays: 90,
    leaves: leafCertificates(deployment.environment),
    renewalNote: '/nonexistent/state/tls/renewal.json',
  });
  expect(triggers).toEqual({ generation: expect.stringContaining('/nonexistent/state/tls/renewal.json') as string });
  for (const file of ['tls/kes-server.crt', 'secrets/tls/kes-server.key', 'tls/minio.crt', 'secrets/tls/minio.key']) {
    expect(triggers.generation).toContain(`fileexists("/nonexistent/state/${file}")`);
  }
});

test('certificates and private keys are in folders of their own', () => {
  const certificates = declare();

  expect(certificates.ca).toBe('/nonexistent/state/tls/ca.crt');
  expect(certificates.leaf('minio')).toEqual({
    certificate: '/nonexistent/state/tls/minio.crt',
    privateKey: '/nonexistent/state/secrets/tls/minio.key',
  });
  expect(certificates.issue('minio')).toEqual({
    certificate: '/nonexistent/state/tls/minio-server.crt',
    privateKey: '/nonexistent/state/secrets/tls/minio-server.key',
    issuer: certificates,
  });
});

test('a certificate that nobody was said to need has no files', () => {
  const error = thrownBy(() => declare().leaf('client-app'));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(
    'stack/Certificates: `name` must be one of vault-server, kes-server, minio-server, minio, key-creator, key-prover, ' +
      'health, got: client-app. the settings of the deployment say which servers and clients there are',
  );
});
