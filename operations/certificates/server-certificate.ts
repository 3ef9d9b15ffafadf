/**
 * What certificates from elsewhere must fulfil before anything is deployed with them. Pure: text in, problems out.
 *
 * MinIO is strict where it says nothing: a key file with two PEM blocks stops it, and a certificate that it cannot load
 * beside the default one is skipped with a line in its log (minio/minio, internal/config/certs.go and
 * cmd/common-main.go). So what is delivered is written anew from what was understood here.
 */
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as Parsed,
} from '@peculiar/x509';
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { coversName, overlap } from '../../config/names';
import { messageOf } from '../lib/errors';

/** A setting of the environment file and the text of the file that it names. */
export interface NamedText {
  /** Such as `tls.certificate`. */
  readonly property: string;
  readonly file: string;
  readonly text: string;
}

/** A certificate with its chain, and its key. */
export interface CertificateTexts {
  readonly certificate: NamedText;
  readonly privateKey: NamedText;
}

export interface Requirements {
  /** DNS names and addresses that the certificates must cover together. */
  readonly names: readonly string[];
  /** Names of which only the private CA may issue certificates. */
  readonly reserved: readonly string[];
  /** Root certificates that must have issued them. */
  readonly roots: readonly X509Certificate[];
  /** What the roots are, to complete the sentence "… must lead to …". */
  readonly rootsAre: string;
  readonly now: Date;
}

/** A certificate as it is delivered. */
export interface ServerCertificate {
  /** Its own first, then those that issued it; PEM. */
  readonly chain: string;
  /** PKCS#8, PEM. */
  readonly privateKey: string;
  readonly names: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Verdict {
  /** In the order of what was asked about; those without a problem. */
  readonly certificates: readonly ServerCertificate[];
  /** One line each: which property and file, the rule, what was got, the fix. */
  readonly problems: readonly string[];
}

/** A certificate must live at least this much longer than the moment at which it is looked at: a deploy takes minutes. */
export const REMAINING_LIFE_MS = 60 * 60 * 1000;

const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
const MINIMUM_RSA_BITS = 2048;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USAGE = '2.5.29.37.0';

/** Judges the certificates of the S3 API; the first is the one that MinIO shows by default. */
export function judgeCertificates(texts: readonly CertificateTexts[], requirements: Requirements): Verdict {
  const judged = texts.map((text) => judgeOne(text, requirements));
  const problems = judged.flatMap((one) => one.problems);
  const readable = judged.flatMap(({ subject }) => (subject === undefined ? [] : [subject]));
  return {
    certificates: problems.length === 0 ? readable.map(({ certificate }) => certificate) : [],
    problems: [
      ...problems,
      // what cannot be read might cover them
      ...(readable.length === texts.length ? uncovered(readable, requirements.names) : []),
      ...ambiguous(readable),
      ...readable.flatMap((subject) => reservedNames(subject, requirements.reserved)),
      ...readable.slice(1).flatMap(additionalAddresses),
    ],
  };
}

interface Subject {
  readonly certificate: ServerCertificate;
  readonly where: string;
}

interface Judged {
  readonly subject?: Subject;
  readonly problems: readonly string[];
}

function judgeOne({ certificate, privateKey }: CertificateTexts, requirements: Requirements): Judged {
  const where = whereOf(certificate);
  const chain = readCertificates(certificate);
  const key = readPrivateKey(privateKey);
  if ('problem' in chain) return { problems: [chain.problem, ...('problem' in key ? [key.problem] : [])] };
  const [leaf, ...issuers] = chain.certificates;
  if (leaf === undefined) throw new Error('a certificate file without certificates has a problem');
  const subject: Subject = {
    where,
    certificate: {
      chain: chain.certificates.map(pemOf).join(''),
      privateKey: 'problem' in key ? '' : key.pem,
      names: namesOf(leaf),
      notBefore: new Date(leaf.validFrom),
      notAfter: new Date(leaf.validTo),
    },
  };
  const problems = [
    ...('problem' in key ? [key.problem] : mismatch(chain.certificates, key.key, certificate, privateKey)),
    ...leafProblems(leaf, where),
    ...chain.certificates.flatMap((one, index) => validityProblems(one, index, where, requirements.now)),
    ...issuers.flatMap((issuer, index) => issuerProblems(issuer, index + 1, where)),
    ...chainProblems(chain.certificates, where, requirements),
  ];
  return { subject, problems };
}

/** The CERTIFICATE blocks of a PEM text. */
export function readCertificates(
  source: NamedText,
): { readonly certificates: readonly X509Certificate[] } | { readonly problem: string } {
  const rule = `${whereOf(source)}: must hold certificates in PEM`;
  const blocks = pemBlocks(source.text);
  if (blocks.length === 0) {
    return { problem: `${rule}, got: no PEM block. Convert DER with: openssl x509 -inform der -in FILE -out FILE.pem` };
  }
  const other = blocks.find(({ label }) => label !== 'CERTIFICATE');
  if (other !== undefined) {
    return { problem: `${rule} and nothing else, got: a ${other.label} block. Keep it in a file of its own` };
  }
  const certificates: X509Certificate[] = [];
  for (const [index, { text }] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(text));
    } catch (error) {
      return { problem: `${rule}, got: block ${index + 1} cannot be read (${messageOf(error)}). Export it again` };
    }
  }
  return { certificates };
}

