import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { UsageError } from '../../../operations/lib/errors';
import { importCertificates } from '../../../operations/certificates/import-certificates';
import { importTrustedCAs } from '../../../operations/certificates/import-trusted-cas';
import { Authority } from '../../helpers/pki';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = new Date();
const folder = useTemporaryFolder();
const at = (...parts: string[]) => path.join(folder(), ...parts);
const write = (name: string, text: string) => {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
  return at(name);
};

describe('import-certificates', () => {
  const input = (names: readonly string[] = ['s3.example.org']) => ({
    certificates: [
      {
        from: { certificate: at('s3.crt'), privateKey: at('s3.key') },
        to: { certificate: at('tls', 's3.crt'), privateKey: at('secrets', 'tls', 's3.key') },
      },
    ],
    names: [...names],
    ca: at('root.crt'),
    trustedCAs: [],
    renewalNote: at('tls', 's3-renewal.json'),
  });

  test('copies what fits: the certificate for everybody, the key for its owner alone', async () => {
    // GIVEN
    const root = await Authority.root('Root');
    const notAfter = new Date(NOW.getTime() + 30 * DAY_MS);
    const issued = await root.issue({ names: ['s3.example.org'], notAfter });
    write('s3.crt', issued.certificate);
    write('s3.key', issued.privateKey);
    write('root.crt', root.certificate);

    // WHEN
    await importCertificates(input());

    // THEN
    expect(readFileSync(at('tls', 's3.crt'), 'utf8')).toBe(issued.certificate);
    expect(readFileSync(at('secrets', 'tls', 's3.key'), 'utf8')).toBe(issued.privateKey);
    expect(statSync(at('secrets', 'tls', 's3.key')).mode & 0o777).toBe(0o600);
    // an hour before it expires the plan makes it run again, and then it refuses
    const note = JSON.parse(readFileSync(at('tls', 's3-renewal.json'), 'utf8')) as { renewAfter: string };
    expect(Date.parse(note.renewAfter)).toBeGreaterThan(notAfter.getTime() - 61 * 60_000);
    expect(Date.parse(note.renewAfter)).toBeLessThanOrEqual(notAfter.getTime() - 60 * 60_000);
    const refusal = await rejectionOf(Promise.resolve().then(() => importCertificates(input(), notAfter)));
    expect(refusal).toBeInstanceOf(UsageError);
    expect(refusal.message).toContain('expired on');
  });

  test('writes nothing when something is wrong, and says all of it', async () => {
    const root = await Authority.root('Root');
    const issued = await root.issue({ names: ['s3.example.org'] });
    const other = await root.issue({ names: ['s3.example.org'] });
    write('s3.crt', issued.certificate);
    write('s3.key', other.privateKey);
    write('root.crt', root.certificate);
    const error = thrownBy(() => importCertificates(input(['other.example.org'])));
    expect(error.message).toBe(
      [
        'the certificates of the S3 API cannot be used:',
        `  tls.privateKey (${at('s3.key')}): must be the key of the first certificate in ${at('s3.crt')}, got: the key of another certificate. Name the two that belong together.`,
        `  tls.certificate (${at('s3.crt')}): must cover other.example.org, by which clients reach the S3 API, got: s3.example.org. Have one issued with it, or correct minio.hostnames and minio.domain.`,
        'nothing was changed',
      ].join('\n'),
    );
    expect(() => statSync(at('tls'))).toThrow('ENOENT');
  });

  test('names a file that is not there', () => {
    expect(thrownBy(() => importCertificates(input())).message).toBe(
      `tls.certificate (${at('s3.crt')}): must be a file that can be read, got: ENOENT`,
    );
  });

  test('an intermediate certificate alone is no root', async () => {
    const root = await Authority.root('Root');
    const middle = await root.intermediate('Middle');
    const issued = await middle.issue({ names: ['s3.example.org'] });
    write('s3.crt', issued.certificate);
    write('s3.key', issued.privateKey);
    write('root.crt', middle.certificate);
    expect(thrownBy(() => importCertificates(input())).message).toBe(
      `tls.ca (${at('root.crt')}): must hold a root certificate, which has issued itself, got: CN=Middle`,
    );
  });

  test('without a CA of one’s own the public ones and trustedCAs count', async () => {
    const root = await Authority.root('Root');
    const issued = await root.issue({ names: ['s3.example.org'] });
    write('s3.crt', issued.certificate);
    write('s3.key', issued.privateKey);
    const { ca: _, ...publicly } = input();
    expect(thrownBy(() => importCertificates(publicly)).message).toContain(
      'must lead to a publicly trusted root, got: an end at CN=s3.example.org, issued by CN=Root',
    );
    write('cas/root.pem', root.certificate);
    await importCertificates({ ...publicly, trustedCAs: [at('cas')] });
    expect(readFileSync(at('tls', 's3.crt'), 'utf8')).toBe(issued.certificate);
  });
});

describe('import-trusted-cas', () => {
  const importFrom = (...sources: string[]) =>
    importTrustedCAs({ sources, file: at('tls', 'trusted.crt'), publicTrustFile: at('tls', 'public.crt') });
  const pems = (name: string) => readFileSync(at('tls', name), 'utf8').match(/-----BEGIN CERTIFICATE-----/g) ?? [];

  test('puts files and folders into one file, and the public CAs beside them into another', async () => {
    const [one, two, three] = await Promise.all(['One', 'Two', 'Three'].map((name) => Authority.root(name)));
    write('one.crt', (one?.certificate ?? '') + (two?.certificate ?? ''));
    write('folder/three', three?.certificate ?? '');
    await importFrom(at('one.crt'), at('folder'));
    expect(readFileSync(at('tls', 'trusted.crt'), 'utf8')).toMatch(/# CN=One\n[^#]+# CN=Two\n[^#]+# CN=Three\n/);
    expect(pems('public.crt')).toHaveLength(3 + rootCertificates.length);
  });

  test('without any it leaves a file that is not empty and trusts nobody', async () => {
    await importFrom();
    expect(pems('trusted.crt')).toEqual([]);
    expect(readFileSync(at('tls', 'trusted.crt'), 'utf8')).toMatch(/^# CA certificates/);
  });

  test('refuses what is no valid CA certificate', async () => {
    const root = await Authority.root('Root');
    const old = await Authority.root('Old', { notAfter: new Date('2026-01-01T00:00:00Z') });
    const issued = await root.issue({ names: ['server'] });
    write('server.crt', issued.certificate);
    write('old.crt', old.certificate);
    write('ssh/key', 'no PEM');
    mkdirSync(at('empty'));
    const refusal = (...sources: string[]) => thrownBy(() => importFrom(...sources)).message;
    expect(refusal(at('server.crt'))).toBe(
      `trustedCAs[0] (${at('server.crt')}): CN=server: must be the certificate of a CA, got: CA:FALSE`,
    );
    expect(refusal(at('old.crt'))).toBe(
      `trustedCAs[0] (${at('old.crt')}): CN=Old: must be valid now, got: expired on 2026-01-01T00:00:00.000Z`,
    );
    expect(refusal(at('ssh'))).toBe(
      `trustedCAs[0] (${at('ssh/key')}): must hold certificates in PEM, got: no PEM block. Convert DER with: openssl x509 -inform der -in FILE -out FILE.pem`,
    );
    expect(refusal(at('empty'))).toBe(
      `trustedCAs[0] (${at('empty')}): must be a folder with certificates, got: an empty one`,
    );
    expect(refusal(at('none'))).toBe(
      `trustedCAs[0] (${at('none')}): must be a file or a folder that can be read, got: ENOENT`,
    );
  });
});
