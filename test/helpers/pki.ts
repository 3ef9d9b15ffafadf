import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import { isIP } from 'node:net';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 60 * 60 * 1000;

x509.cryptoProvider.set(webcrypto);

/** What a certificate says. */
export interface CertificateRequest {
  /** DNS names and addresses. @default - no subject alternative name */
  readonly names?: readonly string[];
  /** @default - a day ago */
  readonly notBefore?: Date;
  /** @default - in 90 days */
  readonly notAfter?: Date;
  /** @default false */
  readonly ca?: boolean;
  /** @default - digitalSignature, and for a CA keyCertSign */
  readonly usages?: x509.KeyUsageFlags;
  /** @default - serverAuth, and for a CA none */
  readonly purposes?: readonly string[];
  /** @default - a new P-256 key */
  readonly key?: KeyObject;
}

/** PEM of a certificate and its key. */
export interface Issued {
  readonly certificate: string;
  readonly privateKey: string;
  readonly key: KeyObject;
}

/** A CA of a test, in memory. */
export class Authority {
  /** Its own certificate, PEM. */
  readonly certificate: string;
  private readonly parsed: x509.X509Certificate;
  private readonly signingKey: webcrypto.CryptoKey;

  private constructor(parsed: x509.X509Certificate, signingKey: webcrypto.CryptoKey) {
    this.parsed = parsed;
    this.certificate = `${parsed.toString('pem')}\n`;
    this.signingKey = signingKey;
  }

  static async root(name: string, request: CertificateRequest = {}): Promise<Authority> {
    const { privateKey } = newKey();
    const signingKey = await importSigningKey(privateKey);
    return new Authority(await sign(name, name, { ca: true, ...request, key: privateKey }, signingKey), signingKey);
  }

  /** One that exists elsewhere, with an RSA key. */
  static async existing(certificate: string, privateKey: string): Promise<Authority> {
    return new Authority(
      new x509.X509Certificate(certificate),
      await importSigningKey(createPrivateKey(privateKey), RSA),
    );
  }

  async intermediate(name: string, request: CertificateRequest = {}): Promise<Authority> {
    const { privateKey } = newKey();
    const parsed = await sign(name, this.name, { ca: true, ...request, key: privateKey }, this.signingKey);
    return new Authority(parsed, await importSigningKey(privateKey));
  }

  async issue(request: CertificateRequest): Promise<Issued> {
    const key = request.key ?? newKey().privateKey;
    const parsed = await sign(request.names?.[0] ?? 'server', this.name, { ...request, key }, this.signingKey);
    return {
      certificate: `${parsed.toString('pem')}\n`,
      privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      key,
    };
  }

  private get name(): string {
    return this.parsed.subjectName.getField('CN')[0] ?? '';
  }
}

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

async function importSigningKey(
  key: KeyObject,
  algorithm: typeof ALGORITHM | typeof RSA = ALGORITHM,
): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign']);
}

async function sign(
  name: string,
  issuer: string,
  request: CertificateRequest & { readonly key: KeyObject },
  signingKey: webcrypto.CryptoKey,
): Promise<x509.X509Certificate> {
  const { ca = false, names = [], key } = request;
  const flags = x509.KeyUsageFlags;
  const purposes = request.purposes ?? (ca ? [] : [x509.ExtendedKeyUsage.serverAuth]);
  return x509.X509CertificateGenerator.create({
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    subject: `CN=${name}`,
    issuer: `CN=${issuer}`,
    notBefore: request.notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: request.notAfter ?? new Date(Date.now() + 90 * DAY_MS),
    publicKey: new x509.PublicKey(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    signingKey,
    signingAlgorithm: signingKey.algorithm.name === RSA.name ? RSA : ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      new x509.KeyUsagesExtension(request.usages ?? (ca ? flags.keyCertSign : flags.digitalSignature), true),
      ...(purposes.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
      ...(names.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
            ),
          ]),
    ],
  });
}
