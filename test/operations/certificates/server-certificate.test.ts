import 'reflect-metadata';
import { ExtendedKeyUsage, KeyUsageFlags } from '@peculiar/x509';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import {
  type CertificateTexts,
  judgeCertificates,
  type Requirements,
} from '../../../operations/certificates/server-certificate';
import { Authority, type CertificateRequest, type Issued } from '../../helpers/pki';

const DAY_MS = 24 * 60 * 60 * 1000;
const HOST = 's3.example.org';
const NOW = new Date();
const inMinutes = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);
/** As certificates and messages have it: whole seconds. */
const iso = (date: Date) => new Date(Math.floor(date.getTime() / 1000) * 1000).toISOString();

let root: Authority;
let middle: Authority;
let good: Issued;

beforeAll(async () => {
  root = await Authority.root('Root');
  middle = await root.intermediate('Middle');
  good = await middle.issue({ names: [HOST, '192.0.2.7'] });
});

function texts({ certificate, privateKey }: { certificate: string; privateKey: string }, prefix = 'tls') {
  const folder = prefix === 'tls' ? '/pki' : '/pki/more';
  return {
    certificate: { property: `${prefix}.certificate`, file: `${folder}/s3.crt`, text: certificate },
    privateKey: { property: `${prefix}.privateKey`, file: `${folder}/s3.key`, text: privateKey },
  };
}

function judge(certificates: readonly CertificateTexts[], changes: Partial<Requirements> = {}) {
  return judgeCertificates(certificates, {
    names: [HOST],
    reserved: ['minio'],
    roots: [new X509Certificate(root.certificate)],
    rootsAre: 'a root of tls.ca (/pki/root.crt)',
    now: NOW,
    ...changes,
  });
}

/** The problems of one certificate with the chain that belongs to it. */
async function problemsOf(
  request: CertificateRequest,
  changes: Partial<Requirements> = {},
): Promise<readonly string[]> {
  const issued = await middle.issue({ names: [HOST], ...request });
  return judge([texts({ ...issued, certificate: issued.certificate + middle.certificate })], changes).problems;
}

const chainOf = (...pems: string[]) => ({ certificate: pems.join(''), privateKey: good.privateKey });

describe('a certificate that fits', () => {
  test('is delivered with its chain and its key alone, as MinIO reads them', () => {
    const certificate = `subject=CN=${HOST}\n\n${good.certificate}\r\nissuer=CN=Middle\n${middle.certificate}\n\n\n`;
    const { certificates, problems } = judge([texts({ certificate, privateKey: `\n${good.privateKey}\n\n` })]);
    expect(problems).toEqual([]);
    expect(certificates).toMatchObject([{ names: [HOST, '192.0.2.7'], privateKey: good.privateKey }]);
    const [{ chain } = { chain: '' }] = certificates;
    expect(chain.split(/(?<=-----END CERTIFICATE-----\n)/).map((pem) => new X509Certificate(pem).subject)).toEqual([
      `CN=${HOST}`,
      'CN=Middle',
    ]);
  });

  test('may have the root at its end', () => {
    expect(judge([texts(chainOf(good.certificate, middle.certificate, root.certificate))]).problems).toEqual([]);
  });

  test('may be for a wildcard that covers the name', async () => {
    expect(await problemsOf({ names: ['*.example.org'] })).toEqual([]);
    expect(await problemsOf({ names: ['*.example.org'] }, { names: ['*.example.org', 'other.example.org'] })).toEqual(
      [],
    );
  });

  test('may be for every use', async () => {
    expect(await problemsOf({ purposes: ['2.5.29.37.0'] })).toEqual([]);
  });

  test.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
  ])('may have a key of the kind %s', async (_, make) => {
    expect(await problemsOf({ key: make().privateKey })).toEqual([]);
  });

  test.each<[string, (issued: Issued) => string]>([
    ['SEC 1', ({ key }) => key.export({ type: 'sec1', format: 'pem' }).toString()],
    [
      'SEC 1 after the parameters of the curve, as openssl ecparam writes it',
      ({ key }) =>
        `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${key.export({ type: 'sec1', format: 'pem' }).toString()}`,
    ],
  ])('may have its key as %s, which is delivered as PKCS#8', (_, write) => {
    const { certificates } = judge([
      texts({ ...chainOf(good.certificate, middle.certificate), privateKey: write(good) }),
    ]);
    expect(certificates).toMatchObject([{ privateKey: good.privateKey }]);
  });

  test('may have its RSA key as PKCS#1', async () => {
    const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const issued = await middle.issue({ names: [HOST], key });
    const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
    const { certificates } = judge([texts({ ...chainOf(issued.certificate, middle.certificate), privateKey: pkcs1 })]);
    expect(certificates).toMatchObject([{ privateKey: issued.privateKey }]);
  });
});

