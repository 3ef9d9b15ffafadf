/** What was written long ago. */
import { GetObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import { EARLIER_OBJECTS_BUCKET } from '../../../config/deployment-names';
import { type EarlierObject, readEarlierObjects } from '../../minio/objects/earlier-objects';
import { messageOf } from '../../lib/errors';
import { bytesOf } from '../../minio/s3-client';
import type { LoadedEnvironment } from '../../state/load';
import { Rotation } from '../../state/rotation';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { keyName } from './modes';
import { sha256 } from './objects';

const earlierObjectsOpen: FullCheck = {
  from: 'deployment',
  id: 'earlier-objects-open',
  title: 'Objects that an earlier deploy left still open',
  proves:
    'Each object that a deploy wrote under each master key, also one no longer declared, is still there. It says the ' +
    'same encryption and returns the bytes of which the SHA-256 was kept outside of MinIO.',
  doesNotProve: 'That every object of the users opens: damage of a drive may hit any of them.',
  severity: 'critical',
  skipReason: (_, state) =>
    existsSync(state.earlierObjects)
      ? undefined
      : `no deploy has left objects yet (there is no ${state.earlierObjects}); the next one does`,
  run: async ({ loaded, s3 }) => {
    const objects = readEarlierObjects(loaded.state.earlierObjects);
    const problems: string[] = [];
    for (const object of objects) {
      const problem = await problemOf(s3, object);
      if (problem !== undefined) problems.push(`${object.key}, written on ${object.writtenAt}, ${problem}`);
    }
    const evidence: Evidence = {
      bucket: EARLIER_OBJECTS_BUCKET,
      objects: objects.length,
      masterKeys: [...new Set(objects.map(({ masterKey }) => masterKey))],
      oldest: objects.map(({ writtenAt }) => writtenAt).sort()[0] ?? null,
    };
    if (problems.length > 0) {
      throw new CheckFailure(problems.join('; '), fixOf(loaded), evidence);
    }
    return evidence;
  },
};

type Fixable = Pick<LoadedEnvironment, 'argument'> & {
  readonly state: Pick<LoadedEnvironment['state'], 'earlierObjects' | 'rotation' | 'rotationsLog'>;
};

/** A rotation that was interrupted has MinIO seal data keys by the new master key before it notes that. */
export function fixOf({ argument, state }: Fixable): string {
  const unfinished = Rotation.unfinished(state);
  if (unfinished?.startsWith('master-key ') === true) {
    return `end the rotation that was interrupted: ./scripts/rotate ${unfinished} ${argument}`;
  }
  return (
    'restore data and master keys from the same backup; if these objects were given up on purpose, remove ' +
    `${state.earlierObjects}, and the next deploy leaves new ones`
  );
}

/** In the order in which they are reported. */
export const earlierChecks: readonly FullCheck[] = [earlierObjectsOpen];

async function problemOf(s3: S3Client, object: EarlierObject): Promise<string | undefined> {
  const { encryption, masterKey } = object;
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: EARLIER_OBJECTS_BUCKET, Key: object.key }));
    const read = sha256(await bytesOf(answer));
    if (read !== object.sha256) return `returns other bytes: SHA-256 ${read}, expected ${object.sha256}`;
    const said = answer.ServerSideEncryption;
    if (said !== encryption) return `says encryption ${said ?? 'none'}, expected ${encryption}`;
    const key = keyName(answer.SSEKMSKeyId);
    if (encryption === 'aws:kms' && key !== masterKey) return `says master key ${key ?? 'none'}, expected ${masterKey}`;
    return undefined;
  } catch (error) {
    if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode === 503) throw error;
    if (error.name === 'NoSuchKey' || error.name === 'NoSuchBucket') return `is gone: ${error.name}`;
    return `does not open: ${error.$metadata.httpStatusCode ?? 0} ${error.name}: ${messageOf(error)}`;
  }
}