function readPrivateKey(
  source: NamedText,
): { readonly key: KeyObject; readonly pem: string } | { readonly problem: string } {
  const rule = `${whereOf(source)}: must hold one private key in PEM`;
  // `openssl ecparam` writes the name of the curve before the key
  const blocks = pemBlocks(source.text).filter(({ label }) => label !== 'EC PARAMETERS');
  const [block] = blocks;
  if (block === undefined || blocks.length > 1) {
    const got = blocks.map(({ label }) => label).join(', ') || 'no PEM block';
    return { problem: `${rule} and nothing else, got: ${got}. Keep the key in a file of its own` };
  }
  if (block.label === 'ENCRYPTED PRIVATE KEY' || block.text.includes('Proc-Type: 4,ENCRYPTED')) {
    const fix = `Decrypt it with: openssl pkey -in ${source.file} -out KEY, and protect that by its mode (0600)`;
    return { problem: `${rule} without a passphrase, because no one can type it, got: an encrypted key. ${fix}` };
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(block.text);
  } catch {
    // never the parser's own words: they could quote the file
    const fix = 'Write PKCS#8, PKCS#1 or SEC 1, such as `openssl pkey` does';
    return { problem: `${rule}, got: a ${block.label} block that cannot be read. ${fix}` };
  }
  const kind = keyKind(key);
  if (kind.problem !== undefined) {
    return { problem: `${whereOf(source)}: must be ${kind.problem}, got: ${kind.name}. Make another key` };
  }
  return { key, pem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** What Go's crypto/tls, and so MinIO, can serve with. */
function keyKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): { name: string; problem?: string } {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa') {
    const name = `RSA, ${modulusLength} bits`;
    return modulusLength >= MINIMUM_RSA_BITS
      ? { name }
      : { name, problem: `at least RSA with ${MINIMUM_RSA_BITS} bits` };
  }
  if (asymmetricKeyType === 'ec' && CURVES.includes(namedCurve)) return { name: namedCurve };
  if (asymmetricKeyType === 'ed25519') return { name: 'Ed25519' };
  const name = asymmetricKeyType === 'ec' ? `EC ${namedCurve}` : (asymmetricKeyType ?? 'unknown');
  return { name, problem: 'RSA, EC (P-256, P-384 or P-521) or Ed25519, which MinIO can serve with' };
}

function mismatch(
  chain: readonly X509Certificate[],
  key: KeyObject,
  certificate: NamedText,
  privateKey: NamedText,
): string[] {
  const index = chain.findIndex((one) => one.checkPrivateKey(key));
  if (index === 0) return [];
  const rule = `${whereOf(privateKey)}: must be the key of the first certificate in ${certificate.file}`;
  return index > 0
    ? [`${rule}, got: the key of number ${index + 1} there. Put that certificate first`]
    : [`${rule}, got: the key of another certificate. Name the two that belong together`];
}