describe('what the certificate says', () => {
  const where = 'tls.certificate (/pki/s3.crt)';

  test.each<[string, CertificateRequest, string]>([
    [
      'other names',
      { names: ['s3.example.com', '*.s3.example.org', '192.0.2.7'] },
      `${where}: must cover s3.example.org, by which clients reach the S3 API, got: s3.example.com, *.s3.example.org, 192.0.2.7. Have one issued with it, or correct minio.hostnames and minio.domain`,
    ],
    [
      'being a CA, as openssl req -x509 makes it',
      { ca: true, usages: KeyUsageFlags.digitalSignature, purposes: [ExtendedKeyUsage.serverAuth] },
      `${where}: must not be a CA certificate, because its key could then issue others, got: CA:TRUE. With openssl req -x509, add: -addext basicConstraints=critical,CA:FALSE`,
    ],
    [
      'a key usage that only RSA key exchange had',
      { usages: KeyUsageFlags.keyEncipherment },
      `${where}: must allow the key usage digitalSignature, which every TLS 1.3 handshake needs, got: keyEncipherment. Have it reissued, for servers`,
    ],
    [
      'being for clients',
      { purposes: [ExtendedKeyUsage.clientAuth] },
      `${where}: must allow the extended key usage serverAuth, got: 1.3.6.1.5.5.7.3.2. Have it reissued, for servers`,
    ],
    [
      'having expired',
      { notAfter: inMinutes(-1) },
      `${where}: must be valid now, got: expired on ${iso(inMinutes(-1))}. Put the renewed one there`,
    ],
    [
      'expiring during the deploy',
      { notAfter: inMinutes(59) },
      `${where}: must be valid for an hour more, so that it does not expire during the deploy, got: it expires on ${iso(inMinutes(59))}. Put the renewed one there`,
    ],
    [
      'not being valid yet',
      { notBefore: inMinutes(5) },
      `${where}: must be valid now, got: valid from ${iso(inMinutes(5))} on. Wait, or set the clock`,
    ],
    [
      'the name of the inside certificate',
      { names: [HOST, 'minio'] },
      `${where}: must not cover minio, the name of the inside certificate, got: it. Have it issued without that name`,
    ],
  ])('%s is refused', async (_, request, problem) => {
    expect(await problemsOf(request)).toEqual([problem]);
  });

  test('no name at all is refused', async () => {
    expect(await problemsOf({ names: [] })).toEqual([
      `${where}: must have a subject alternative name, because no client looks at the common name, got: none. Have it reissued`,
      `${where}: must cover s3.example.org, by which clients reach the S3 API, got: none. Have one issued with it, or correct minio.hostnames and minio.domain`,
    ]);
  });

  test('an address that clients use must be in it', async () => {
    expect(await problemsOf({ names: ['192.0.2.7'] }, { names: ['192.0.2.7'] })).toEqual([]);
    expect(await problemsOf({ names: ['192.0.2.7'] }, { names: ['127.0.0.1'] })).toEqual([
      `${where}: must cover 127.0.0.1, by which clients reach the S3 API, got: 192.0.2.7. Have one issued with it, or correct minio.hostnames and minio.domain`,
    ]);
  });
});

