/** What a listing says about encrypted objects: backup programs decide by it what they have to copy. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { everyCase } from '../objects/cases';
import { CheckFailure, type OutsideCheck } from '../check';
import { everyMode, type Mode, SSE_S3 } from '../objects/modes';
import { answered, head } from '../objects/objects';
import { etagOf, type Sample, write } from './samples';

const FIX =
  'if there is a proxy between client and server it must pass listings on unchanged; backup programs rely on them';

export const listing: OutsideCheck = {
  from: 'outside',
  id: 'listing',
  title: 'A listing shows the size of the plaintext, and the ETag of the object',
  proves:
    'For an object in each mode, and for a multipart one, ListObjectsV2 shows the size that was written, not that of the ' +
    'ciphertext. It shows the ETag that HEAD says, in the form that S3 clients expect.',
  doesNotProve: 'That an ETag is the MD5 of the object: S3 does not promise that for encrypted objects.',
  severity: 'medium',
  run: async (context) => {
    const { s3, bucket, expected } = context;
    const samples: readonly (readonly [Mode, Sample])[] = [
      ...everyMode(expected).map((mode) => [mode, 'small'] as const),
      [SSE_S3, 'multipart'],
    ];
    const objects = samples.map(([mode, sample]) => ({ mode, sample, name: `${mode.name}, ${sample}` }));
    const sizes = await everyCase(
      objects.map(({ name, mode, sample }) => ({
        name,
        run: async () => (await write(context, `listing/${name}`, mode, sample)).body.length,
      })),
    );
    const request = s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'listing/' }));
    const { Contents = [] } = await answered(expected, 'the listing', request);
    return everyCase(
      objects.map(({ name, mode, sample }) => ({
        name,
        run: async () => {
          const listed = Contents.find(({ Key }) => Key === `listing/${name}`);
          if (listed === undefined) throw new CheckFailure('the listing does not show the object', FIX);
          const [size, expectedSize] = [listed.Size ?? 0, sizes[name] ?? 0];
          if (size !== expectedSize) {
            throw new CheckFailure(`the listing shows ${size} bytes, expected ${expectedSize}`, FIX);
          }
          const etag = etagOf(listed);
          const form = sample === 'multipart' ? /^[0-9a-f]{32}-2$/ : /^[0-9a-f]{32}$/;
          const headed = etagOf(await head(context, `listing/${name}`, mode.access));
          if (!form.test(etag) || etag !== headed) {
            throw new CheckFailure(
              `the listing shows ETag ${etag}, HEAD says ${headed}, expected ${String(form)}`,
              FIX,
            );
          }
          return { size, etag };
        },
      })),
    );
  },
};
