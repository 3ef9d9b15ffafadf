/** Objects in a bucket that keeps every version. */
import { DeleteObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { everyCase } from '../objects/cases';
import { CheckFailure, type OutsideCheck } from '../check';
import { everyMode, requireClaim } from '../objects/modes';
import { answered, newPlace, put, refusalOf, requestGet } from '../objects/objects';
import { KIB, readBack } from './samples';

export const versionsOpen: OutsideCheck = {
  from: 'outside',
  id: 'versions',
  title: 'Every version of an object opens, each in its own mode of encryption',
  proves:
    'In a bucket with versioning, versions of one object in every mode are listed. Each is read back byte for byte, also ' +
    'after the object was deleted; without a version it is gone then.',
  doesNotProve: 'Object lock and retention.',
  severity: 'medium',
  run: async (context) => {
    const { s3, expected } = context;
    const place = await newPlace(context, 'a bucket with versioning', { versioning: true });
    const key = 'versions';
    const written = [];
    // one after the other: their order is what is listed
    for (const mode of everyMode(expected)) {
      const body = randomBytes(10 * KIB);
      const answer = await put(place, key, body, mode.headers);
      requireClaim('the answer to the PUT', answer, mode);
      written.push({ key, mode, body, VersionId: answer.VersionId });
    }
    const request = { Bucket: place.bucket, Key: key };
    await answered(expected, 'the deletion', s3.send(new DeleteObjectCommand(request)));
    const fix = 'see whether something between client and server removes versions, or changes versioning';
    const deleted = await refusalOf('a GET of a deleted object', requestGet(place, key), [404], fix);
    const listing = s3.send(new ListObjectVersionsCommand({ Bucket: place.bucket, Prefix: key }));
    const { Versions = [], DeleteMarkers = [] } = await answered(expected, 'listing the versions', listing);
    const listed = Versions.map(({ VersionId }) => VersionId).reverse();
    if (DeleteMarkers.length !== 1 || listed.join() !== written.map(({ VersionId }) => VersionId).join()) {
      throw new CheckFailure(
        `${Versions.length} versions and ${DeleteMarkers.length} delete markers are listed, expected the ` +
          `${written.length} versions that were written, the newest first, and 1 delete marker`,
        fix,
      );
    }
    const versions = await everyCase(
      written.map(({ VersionId, ...version }) => ({
        name: version.mode.name,
        run: () => readBack(place, version, { VersionId }),
      })),
    );
    return { versions, withoutVersion: deleted };
  },
};