describe('the chain', () => {
  const where = 'tls.certificate (/pki/s3.crt)';

  test('must be there', () => {
    expect(judge([texts(good)]).problems).toEqual([
      `${where}: must lead to a root of tls.ca (/pki/root.crt), got: an end at CN=s3.example.org, issued by CN=Middle. Append the certificate of that issuer; if it is a root of your own, name its file in tls.ca`,
    ]);
  });

  test('must lead to a root that clients trust', async () => {
    const other = await Authority.root('Other');
    const issued = await other.issue({ names: [HOST] });
    expect(judge([texts({ ...issued, certificate: issued.certificate + other.certificate })]).problems).toEqual([
      `${where}: must lead to a root of tls.ca (/pki/root.crt), got: the root CN=Other. Name its file in tls.ca if that is who clients trust`,
    ]);
  });

  test('a root of the same name is not enough', async () => {
    const impostor = await Authority.root('Root');
    const { problems } = judge([texts(chainOf(good.certificate, middle.certificate))], {
      roots: [new X509Certificate(impostor.certificate)],
    });
    expect(problems).toEqual([
      `${where}: must lead to a root of tls.ca (/pki/root.crt), got: an end at CN=Middle, issued by CN=Root. Append the certificate of that issuer; if it is a root of your own, name its file in tls.ca`,
    ]);
  });

  test('must be in order', async () => {
    const lower = await middle.intermediate('Lower');
    const issued = await lower.issue({ names: [HOST] });
    const certificate = issued.certificate + middle.certificate + lower.certificate;
    expect(judge([texts({ ...issued, certificate })]).problems).toEqual([
      `${where}: must list each certificate before the one that issued it, got: them in another order. Put them so: CN=s3.example.org, CN=Lower, CN=Middle`,
    ]);
  });

  test('must hold nothing that does not belong to it', async () => {
    const other = await root.intermediate('Other');
    expect(judge([texts(chainOf(good.certificate, other.certificate))]).problems).toEqual([
      `${where}: must list each certificate before the one that issued it, got: number 2 (CN=Other) did not issue number 1 (CN=s3.example.org), which CN=Middle did. Put that one there`,
    ]);
  });

  test('must begin with the server’s own certificate', () => {
    const { problems } = judge([texts(chainOf(middle.certificate, good.certificate))]);
    expect(problems).toContain(
      'tls.privateKey (/pki/s3.key): must be the key of the first certificate in /pki/s3.crt, got: the key of number 2 there. Put that certificate first',
    );
  });

  test('must have been issued by certificates that may issue', async () => {
    const fake = await root.intermediate('Fake', { ca: false, usages: KeyUsageFlags.digitalSignature });
    const issued = await fake.issue({ names: [HOST] });
    expect(judge([texts({ ...issued, certificate: issued.certificate + fake.certificate })]).problems).toContain(
      `${where}: certificate 2 (CN=Fake): must be one that may issue others, got: no CA certificate. Remove it, or put the right intermediate certificate there`,
    );
  });

  test('must be valid as a whole', async () => {
    const notAfter = inMinutes(-60);
    const old = await root.intermediate('Old', { notBefore: new Date(NOW.getTime() - DAY_MS), notAfter });
    const issued = await old.issue({ names: [HOST] });
    expect(judge([texts({ ...issued, certificate: issued.certificate + old.certificate })]).problems).toEqual([
      `${where}: certificate 2 (CN=Old): must be valid now, got: expired on ${iso(notAfter)}. Put the renewed one there`,
    ]);
  });
});

