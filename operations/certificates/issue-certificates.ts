/**
 * The private CA and the certificates that it issues: EC P-256, made with @peculiar/x509.
 */

import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { randomUUID, webcrypto } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { nextIdentity } from '../../config/certificates/leaf-certificates';
import type { LeafCertificate, OperationInput } from '../../config/operation-inputs';
import { stateLayout } from '../../config/state/layout';
import { issuingCertificate } from './certificate-authority';
import { ExternalError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { isDue, noteRenewal } from './renewal';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 60 * 60 * 1000;
const CA_VALIDITY_DAYS = 3650;
/** Certificates begin a little in the past, for machines whose clock is behind. */
const CLOCK_SKEW_MS = 5 * 60 * 1000;

x509.cryptoProvider.set(webcrypto);

interface Identity {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

/**
 * Makes what is missing, renews what is due, leaves the rest as it is.
 *
 * @param now for tests
 * @param since also issues anew what is older, servers with new keys; a client's key is its identity at KES and stays
 */
export async function issueCertificates(
  input: OperationInput<'issue-certificates'>,
  now = new Date(),
  since = new Date(0),
): Promise<void> {
  markDeployment(input);
  const filesOf = ({ name }: LeafCertificate): [string, string] => [
    path.join(input.certificateFolder, `${name}.crt`),
    path.join(input.privateKeyFolder, `${name}.key`),
  ];
  const expected = isDue(input.renewalNote, now, input.leaves.flatMap(filesOf));
  const ca = await loadOrCreateCa(input, now);
  const renewAfter: Date[] = [];
  for (const leaf of input.leaves) {
    const [certificateFile, keyFile] = filesOf(leaf);
    const existing = readIfExists(certificateFile);
    const certificate = existing === undefined ? undefined : new x509.X509Certificate(existing);
    const present = await loadKeys(keyFile);
    const rotated = certificate !== undefined && issuedAt(certificate) < since;
    const reason = rotated ? 'rotated' : await reasonToIssue(certificate, leaf, ca.certificate, present, now);
    if (certificate !== undefined && reason === undefined) {
      renewAfter.push(dueDate(certificate));
      continue;
    }
    const keys = present === undefined || (rotated && leaf.usage === 'server') ? await createKeys(keyFile) : present;
    const issued = await issueLeaf(leaf, ca, keys, input.validityDays, now);
    writeFileAtomically(certificateFile, `${issued.toString('pem')}\n`, 0o644);
    renewAfter.push(dueDate(issued));
    process.stderr.write(`issued the certificate ${leaf.name} (${reason ?? 'missing'})\n`);
  }
  const next = new Date(Math.min(...renewAfter.map((date) => date.getTime())));
  noteRenewal(input.renewalNote, next, now, {}, expected);
}

/** Makes another key and certificate for clients, beside those that they have. What is there already stays. */
export async function issueNextIdentities(
  input: OperationInput<'issue-certificates'>,
  clients: readonly string[],
  now = new Date(),
): Promise<void> {
  const ca = await loadOrCreateCa(input, now);
  for (const leaf of input.leaves.filter(({ name }) => clients.includes(name))) {
    const file = nextIdentity(leaf.name);
    const keyFile = path.join(input.privateKeyFolder, `${file}.key`);
    const keys = (await loadKeys(keyFile)) ?? (await createKeys(keyFile));
    const issued = await issueLeaf(leaf, ca, keys, input.validityDays, now);
    writeFileAtomically(path.join(input.certificateFolder, `${file}.crt`), `${issued.toString('pem')}\n`, 0o644);
  }
}

/** Makes another CA, which is trusted beside the present one and issues nothing yet. What is there already stays. */
export async function issueNextCa(input: OperationInput<'issue-certificates'>, now = new Date()): Promise<void> {
  const { certificate: present } = await loadOrCreateCa(input, now);
  const file = nextIdentity(CA);
  const keyFile = path.join(input.privateKeyFolder, `${file}.key`);
  const keys = (await loadKeys(keyFile)) ?? (await createKeys(keyFile));
  const certificateFile = path.join(input.certificateFolder, `${CA}.crt`);
  if (issuingCertificate(readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8')) !== undefined) return;
  const next = await issueCa(`CN=encrypted-backup-storage ${input.environment} CA ${dateOf(now)}`, keys, now);
  writeFileAtomically(certificateFile, `${next.toString('pem')}\n${present.toString('pem')}\n`, 0o644);
}

/** Has the next CA issue from now on; both stay trusted. Certificates follow when they are issued anew. */
export function useNextCa({ privateKeyFolder }: OperationInput<'issue-certificates'>): void {
  const next = path.join(privateKeyFolder, `${nextIdentity(CA)}.key`);
  if (existsSync(next)) renameSync(next, path.join(privateKeyFolder, `${CA}.key`));
}

/** Leaves the CA that issues as the only one that is trusted. */
export async function forgetOtherCas(input: OperationInput<'issue-certificates'>, now = new Date()): Promise<void> {
  const { certificate } = await loadOrCreateCa(input, now);
  writeFileAtomically(path.join(input.certificateFolder, `${CA}.crt`), `${certificate.toString('pem')}\n`, 0o644);
}

const CA = 'ca';

function dateOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}

function issuedAt({ notBefore }: x509.X509Certificate): Date {
  return new Date(notBefore.getTime() + CLOCK_SKEW_MS);
}

/** When two thirds of a certificate's life are over. */
export function dueDate({ notBefore, notAfter }: Pick<x509.X509Certificate, 'notBefore' | 'notAfter'>): Date {
  return new Date(notAfter.getTime() - (notAfter.getTime() - notBefore.getTime()) / 3);
}

/** The first thing that a deploy makes: a marker and its copy, by which lost secrets are noticed, see operations/state/intact-state.ts. */
function markDeployment(input: OperationInput<'issue-certificates'>): void {
  const state = stateLayout(input.environment, path.dirname(input.certificateFolder));
  const existing = readIfExists(state.secret.deployment) ?? readIfExists(state.deployment);
  const marker = existing ?? `${JSON.stringify({ id: randomUUID(), environment: input.environment })}\n`;
  writeFileAtomically(state.secret.deployment, marker);
  writeFileAtomically(state.deployment, marker, 0o644);
}

async function loadOrCreateCa(input: OperationInput<'issue-certificates'>, now: Date): Promise<Identity> {
  const certificateFile = path.join(input.certificateFolder, 'ca.crt');
  const keyFile = path.join(input.privateKeyFolder, 'ca.key');
  const existing = readIfExists(certificateFile);
  if (existing !== undefined) {
    const keys = await loadKeys(keyFile);
    if (keys === undefined) {
      throw new ExternalError(`the key of the private CA is gone: ${keyFile}`, 'put the secrets folder back');
    }
    const issuing = issuingCertificate(existing, readFileSync(keyFile, 'utf8'));
    if (issuing === undefined) {
      throw new ExternalError(
        `${keyFile} is the key of no certificate in ${certificateFile}`,
        'put both back together',
      );
    }
    const certificate = new x509.X509Certificate(issuing);
    if (certificate.notAfter <= now) {
      throw new ExternalError(
        `the certificate of the private CA expired on ${certificate.notAfter.toISOString()}: ${certificateFile}`,
        'a new CA must reach every client; remove both files to have one made, then give clients the new ca.crt',
      );
    }
    return { certificate, keys };
  }
  const keys = (await loadKeys(keyFile)) ?? (await createKeys(keyFile));
  const certificate = await issueCa(`CN=encrypted-backup-storage ${input.environment} CA`, keys, now);
  writeFileAtomically(certificateFile, `${certificate.toString('pem')}\n`, 0o644);
  process.stderr.write('made the private CA\n');
  return { certificate, keys };
}

async function issueCa(name: string, keys: CryptoKeyPair, now: Date): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.createSelfSigned({
    name,
    serialNumber: serialNumber(),
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + CA_VALIDITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

async function issueLeaf(
  leaf: LeafCertificate,
  ca: Identity,
  keys: CryptoKeyPair,
  validityDays: number,
  now: Date,
): Promise<x509.X509Certificate> {
  const names = [
    ...leaf.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...leaf.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const end = Math.min(now.getTime() + validityDays * DAY_MS, ca.certificate.notAfter.getTime());
  return x509.X509CertificateGenerator.create({
    subject: `CN=${leaf.name}`,
    issuer: ca.certificate.subject,
    serialNumber: serialNumber(),
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(end),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: ca.keys.privateKey,
    extensions: [
      // KES takes a certificate that may be a CA for no client at all (minio/kes v0.24.0, auth.go)
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        leaf.usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(ca.certificate),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
}

/** Why a certificate must be issued anew, or undefined if it may stay. */
async function reasonToIssue(
  certificate: x509.X509Certificate | undefined,
  leaf: LeafCertificate,
  ca: x509.X509Certificate,
  keys: CryptoKeyPair | undefined,
  now: Date,
): Promise<string | undefined> {
  if (certificate === undefined) return 'missing';
  if (keys === undefined) return 'its key is missing';
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  if (!spki.equals(Buffer.from(certificate.publicKey.rawData))) return 'its key is another';
  if (now >= dueDate(certificate)) return 'two thirds of its life are over';
  if (!(await certificate.verify({ publicKey: ca.publicKey, signatureOnly: true }))) return 'another CA issued it';
  const wanted = [...leaf.dnsNames, ...leaf.ipAddresses].sort().join(',');
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const has = names
    .map(({ value }) => value)
    .sort()
    .join(',');
  return wanted === has ? undefined : 'its names changed';
}

async function createKeys(file: string): Promise<CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  writeFileAtomically(file, `${x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag)}\n`);
  return keys;
}

async function loadKeys(file: string): Promise<CryptoKeyPair | undefined> {
  const pem = readIfExists(file);
  if (pem === undefined) return undefined;
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new ExternalError(`${file} holds no private key`);
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicJwk = Object.fromEntries(Object.entries({ kty, crv, x, y }).filter(([, value]) => value !== undefined));
  const publicKey = await webcrypto.subtle.importKey('jwk', publicJwk, ALGORITHM, true, ['verify']);
  return { privateKey, publicKey };
}

/** 128 random bits; positive, as RFC 5280 wants it. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 0x01;
  return Buffer.from(bytes).toString('hex');
}
