/** The access keys of clients of the S3 API, a file for each client in the secrets folder. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { environmentName } from '../../../config/names';
import { ExternalError } from '../../lib/errors';
import { parsedJson } from '../../lib/text/json';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { Secret, secretText } from '../../lib/secret';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What MinIO takes (minio/minio, internal/auth/credentials.go). */
const KEY_LENGTHS = { least: 3, most: 20 } as const;
const SECRET_LENGTHS = { least: 8, most: 40 } as const;

const accessKey = z.strictObject({
  accessKey: z
    .string()
    .regex(/^[0-9A-Za-z]+$/)
    .min(KEY_LENGTHS.least)
    .max(KEY_LENGTHS.most),
  secretKey: z.string().min(SECRET_LENGTHS.least).max(SECRET_LENGTHS.most).pipe(secretText),
  /** Absent: it does not end. */
  expires: z.iso.datetime().optional(),
});
/** An access key with its secret. */
export type AccessKey = z.infer<typeof accessKey>;

const accessKeys = z.strictObject({
  current: accessKey,
  /** The one before, which works until it ends or is ended. */
  previous: accessKey.optional(),
});
export type AccessKeys = z.infer<typeof accessKeys>;

/** A new random key. Hexadecimal, so that no configuration file or command line has to quote it. */
export function newAccessKey(expireDays: number | undefined, now = new Date()): AccessKey {
  return {
    accessKey: randomBytes(KEY_LENGTHS.most / 2).toString('hex'),
    secretKey: new Secret(randomBytes(SECRET_LENGTHS.most / 2).toString('hex')),
    ...(expireDays === undefined ? {} : { expires: inDays(expireDays, now) }),
  };
}

/** MinIO knows whole seconds. */
export function inDays(days: number, now = new Date()): string {
  return new Date(Math.floor((now.getTime() + days * DAY_MS) / 1000) * 1000).toISOString();
}

/** Whether MinIO lets it in no more. */
export function hasEnded({ expires }: AccessKey, now = new Date()): boolean {
  return expires !== undefined && new Date(expires) <= now;
}

/** @param file see `clientFile` */
export function writeAccessKeys(file: string, { current, previous }: AccessKeys): void {
  const written = (key: AccessKey) => ({ ...key, secretKey: key.secretKey.reveal() });
  const content = { current: written(current), ...(previous === undefined ? {} : { previous: written(previous) }) };
  writeFileAtomically(file, `${JSON.stringify(content)}\n`);
}

/**
 * The access keys in a file; undefined if there is none.
 *
 * @throws ExternalError if it is not whole; it never repeats the content
 */
export function readAccessKeys(file: string): AccessKeys | undefined {
  const text = readIfExists(file);
  if (text === undefined) return undefined;
  const problem = problemOf(text);
  if (problem === undefined) return accessKeys.parse(JSON.parse(text));
  throw new ExternalError(`${file}: ${problem}`, FIX);
}

const FIX = 'put the file back from a backup, or remove it: the next deploy then makes another key';

/**
 * Everything that is wrong with the files of clients.
 *
 * @returns for each file its name and what is wrong, without what it holds
 */
export function accessKeyProblems(folder: string): string[] {
  return clientFiles(folder).flatMap((file) => {
    const problem = problemOf(readIfExists(file) ?? '');
    return problem === undefined ? [] : [`${file}: ${problem}`];
  });
}

/** @throws ExternalError that names every file that is not whole */
export function requireWholeAccessKeys(folder: string): void {
  const problems = accessKeyProblems(folder);
  if (problems.length > 0) throw new ExternalError(problems.join('\n  '), FIX);
}

function problemOf(text: string): string | undefined {
  const content = parsedJson(text);
  if (content === undefined) return 'is no JSON';
  const { error } = accessKeys.safeParse(content);
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return undefined;
  const where = issue.path.join('.');
  if (where.endsWith('secretKey')) {
    return `${where} must have ${SECRET_LENGTHS.least} to ${SECRET_LENGTHS.most} characters`;
  }
  if (where.endsWith('accessKey')) {
    return `${where} must be ${KEY_LENGTHS.least} to ${KEY_LENGTHS.most} characters of 0-9, A-Z and a-z`;
  }
  return 'does not hold {current: {accessKey, secretKey}, previous}';
}

/** The clients that have a file. */
export function clientsWithKeys(folder: string): string[] {
  return clientFiles(folder).map((file) => path.basename(file, '.json'));
}

function clientFiles(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => name.endsWith('.json') && environmentName.test(name.slice(0, -'.json'.length)))
    .sort()
    .map((name) => path.join(folder, name));
}
