import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 60 * 60 * 1000;

x509.cryptoProvider.set(webcrypto);

/** A CA that lives as long as a test, and puts what it issues into a folder as PEM files. */
export class ThrowawayCa {
  /** Its certificate, for whoever shall trust it. */
  readonly file: string;
  private readonly folder: string;
  private readonly name: string;
  private readonly keys: webcrypto.CryptoKeyPair;

  private constructor(folder: string, name: string, keys: webcrypto.CryptoKeyPair) {
    this.folder = folder;
    this.name = name;
    this.keys = keys;
    this.file = path.join(folder, `${name}.crt`);
  }

  /** @param hours for which it is valid */
  static async create(folder: string, name: string, hours = 1): Promise<ThrowawayCa> {
    const ca = new ThrowawayCa(folder, name, await newKeys());
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...validity(hours),
      name: `CN=${name}`,
      keys: ca.keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    writeFileSync(ca.file, certificate.toString('pem'));
    return ca;
  }

  /** Issues a certificate for 127.0.0.1 or another address, good for both sides of a connection. */
  async issue(
    name: string,
    address = '127.0.0.1',
    domainNames: readonly string[] = [],
  ): Promise<{ readonly certificateFile: string; readonly privateKeyFile: string }> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(),
      subject: `CN=${name}`,
      issuer: `CN=${this.name}`,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'ip', value: address },
          ...domainNames.map((value) => ({ type: 'dns' as const, value })),
        ]),
      ],
    });
    const certificateFile = path.join(this.folder, `${name}.crt`);
    const privateKeyFile = path.join(this.folder, `${name}.key`);
    writeFileSync(certificateFile, certificate.toString('pem'));
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    writeFileSync(
      privateKeyFile,
      `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
    );
    return { certificateFile, privateKeyFile };
  }
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function validity(hours = 1) {
  return {
    serialNumber: `01${randomBytes(8).toString('hex')}`,
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + hours * HOUR_MS),
    signingAlgorithm: ALGORITHM,
  };
}
