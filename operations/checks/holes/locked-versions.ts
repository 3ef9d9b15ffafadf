/** What a writer could do to versions under retention. */
import {
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { signedForm } from '../../minio/objects/post-form';
import type { RawRequest } from '../../minio/objects/raw-s3';
import { CheckFailure, type Evidence, type OutsideCheck } from '../check';
import { answered, get, newPlace, type Place, refusalOf, requireSameBytes } from '../objects/objects';
import { CONTENT, newWriter, rawS3, serverTime, someVersion } from './requests';
import { tryHoles } from './try-holes';

/** What a killed run leaves can be deleted by the next one. */
const RETENTION_SECONDS = 60;
/** Of the COMPLIANCE that a writer must not be able to set. */
const STRICT_SECONDS = 3;
const HOLD_OFF = { 'x-amz-object-lock-legal-hold': 'OFF' };

export const lockedVersionsSurvive: OutsideCheck = {
  from: 'outside',
  triesHoles: true,
  id: 'locked-versions-survive',
  title: 'A writer cannot touch a version under retention, or write one without it',
  proves:
    'A writer cannot name the version of an object, pass for replication or replace a retention. Neither a legal hold nor a ' +
    'form leaves out the default retention of a bucket. Then a version under retention is there, with its bytes and its ' +
    'date, and cannot be deleted.',
  doesNotProve:
    'Anything against a client that may bypass GOVERNANCE, or a program that reaches the drive. The versions of the check ' +
    `are in buckets of its own, under GOVERNANCE for ${RETENTION_SECONDS} s. A server keeps what is under the default ` +
    'retention for a day, unless the check may bypass GOVERNANCE.',
  severity: 'critical',
  run: async (context) => {
    const { raw, own } = await rawS3(context);
    const place = await newPlace(context, 'a bucket with object lock', { objectLock: 'as-asked' });
    const retained = await newPlace(context, 'a bucket with a default retention', { objectLock: 'retained' });
    const begun = performance.now();
    const writer = await newWriter(raw, [place.bucket, retained.bucket]);
    const later = (seconds: number, now = writer.now): Date => new Date(now.getTime() + seconds * 1000);
    const until = later(RETENTION_SECONDS);
    const locked = await lock(place, 'locked', until);
    const governed = await lock(place, 'governed', until);
    const put = (at: Place, key: string, more: Partial<RawRequest> = {}): RawRequest => ({
      ...{ method: 'PUT', path: `/${at.bucket}/${key}`, body: CONTENT, as: writer.credentials },
      ...more,
    });
    const form = (bucket: string): RawRequest => ({
      ...{ method: 'POST', path: `/${bucket}`, signature: 'none' },
      ...signedForm({ credentials: own, bucket, key: 'form', region: context.region }),
    });
    const named = someVersion();
    const explicit = {
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': inSeconds(until),
    };
    return tryHoles(
      context,
      [
        {
          row: 'version-on-write',
          finding: 'a writer names the version that they write',
          control: async () => raw.send(put(place, 'locked')),
          attempt: async () => raw.send(put(place, 'locked', { query: { versionId: named } })),
          hasEffect: async ({ headers }) => Promise.resolve(headers['x-amz-version-id'] === named),
        },
        {
          row: 'replica-claim',
          finding: 'a client passes for replication',
          control: async () => raw.send(put(place, 'replica')),
          // MinIO refuses it from a client without the right to replicate; a client that may do everything has it
          attempt: async () =>
            raw.send(put(place, 'replica', { as: own, headers: { 'x-amz-replication-status': 'REPLICA' } })),
          hasEffect: async () => (await status(place, 'replica')).ReplicationStatus === 'REPLICA',
        },
        {
          row: 'retention-bypass',
          finding: 'a writer replaces a retention without a right to it',
          control: async () =>
            raw.send({ ...retention(governed, 'GOVERNANCE', later(RETENTION_SECONDS / 2)), as: own }),
          // from the clock of a moment ago: a date that is over is refused as such, by 400
          attempt: async (allowed) => {
            const strict = later(STRICT_SECONDS, serverTime(allowed));
            return raw.send({ ...retention(governed, 'COMPLIANCE', strict), as: writer.credentials });
          },
          refusals: [403],
          hasEffect: async () => {
            // then it cannot be deleted for so long
            await setTimeout((STRICT_SECONDS + 1) * 1000);
            return true;
          },
        },
        {
          row: 'legal-hold-alone',
          finding: 'a legal hold leaves out the default retention of a bucket',
          control: async () => raw.send(put(retained, 'held', { as: own, headers: { ...HOLD_OFF, ...explicit } })),
          attempt: async () => raw.send(put(retained, 'held', { headers: HOLD_OFF })),
          hasEffect: async () => (await status(retained, 'held')).ObjectLockMode === undefined,
        },
        {
          row: 'form-upload',
          finding: 'a form leaves out the default retention of a bucket',
          control: async () => raw.send(form(context.bucket)),
          attempt: async () => raw.send(form(retained.bucket)),
          hasEffect: async () => (await status(retained, 'form')).ObjectLockMode === undefined,
        },
      ],
      async () => stillLocked(place, locked, until, begun),
    );
  },
};

interface Version {
  readonly Bucket: string;
  readonly Key: string;
  readonly VersionId: string;
}

async function lock({ s3, bucket: Bucket, expected }: Place, Key: string, until: Date): Promise<Version> {
  const locking = { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: until } as const;
  const request = s3.send(new PutObjectCommand({ Bucket, Key, Body: CONTENT, ...locking }));
  const { VersionId = '' } = await answered(expected, 'writing a version under retention', request);
  return { Bucket, Key, VersionId };
}

async function status({ s3, bucket: Bucket, expected }: Place, Key: string) {
  return answered(expected, 'a HEAD', s3.send(new HeadObjectCommand({ Bucket, Key })));
}

function retention({ Bucket, Key, VersionId }: Version, mode: 'GOVERNANCE' | 'COMPLIANCE', until: Date): RawRequest {
  const date = `<RetainUntilDate>${inSeconds(until)}</RetainUntilDate>`;
  const body = `<Retention><Mode>${mode}</Mode>${date}</Retention>`;
  return {
    method: 'PUT',
    path: `/${Bucket}/${Key}`,
    query: { retention: '', versionId: VersionId },
    headers: {
      'content-md5': createHash('md5').update(body).digest('base64'),
      'x-amz-bypass-governance-retention': 'true',
    },
    body,
  };
}

/** @param begun before the server said what time it is, as `performance.now()` has it */
async function stillLocked(place: Place, version: Version, until: Date, begun: number): Promise<Evidence> {
  const { s3, expected } = place;
  const deletion = await refusalOf(
    'a DELETE of a version under retention',
    s3.send(new DeleteObjectCommand(version)),
    [400, 403],
    'see whether object lock works at all: `mc retention info --default ALIAS/BUCKET`',
  ).catch((error: unknown) => {
    // the server says whole seconds
    const mayHaveEnded = performance.now() - begun > (RETENTION_SECONDS - 1) * 1000;
    if (!(error instanceof CheckFailure) || !mayHaveEnded) throw error;
    throw new Error('nothing is known: the retention may have ended before its version was deleted', { cause: error });
  });
  const { body } = await get(place, version.Key, { VersionId: version.VersionId });
  requireSameBytes('a version under retention', body, Buffer.from(CONTENT));
  const reading = s3.send(new GetObjectRetentionCommand(version));
  const { Retention } = await answered(expected, 'reading a retention', reading);
  const now = Retention?.RetainUntilDate === undefined ? 'none' : inSeconds(Retention.RetainUntilDate);
  if (now !== inSeconds(until)) {
    throw new CheckFailure(`the retention of a version is until ${now}, and was until ${inSeconds(until)}`);
  }
  return { deletion, retainedUntil: now };
}

/** As S3 writes it here: it keeps no fractions. */
function inSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}/, '');
}
