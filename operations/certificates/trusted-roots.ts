/** Certificates of authorities: those that every system trusts, and those that an environment names. */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { messageOf, UsageError } from '../lib/errors';
import { type NamedText, nameOf, readCertificates } from './server-certificate';

/** Reads a file that a setting of the environment names. */
export function readNamedFile(property: string, file: string): NamedText {
  try {
    return { property, file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `${property} (${file}): must be a file that can be read, got: ${code ?? messageOf(error)}`,
      'correct the path or its permissions',
    );
  }
}

/**
 * The CA certificates of `trustedCAs`: each entry is a file, or a folder of which every file counts.
 *
 * @throws UsageError that names the first file of which something is not a valid CA certificate
 */
export function readTrustedCAs(sources: readonly string[], now = new Date()): X509Certificate[] {
  return sources.flatMap((source, index) => {
    const property = `trustedCAs[${index}]`;
    const files = caFilesOf(property, source);
    return files.flatMap((file) => readCaFile(property, file, now));
  });
}

/** The certificates of one file, each of which must be of a CA and valid. */
export function readCaFile(property: string, file: string, now = new Date()): X509Certificate[] {
  const read = readCertificates(readNamedFile(property, file));
  if ('problem' in read) throw new UsageError(read.problem);
  for (const certificate of read.certificates) {
    const where = `${property} (${file}): ${nameOf(certificate)}`;
    if (!certificate.ca) {
      throw new UsageError(`${where}: must be the certificate of a CA, got: CA:FALSE`, 'name the CA that issued it');
    }
    if (new Date(certificate.validTo) <= now) {
      throw new UsageError(
        `${where}: must be valid now, got: expired on ${new Date(certificate.validTo).toISOString()}`,
        'put the renewed one there, or remove it',
      );
    }
  }
  return [...read.certificates];
}

/**
 * The roots of `tls.ca`. Clients verify up to a root: an intermediate certificate alone is trusted by few of them.
 *
 * @throws UsageError if there is none
 */
export function readRoots(file: string, now = new Date()): X509Certificate[] {
  const certificates = readCaFile('tls.ca', file, now);
  const roots = certificates.filter((one) => one.checkIssued(one));
  if (roots.length > 0) return roots;
  throw new UsageError(
    `tls.ca (${file}): must hold a root certificate, which has issued itself, got: ${certificates.map(nameOf).join('; ')}`,
    'name the root; intermediate certificates belong into tls.certificate',
  );
}

/** The roots that Node, and so this deploy, trusts. */
export function publicRoots(): X509Certificate[] {
  return rootCertificates.map((pem) => new X509Certificate(pem));
}

/** Certificates as one PEM text, each below its name. */
export function pemBundle(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => `# ${nameOf(certificate)}\n${certificate.toString()}`).join('');
}

/**
 * The files of one entry of `trustedCAs`: itself, or those in the folder, and none in a folder of it.
 *
 * @throws UsageError if there is none
 */
export function caFilesOf(property: string, source: string): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(source).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      `${property} (${source}): must be a file or a folder that can be read, got: ${code ?? messageOf(error)}`,
      'correct the path or its permissions',
    );
  }
  if (!isFolder) return [source];
  const files = readdirSync(source, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => path.join(source, name))
    .sort();
  if (files.length === 0) {
    throw new UsageError(`${property} (${source}): must be a folder with certificates, got: an empty one`);
  }
  return files;
}
