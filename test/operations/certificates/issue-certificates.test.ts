import { createPrivateKey, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { OperationInput } from '../../../config/operation-inputs';
import {
  forgetOtherCas,
  issueCertificates,
  issueNextCa,
  issueNextIdentities,
  useNextCa,
} from '../../../operations/certificates/issue-certificates';
import { pemCertificates } from '../../../operations/certificates/certificate-authority';
import { kesIdentity } from '../../../operations/kes/kes-identity';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = new Date('2026-11-22T12:00:00Z');
const after = (days: number) => new Date(NOW.getTime() + days * DAY_MS);

describe('issuing certificates', () => {
  const folder = useTemporaryFolder();
  const file = (...parts: string[]) => path.join(folder(), ...parts);
  const certificate = (name: string) => new X509Certificate(readFileSync(file('tls', `${name}.crt`)));
  const note = () => JSON.parse(readFileSync(file('tls', 'renewal.json'), 'utf8')) as unknown;
  const input = (dnsNames = ['kes', 'localhost']): OperationInput<'issue-certificates'> => ({
    environment: 'unit',
    certificateFolder: file('tls'),
    privateKeyFolder: file('secrets', 'tls'),
    validityDays: 90,
    leaves: [
      { name: 'kes-server', usage: 'server', dnsNames, ipAddresses: ['127.0.0.1'] },
      { name: 'minio', usage: 'client', dnsNames: [], ipAddresses: [] },
    ],
    renewalNote: file('tls', 'renewal.json'),
  });
  const issue = (now = NOW, dnsNames?: string[], since?: Date) => issueCertificates(input(dnsNames), now, since);

  test('a server certificate fits its names and purpose, and the CA signed it', async () => {
    await issue();

    const ca = certificate('ca');
    const server = certificate('kes-server');
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.checkIssued(ca)).toBe(true);
    expect(server.ca).toBe(false);
    expect(server.subjectAltName).toBe('DNS:kes, DNS:localhost, IP Address:127.0.0.1');
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(server.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(server.validTo).toBe('Feb 20 12:00:00 2027 GMT');
  });

  test('a client certificate is for clients, and no CA', async () => {
    await issue();
    expect(certificate('minio')).toMatchObject({ ca: false, keyUsage: ['1.3.6.1.5.5.7.3.2'] });
  });

  test('private keys are for their owner alone, and match', async () => {
    await issue();
    for (const name of ['ca', 'kes-server', 'minio']) {
      expect(statSync(file('secrets', 'tls', `${name}.key`)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(file('secrets')).mode & 0o777).toBe(0o700);
    expect(
      certificate('minio').checkPrivateKey(createPrivateKey(readFileSync(file('secrets', 'tls', 'minio.key')))),
    ).toBe(true);
  });

  test('nothing is issued again before it is due', async () => {
    // GIVEN
    await issue();
    const before = ['ca', 'kes-server', 'minio'].map((name) => certificate(name).fingerprint256);

    // WHEN
    await issue(after(59));

    // THEN
    expect(['ca', 'kes-server', 'minio'].map((name) => certificate(name).fingerprint256)).toEqual(before);
    expect(note()).toMatchObject({ generation: 1 });
  });

  test('a renewal comes with a third of the life left, and keeps the key and so the KES identity', async () => {
    // GIVEN
    await issue();
    const old = readFileSync(file('tls', 'minio.crt'), 'utf8');
    const ca = certificate('ca').fingerprint256;

    // WHEN
    await issue(after(61));

    // THEN
    const renewed = readFileSync(file('tls', 'minio.crt'), 'utf8');
    expect(renewed).not.toBe(old);
    expect(kesIdentity(renewed)).toBe(kesIdentity(old));
    expect(certificate('ca').fingerprint256).toBe(ca);
    expect(note()).toMatchObject({ generation: 2, renewAfter: expect.stringMatching(/^2027-03-/) as unknown });
  });

  test('what somebody removed is made again, as the plan expected; a client without its key gets another identity', async () => {
    // GIVEN
    await issue();
    const old = readFileSync(file('tls', 'minio.crt'), 'utf8');
    const server = certificate('kes-server').fingerprint256;
    rmSync(file('tls', 'minio.crt'));
    rmSync(file('secrets', 'tls', 'minio.key'));

    // WHEN
    await issue();

    // THEN
    expect(kesIdentity(readFileSync(file('tls', 'minio.crt'), 'utf8'))).not.toBe(kesIdentity(old));
    expect(certificate('kes-server').fingerprint256).toBe(server);
    expect(note()).toMatchObject({ generation: 2 });

    await issue();
    expect(note()).toMatchObject({ generation: 2 });
  });

  test('another name is a reason to issue again, for that certificate alone', async () => {
    // GIVEN
    await issue();
    const client = certificate('minio').fingerprint256;

    // WHEN
    await issue(NOW, ['kes', 'localhost', 'kes.example.org']);

    // THEN
    expect(certificate('kes-server').subjectAltName).toContain('DNS:kes.example.org');
    expect(certificate('minio').fingerprint256).toBe(client);
  });

  test('a rotation issues what is older than its beginning, once: servers get other keys, clients keep their identity', async () => {
    // GIVEN
    await issue();
    const server = readFileSync(file('tls', 'kes-server.crt'), 'utf8');
    const client = readFileSync(file('tls', 'minio.crt'), 'utf8');

    // WHEN
    await issue(after(1), undefined, after(1));

    // THEN
    const rotated = ['kes-server', 'minio'].map((name) => readFileSync(file('tls', `${name}.crt`), 'utf8'));
    expect(rotated).not.toContain(server);
    expect(rotated).not.toContain(client);
    expect(kesIdentity(rotated[0] ?? '')).not.toBe(kesIdentity(server));
    expect(kesIdentity(rotated[1] ?? '')).toBe(kesIdentity(client));
    expect(note()).toMatchObject({ generation: 1, renewAfter: expect.stringMatching(/^2027-01-2/) as unknown });

    await issue(after(2), undefined, after(1));
    expect(['kes-server', 'minio'].map((name) => readFileSync(file('tls', `${name}.crt`), 'utf8'))).toEqual(rotated);
  });

  test('a certificate that does not fit its key, as a killed rotation leaves it, is issued again', async () => {
    // GIVEN
    await issue();
    copyFileSync(file('secrets', 'tls', 'minio.key'), file('secrets', 'tls', 'kes-server.key'));

    // WHEN
    await issue();

    // THEN
    const key = createPrivateKey(readFileSync(file('secrets', 'tls', 'kes-server.key')));
    expect(certificate('kes-server').checkPrivateKey(key)).toBe(true);
  });

  test('the next identity of a client lies beside its present one, and stays when it is asked for again', async () => {
    // GIVEN
    await issue();
    const present = readFileSync(file('tls', 'minio.crt'), 'utf8');

    // WHEN
    await issueNextIdentities(input(), ['minio'], NOW);
    const next = kesIdentity(readFileSync(file('tls', 'minio.next.crt'), 'utf8'));
    await issueNextIdentities(input(), ['minio'], NOW);

    // THEN
    expect(readFileSync(file('tls', 'minio.crt'), 'utf8')).toBe(present);
    expect(next).not.toBe(kesIdentity(present));
    expect(kesIdentity(readFileSync(file('tls', 'minio.next.crt'), 'utf8'))).toBe(next);
    expect(statSync(file('secrets', 'tls', 'minio.next.key')).mode & 0o777).toBe(0o600);
  });

  test('another CA is trusted beside the first, issues when it is told to, and is then the only one', async () => {
    const cas = () =>
      pemCertificates(readFileSync(file('tls', 'ca.crt'), 'utf8')).map((pem) => new X509Certificate(pem));
    const [issuer = fail()] = await issue().then(cas);
    const identity = kesIdentity(readFileSync(file('tls', 'minio.crt'), 'utf8'));

    // begun twice, as after an interruption
    await issueNextCa(input(), NOW);
    await issueNextCa(input(), NOW);
    await issue();
    const [next = fail(), old = fail(), ...more] = cas();
    expect(more).toEqual([]);
    expect(old.fingerprint256).toBe(issuer.fingerprint256);
    expect(next.subject).toBe('CN=encrypted-backup-storage unit CA 2026-11-22');
    expect(certificate('minio').verify(old.publicKey)).toBe(true);

    useNextCa(input());
    useNextCa(input());
    await issue();
    expect(cas()).toHaveLength(2);
    for (const name of ['minio', 'kes-server']) expect(certificate(name).verify(next.publicKey)).toBe(true);
    expect(kesIdentity(readFileSync(file('tls', 'minio.crt'), 'utf8'))).toBe(identity);

    await forgetOtherCas(input(), NOW);
    expect(cas().map(({ fingerprint256 }) => fingerprint256)).toEqual([next.fingerprint256]);
    expect(existsSync(file('secrets', 'tls', 'ca.next.key'))).toBe(false);
  });

  test('a CA without its key is not replaced', async () => {
    // GIVEN
    await issue();
    rmSync(file('secrets', 'tls', 'ca.key'));

    // WHEN
    const refusal = await rejectionOf(issue());

    // THEN
    expect(refusal.message).toBe(`the key of the private CA is gone: ${file('secrets', 'tls', 'ca.key')}`);
  });
});

function fail(): never {
  throw new Error('there is no such certificate');
}
