/**
 * A backup as a file: a tar archive, encrypted with age, so that `age` and `tar` open it wherever this project is not at
 * hand. What may be in it, see entries.ts.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { environmentName, kesName } from '../../../config/names';
import type { Canaries } from '../../state/notes/canaries';
import { MOST_ENTRIES } from './entries';

/** Raised when a program that reads a bundle would have to change. */
export const BUNDLE_FORMAT = 2;
/** Before there were signatures: taken by the SHA-256 of its file alone. */
export const UNSIGNED_FORMAT = 1;

/** Ids, versions and image references: shown on terminals, so nothing that steers one. */
const word = z.string().regex(/^[\x21-\x7e]{1,300}$/);
const words = z.string().regex(/^[\x20-\x7e]{1,300}$/);

export const bundleHeader = z.strictObject({
  format: z.literal([UNSIGNED_FORMAT, BUNDLE_FORMAT]),
  environment: z.string().refine(environmentName.test, { error: environmentName.rule }),
  /** Of the deployment, as `deployment.json` has it. */
  deployment: word,
  createdAt: z.iso.datetime(),
  /** MinIO's own id of the data that the keys open: `id` of `.minio.sys/format.json`. */
  minioDeployment: word,
  /** Where the master keys came from. */
  keyStore: word,
  masterKeys: z.array(z.string().refine(kesName.test, { error: kesName.rule })).max(MOST_ENTRIES),
  /** Settings of MinIO that no export holds, each as a person would look for it. */
  notSaved: z.array(words).max(MOST_ENTRIES).default([]),
  /** Version of this project, and of every program that it had deployed. */
  versions: z.record(word, word),
});
export type BundleHeader = z.infer<typeof bundleHeader>;

export const manifest = z.strictObject({
  /** For whom it was made, so that one recipient cannot pass it on to another as if it were. Absent in format 1. */
  recipients: z.array(z.string()).max(MOST_ENTRIES).optional(),
  entries: z
    .array(z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
    .max(MOST_ENTRIES),
});
export type Manifest = z.infer<typeof manifest>;

/** A bundle that was opened and found whole. Nothing of it was written anywhere. */
export interface Bundle {
  readonly header: BundleHeader;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
  /** Who has signed it, proven. Absent: its SHA-256 was asked for, and no signer. */
  readonly signer?: string;
  /** The text of the environment file. */
  readonly environmentFile: string;
  /** Each opens its canary. */
  readonly masterKeys: ReadonlyMap<string, Buffer>;
  readonly canaries: Canaries;
  /** Files of the state folder, by their paths in it. */
  readonly stateFiles: ReadonlyMap<string, Buffer>;
  /** What MinIO has exported, and imports again. */
  readonly iam: Buffer;
  readonly buckets: Buffer;
  /** Undefined in a backup of an early version. */
  readonly settings: string | undefined;
}

/** As entries are written. */
export function json(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

/** Hex. */
export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