describe('the files', () => {
  const passphrase = 'a passphrase';
  const encrypted = (type: 'pkcs8' | 'sec1') => () =>
    good.key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
  const decrypt =
    'got: an encrypted key. Decrypt it with: openssl pkey -in /pki/s3.key -out KEY, and protect that by its mode (0600)';
  const key = 'tls.privateKey (/pki/s3.key): must';
  const kind = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;

  test.each<[string, () => string, string]>([
    [
      'DER',
      () => '\x30\x82\x01',
      `${key} hold one private key in PEM and nothing else, got: no PEM block. Keep the key in a file of its own`,
    ],
    [
      'an encrypted PKCS#8 key',
      encrypted('pkcs8'),
      `${key} hold one private key in PEM without a passphrase, because no one can type it, ${decrypt}`,
    ],
    [
      'an encrypted SEC 1 key',
      encrypted('sec1'),
      `${key} hold one private key in PEM without a passphrase, because no one can type it, ${decrypt}`,
    ],
    [
      'a certificate',
      () => good.certificate,
      `${key} hold one private key in PEM, got: a CERTIFICATE block that cannot be read. Write PKCS#8, PKCS#1 or SEC 1, such as \`openssl pkey\` does`,
    ],
    [
      'a key with its certificate',
      () => good.privateKey + good.certificate,
      `${key} hold one private key in PEM and nothing else, got: PRIVATE KEY, CERTIFICATE. Keep the key in a file of its own`,
    ],
    [
      'an SSH key',
      () => '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
      `${key} hold one private key in PEM, got: a OPENSSH PRIVATE KEY block that cannot be read. Write PKCS#8, PKCS#1 or SEC 1, such as \`openssl pkey\` does`,
    ],
    [
      'a short RSA key',
      () => kind(1024).export({ type: 'pkcs8', format: 'pem' }).toString(),
      `${key} be at least RSA with 2048 bits, got: RSA, 1024 bits. Make another key`,
    ],
    [
      'a key that Go cannot read',
      () =>
        generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString(),
      `${key} be RSA, EC (P-256, P-384 or P-521) or Ed25519, which MinIO can serve with, got: EC secp256k1. Make another key`,
    ],
    [
      'the key of another certificate',
      () =>
        generateKeyPairSync('ec', { namedCurve: 'P-256' })
          .privateKey.export({ type: 'pkcs8', format: 'pem' })
          .toString(),
      `${key} be the key of the first certificate in /pki/s3.crt, got: the key of another certificate. Name the two that belong together`,
    ],
  ])('%s as the key is refused', (_, privateKey, problem) => {
    const { certificates, problems } = judge([
      texts({ certificate: good.certificate + middle.certificate, privateKey: privateKey() }),
    ]);
    expect(problems).toEqual([problem]);
    expect(certificates).toEqual([]);
  });

  const certificate = 'tls.certificate (/pki/s3.crt): must hold certificates in PEM';
  test.each<[string, () => string, string | RegExp]>([
    [
      'DER',
      () => '\x30\x82',
      `${certificate}, got: no PEM block. Convert DER with: openssl x509 -inform der -in FILE -out FILE.pem`,
    ],
    [
      'a key beside them',
      () => good.certificate + good.privateKey,
      `${certificate} and nothing else, got: a PRIVATE KEY block. Keep it in a file of its own`,
    ],
    [
      'a broken block',
      () => `${good.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      /^tls\.certificate \(\/pki\/s3\.crt\): must hold certificates in PEM, got: block 2 cannot be read \(.+\)\. Export it again$/,
    ],
  ])('%s as the certificate is refused', (_, text, problem) => {
    const { problems } = judge([texts({ certificate: text(), privateKey: good.privateKey })]);
    expect(problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  });

  test('no message repeats a key, not even one that cannot be read', () => {
    const secret = createPrivateKey(good.privateKey).export({ format: 'jwk' }).d ?? '';
    const broken = good.privateKey.replace('MIG', 'XIG');
    const { problems } = judge([texts({ certificate: good.certificate + middle.certificate, privateKey: broken })]);
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain(secret.slice(0, 12));
    expect(problems.join()).not.toContain(broken.split('\n')[1]);
  });
});

describe('several certificates', () => {
  const more = async (names: readonly string[]) => {
    const issued = await root.issue({ names });
    return texts(issued, 'tls.additional[0]');
  };
  const first = () => texts(chainOf(good.certificate, middle.certificate));

  test('cover the names together', async () => {
    const { certificates, problems } = judge([first(), await more(['backup.example.org'])], {
      names: [HOST, 'backup.example.org'],
    });
    expect(problems).toEqual([]);
    expect(certificates.map(({ names }) => names)).toEqual([[HOST, '192.0.2.7'], ['backup.example.org']]);
  });

  test('a name that none covers is refused', async () => {
    const { problems } = judge([first(), await more(['backup.example.org'])], { names: ['other.example.org'] });
    expect(problems).toEqual([
      'tls.certificate (/pki/s3.crt), tls.additional[0].certificate (/pki/more/s3.crt): must cover other.example.org, by which clients reach the S3 API, got: s3.example.org, 192.0.2.7, backup.example.org. Have one issued with it, or correct minio.hostnames and minio.domain',
    ]);
  });

  test.each([HOST, '*.example.org'])('two for one host are refused: %s', async (name) => {
    expect(judge([first(), await more([name])]).problems).toEqual([
      `tls.additional[0].certificate (/pki/more/s3.crt): must not share a name with tls.certificate (/pki/s3.crt), because MinIO would show either by chance, got: ${name}. Name one certificate for each host`,
    ]);
  });

  test('addresses in any but the first are refused, which MinIO would leave out', async () => {
    expect(judge([first(), await more(['backup.example.org', '192.0.2.8'])]).problems).toEqual([
      'tls.additional[0].certificate (/pki/more/s3.crt): must not cover addresses, which MinIO allows its default certificate alone, got: 192.0.2.8. Have it issued without addresses, or make it tls.certificate',
    ]);
  });

  test('the problems of all of them are reported at once', async () => {
    const broken = texts({ certificate: '', privateKey: '' }, 'tls.additional[0]');
    const expired = await middle.issue({ names: [HOST], notAfter: inMinutes(-5) });
    const { problems } = judge([texts({ ...expired, certificate: expired.certificate + middle.certificate }), broken]);
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'tls.certificate (/pki/s3.crt)',
      'tls.additional[0].certificate (/pki/more/s3.crt)',
      'tls.additional[0].privateKey (/pki/more/s3.key)',
    ]);
  });
});
