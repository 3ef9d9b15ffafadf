import type { LeafCertificate } from '../../../config/operation-inputs';
import { DeclarationError } from '../../../constructs/declaration-error';
import { Certificates } from '../../../constructs/tls/certificates';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const SERVER: LeafCertificate = { name: 'kes-server', usage: 'server', dnsNames: ['kes'], ipAddresses: [] };
const CLIENT: LeafCertificate = { name: 'minio', usage: 'client', dnsNames: [], ipAddresses: [] };

const declare = (leaves: readonly LeafCertificate[], stack = newStack()) =>
  new Certificates(stack, 'Certificates', {
    runner: { program: 'run' },
    environment: 'local',
    certificateFolder: '/state/tls',
    privateKeyFolder: '/state/secrets/tls',
    validityDays: 90,
    leaves,
  });

test('an operation issues the certificates, and again when one is due for renewal or missing', () => {
  // GIVEN
  const stack = newStack();
  const wildcard = { ...SERVER, name: 's3', dnsNames: ['*.s3.example.org'], ipAddresses: ['127.0.0.1'] };

  // WHEN
  declare([SERVER, wildcard, CLIENT], stack);

  // THEN
  const { input, triggers } = synth(stack).operation('issue-certificates');
  expect(input).toEqual({
    environment: 'local',
    certificateFolder: '/state/tls',
    privateKeyFolder: '/state/secrets/tls',
    validityDays: 90,
    leaves: [SERVER, wildcard, CLIENT],
    renewalNote: '/state/tls/renewal.json',
  });
  expect(triggers).toEqual({ generation: expect.stringContaining('/state/tls/renewal.json') as string });
  for (const file of ['tls/s3.crt', 'secrets/tls/s3.key', 'tls/minio.crt', 'secrets/tls/minio.key']) {
    expect(triggers.generation).toContain(`fileexists("/state/${file}")`);
  }
});

test('certificates and private keys are in folders of their own', () => {
  const certificates = declare([SERVER, CLIENT]);

  expect(certificates.ca).toBe('/state/tls/ca.crt');
  expect(certificates.leaf('minio')).toEqual({
    certificate: '/state/tls/minio.crt',
    privateKey: '/state/secrets/tls/minio.key',
  });
});

test('a leaf that was not declared has no files', () => {
  const error = thrownBy(() => declare([SERVER]).leaf('minio'));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe('stack/Certificates: `leaf` must be one of the leaves, got: minio');
});

test.each<[string, readonly LeafCertificate[], string]>([
  ['the name of the CA', [{ ...CLIENT, name: 'ca' }], '`leaves.name` must be a file name other than ca, got: ca'],
  ['a path', [{ ...CLIENT, name: '../ca' }], '`leaves.name` must be a file name other than ca, got: ../ca'],
  ['one name twice', [CLIENT, CLIENT], '`leaves.name` must be unique, got: minio twice'],
  [
    'what is not a DNS name',
    [{ ...SERVER, dnsNames: ['kes', 'https://kes'] }],
    '`leaves.dnsNames` must be a DNS name, got: https://kes',
  ],
  [
    'a server without a name, which no client could verify',
    [{ ...SERVER, dnsNames: [] }],
    '`leaves` must give a server a name or address, got: none for kes-server',
  ],
])('%s is refused', (_, leaves, problem) => {
  const error = thrownBy(() => declare(leaves));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/Certificates: ${problem}`);
});
