import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { OperationInput } from '../../config/operation-inputs';
import { AcmeAuthority, newAccountKey } from './acme/authority';
import { responder } from './acme/responders';
import { ExternalError, UsageError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { requirementsOf } from './import-certificates';
import { dueDate } from './issue-certificates';
import { isDue, noteRenewal } from './renewal';
import { judgeCertificates, namesOf, readCertificates } from './server-certificate';
import { readNamedFile } from './trusted-roots';

type Input = OperationInput<'order-certificates'>;
type Wanted = Input['certificates'][number];

/** Which authority issued a certificate, by the certificate's file. */
const ledger = z.record(z.string(), z.string());

/**
 * Orders what is missing or due, leaves the rest as it is. Nothing is replaced unless its successor is there.
 *
 * @param now for tests
 * @throws ExternalError that says what the authority refused, and what stays in use
 */
export async function orderCertificates(input: Input, now = new Date()): Promise<void> {
  const made = input.certificates.flatMap(({ to }) => [to.certificate, to.privateKey]);
  const expected = isDue(input.renewalNote, now, made);
  const due = input.certificates.flatMap((wanted) => {
    const reason = reasonToOrder(input, wanted, now);
    return reason === undefined ? [] : [{ wanted, reason }];
  });
  if (due.length > 0) {
    try {
      await orderAll(input, due);
    } catch (error) {
      throw error instanceof ExternalError ? withWhatStays(error, due[0]?.wanted, now) : error;
    }
  }
  // what was just issued began after `now`
  requireTrusted(input, new Date(Math.max(now.getTime(), Date.now())));
  const dates = input.certificates.map(({ to }) => dueDateOf(to.certificate).getTime());
  noteRenewal(input.renewalNote, new Date(Math.min(...dates)), now, {}, expected);
}

/** Whether the authority will be asked for anything; then it must answer. */
export async function requireDirectoryIfDue(input: Input, now = new Date()): Promise<boolean> {
  if (input.certificates.every((wanted) => reasonToOrder(input, wanted, now) === undefined)) return false;
  // a key of no account is enough to look
  await new AcmeAuthority({ ...input, accountKey: await newAccountKey() }).requireDirectory();
  return true;
}

async function orderAll(input: Input, due: readonly { wanted: Wanted; reason: string }[]): Promise<void> {
  const externalAccountBinding = input.eab === undefined ? undefined : readBinding(input.eab);
  const authority = new AcmeAuthority({
    ...input,
    accountKey: await accountKey(input.accountKeyFile),
    externalAccountBinding,
  });
  const answering = await responder(input.challenge);
  try {
    for (const { wanted, reason } of due) {
      const { chain, privateKey } = await authority.order(wanted.domains, answering);
      // the key first: a chain without its key is noticed by the next run
      writeFileAtomically(wanted.to.privateKey, privateKey);
      writeFileAtomically(wanted.to.certificate, chain, 0o644);
      const orders = { ...readLedger(input.ledgerFile), [wanted.to.certificate]: input.directory };
      writeFileAtomically(input.ledgerFile, `${JSON.stringify(orders)}\n`, 0o644);
      process.stderr.write(`ordered a certificate for ${wanted.domains.join(', ')} (${reason})\n`);
    }
  } finally {
    await answering.close();
  }
}

/** Why a certificate must be ordered, or undefined if it may stay. */
function reasonToOrder({ directory, ledgerFile }: Input, { domains, to }: Wanted, now: Date): string | undefined {
  const [chain, key] = [readIfExists(to.certificate), readIfExists(to.privateKey)];
  if (chain === undefined) return 'missing';
  if (key === undefined) return 'its key is missing';
  const leaf = new X509Certificate(chain);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) return 'its key is another one';
  if (readLedger(ledgerFile)[to.certificate] !== directory) return 'another authority issued it';
  const has = namesOf(leaf).sort().join();
  if (
    has !==
    domains
      .map((name) => name.toLowerCase())
      .sort()
      .join()
  )
    return 'its names changed';
  return now >= dueDateOf(to.certificate) ? 'two thirds of its life are over' : undefined;
}

function dueDateOf(file: string): Date {
  const { validFrom, validTo } = new X509Certificate(readNamedFile('tls.domains', file).text);
  return dueDate({ notBefore: new Date(validFrom), notAfter: new Date(validTo) });
}

/** The key of the account outlives every certificate: with it the authority knows who renews. */
async function accountKey(file: string): Promise<string> {
  const existing = readIfExists(file);
  if (existing !== undefined) return existing;
  const key = await newAccountKey();
  writeFileAtomically(file, key);
  return key;
}

/** @throws UsageError if the file holds no key; it never repeats what it holds */
function readBinding({ keyId, hmacKeyFile }: NonNullable<Input['eab']>): { kid: string; hmacKey: string } {
  const hmacKey = readNamedFile('tls.eab.hmacKeyFile', hmacKeyFile).text.trim();
  if (/^[\w-]+=*$/.test(hmacKey)) return { kid: keyId, hmacKey };
  throw new UsageError(
    `tls.eab.hmacKeyFile (${hmacKeyFile}): must hold a key in base64url and nothing else`,
    'write the key into it as the authority gave it',
  );
}

/** What an authority issued may still be nothing that clients trust: the staging one of Let's Encrypt, for example. */
function requireTrusted(input: Input, now: Date): void {
  const texts = input.certificates.map(({ to }, index) => {
    const prefix = index === 0 ? 'tls' : `tls.additional[${index - 1}]`;
    return {
      certificate: readNamedFile(`${prefix}.domains`, to.certificate),
      privateKey: readNamedFile(`${prefix}.domains`, to.privateKey),
    };
  });
  const { problems } = judgeCertificates(texts, requirementsOf(input, now));
  if (problems.length === 0) return;
  throw new ExternalError(
    ['what the ACME authority issued cannot be used:', ...problems.map((text) => `  ${text}`)].join('\n'),
    'for a staging or a private authority name its root in tls.ca; it is not asked again',
  );
}

function withWhatStays(error: ExternalError, wanted: Wanted | undefined, now: Date): ExternalError {
  const text = wanted === undefined ? undefined : readIfExists(wanted.to.certificate);
  const read = text === undefined ? undefined : readCertificates({ property: 'tls', file: '', text });
  const end = read !== undefined && 'certificates' in read ? read.certificates[0]?.validTo : undefined;
  const stays =
    end === undefined || new Date(end) <= now
      ? 'nothing was changed'
      : `nothing was changed; the certificate in use is good until ${new Date(end).toISOString()}`;
  return new ExternalError(error.message, [error.hint, stays].filter((line) => line !== undefined).join('\n      '), {
    cause: error,
  });
}

function readLedger(file: string): Record<string, string> {
  const text = readIfExists(file);
  return text === undefined ? {} : ledger.parse(JSON.parse(text));
}