function leafProblems(leaf: X509Certificate, where: string): string[] {
  const parsed = new Parsed(leaf.raw);
  const problems: string[] = [];
  const say = (rule: string, got: string, fix: string) => problems.push(`${where}: ${rule}, got: ${got}. ${fix}`);
  if (namesOf(leaf).length === 0) {
    say('must have a subject alternative name, because no client looks at the common name', 'none', 'Have it reissued');
  }
  // not leaf.ca, for which OpenSSL wants the key usage as well
  if (parsed.getExtension(BasicConstraintsExtension)?.ca === true) {
    say(
      'must not be a CA certificate, because its key could then issue others',
      'CA:TRUE',
      'With openssl req -x509, add: -addext basicConstraints=critical,CA:FALSE',
    );
  }
  const usages = parsed.getExtension(KeyUsagesExtension)?.usages;
  if (usages !== undefined && (usages & KeyUsageFlags.digitalSignature) === 0) {
    say('must allow the key usage digitalSignature, which every TLS 1.3 handshake needs', usageNames(usages), REISSUE);
  }
  const purposes = parsed.getExtension(ExtendedKeyUsageExtension)?.usages;
  if (purposes !== undefined && !purposes.some((usage) => usage === SERVER_AUTH || usage === ANY_USAGE)) {
    say('must allow the extended key usage serverAuth', purposes.join(', '), REISSUE);
  }
  return problems;
}

const REISSUE = 'Have it reissued, for servers';

function validityProblems(certificate: X509Certificate, index: number, where: string, now: Date): string[] {
  const which = index === 0 ? where : `${where}: certificate ${index + 1} (${nameOf(certificate)})`;
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (from > now) {
    return [`${which}: must be valid now, got: valid from ${from.toISOString()} on. Wait, or set the clock`];
  }
  if (to <= now) return [`${which}: must be valid now, got: expired on ${to.toISOString()}. Put the renewed one there`];
  if (to.getTime() < now.getTime() + REMAINING_LIFE_MS) {
    const rule = 'must be valid for an hour more, so that it does not expire during the deploy';
    return [`${which}: ${rule}, got: it expires on ${to.toISOString()}. Put the renewed one there`];
  }
  return [];
}

function issuerProblems(issuer: X509Certificate, index: number, where: string): string[] {
  const usages = new Parsed(issuer.raw).getExtension(KeyUsagesExtension)?.usages;
  const signs = usages === undefined || (usages & KeyUsageFlags.keyCertSign) !== 0;
  if (issuer.ca && signs) return [];
  const got = issuer.ca ? `key usage ${usageNames(usages ?? 0)}` : 'no CA certificate';
  return [
    `${where}: certificate ${index + 1} (${nameOf(issuer)}): must be one that may issue others, got: ${got}. Remove it, or put the right intermediate certificate there`,
  ];
}

/** Each certificate must have been issued by the one after it, and the last by a root. */
function chainProblems(chain: readonly X509Certificate[], where: string, { roots, rootsAre }: Requirements): string[] {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer === undefined || issued(issuer, certificate)) continue;
    const order = orderOf(chain);
    const rule = `${where}: must list each certificate before the one that issued it`;
    return order === undefined
      ? [
          `${rule}, got: number ${index + 2} (${nameOf(issuer)}) did not issue number ${index + 1} (${nameOf(certificate)}), which ${issuerOf(certificate)} did. Put that one there`,
        ]
      : [`${rule}, got: them in another order. Put them so: ${order.map(nameOf).join(', ')}`];
  }
  const last = chain.at(-1);
  if (last === undefined || roots.some((root) => isSame(root, last) || issued(root, last))) return [];
  const rule = `${where}: must lead to ${rootsAre}`;
  return issued(last, last)
    ? [`${rule}, got: the root ${nameOf(last)}. Name its file in tls.ca if that is who clients trust`]
    : [
        `${rule}, got: an end at ${nameOf(last)}, issued by ${issuerOf(last)}. Append the certificate of that issuer; if it is a root of your own, name its file in tls.ca`,
      ];
}

/** The order in which the certificates after the first make a chain, if there is one. */
function orderOf([leaf, ...rest]: readonly X509Certificate[]): X509Certificate[] | undefined {
  const order = leaf === undefined ? [] : [leaf];
  const left = [...rest];
  while (left.length > 0) {
    const last = order.at(-1);
    const next = left.findIndex((candidate) => last !== undefined && issued(candidate, last));
    if (next < 0) return undefined;
    order.push(...left.splice(next, 1));
  }
  return order;
}

function uncovered(subjects: readonly Subject[], names: readonly string[]): string[] {
  const have = subjects.flatMap(({ certificate }) => certificate.names);
  const missing = names.filter((name) => !have.some((candidate) => covers(candidate, name)));
  if (missing.length === 0) return [];
  const fix = 'Have one issued with it, or correct minio.hostnames and minio.domain';
  return missing.map(
    (name) =>
      `${subjects.map(({ where }) => where).join(', ')}: must cover ${name}, by which clients reach the S3 API, got: ${have.join(', ') || 'none'}. ${fix}`,
  );
}

/** MinIO shows whichever certificate it finds first, and its order is chance (minio/pkg, certs/manager.go). */
function ambiguous(subjects: readonly Subject[]): string[] {
  return subjects.flatMap(({ where, certificate }, index) =>
    subjects.slice(0, index).flatMap((earlier) => {
      const names = dnsNames(certificate);
      const twin = names.find((name) => dnsNames(earlier.certificate).some((other) => overlap(other, name)));
      if (twin === undefined) return [];
      const rule = `must not share a name with ${earlier.where}, because MinIO would show either by chance`;
      return [`${where}: ${rule}, got: ${twin}. Name one certificate for each host`];
    }),
  );
}

function reservedNames({ where, certificate }: Subject, reserved: readonly string[]): string[] {
  return dnsNames(certificate)
    .filter((name) => reserved.some((other) => coversName(name, other)))
    .map((name) => `${where}: must not cover ${name}, the name of the inside certificate, got: it. ${REISSUE_WITHOUT}`);
}

const REISSUE_WITHOUT = 'Have it issued without that name';

/** MinIO takes a certificate with addresses only as its default one, and leaves any other out. */
function additionalAddresses({ where, certificate }: Subject): string[] {
  const addresses = certificate.names.filter((name) => isIP(name) > 0);
  if (addresses.length === 0) return [];
  const fix = 'Have it issued without addresses, or make it tls.certificate';
  return [
    `${where}: must not cover addresses, which MinIO allows its default certificate alone, got: ${addresses.join(', ')}. ${fix}`,
  ];
}

/** DNS names and addresses of a certificate. */
export function namesOf({ subjectAltName }: X509Certificate): string[] {
  return [...(subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^\s,"]+)/g)].map(([, name = '']) => name);
}

function dnsNames({ names }: ServerCertificate): string[] {
  return names.filter((name) => isIP(name) === 0);
}

function covers(has: string, wanted: string): boolean {
  return isIP(wanted) > 0 ? has === wanted : coversName(has, wanted);
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isSame(one: X509Certificate, other: X509Certificate): boolean {
  return one.fingerprint256 === other.fingerprint256;
}

function whereOf({ property, file }: NamedText): string {
  return `${property} (${file})`;
}

/** The subject on one line. */
export function nameOf({ subject }: Pick<X509Certificate, 'subject'>): string {
  return oneLine(subject);
}

function issuerOf({ issuer }: X509Certificate): string {
  return oneLine(issuer);
}

/** Node has `undefined` for an empty name, whatever its types say. */
function oneLine(name: string | undefined): string {
  return name === undefined || name === '' ? 'without a name' : name.split('\n').join(', ');
}

function usageNames(usages: number): string {
  const names = Object.entries(KeyUsageFlags).filter(([, flag]) => typeof flag === 'number' && (usages & flag) !== 0);
  return names.map(([name]) => name).join(', ') || 'none';
}

interface PemBlock {
  readonly label: string;
  readonly text: string;
}

function pemBlocks(text: string): PemBlock[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g);
  return [...blocks].map(([block, label = '']) => ({ label, text: block }));
}

function pemOf(certificate: X509Certificate): string {
  return certificate.toString();
}
