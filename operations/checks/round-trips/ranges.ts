/** Parts of encrypted objects. */
import { everyCase } from '../objects/cases';
import { CheckFailure, type OutsideCheck } from '../check';
import { sseC, sseKmsDefault, SSE_S3 } from '../objects/modes';
import { DATA_CHANGED, get, type Place, requireSameBytes } from '../objects/objects';
import { KIB, MIB, PART, write, type Written } from './samples';

/** Size of a DARE package, MinIO's unit of encryption (minio/sio): a range that crosses it needs two of them. */
const DARE_PACKAGE = 64 * KIB;

const RANGES = {
  small: ['bytes=0-0', 'bytes=5000-5999'],
  '1 MiB': [
    // across one border of packages, exactly one package, over several, and the end
    `bytes=${DARE_PACKAGE - 10}-${DARE_PACKAGE + 9}`,
    `bytes=${DARE_PACKAGE}-${2 * DARE_PACKAGE - 1}`,
    `bytes=1000-${3 * DARE_PACKAGE}`,
    `bytes=${MIB - 1}-`,
    'bytes=-700',
  ],
  // across the border of the parts, the whole second part, and its end
  multipart: [`bytes=${PART - 100}-${PART + 99}`, `bytes=${PART}-`, 'bytes=-700'],
} as const;

export const rangeRead: OutsideCheck = {
  from: 'outside',
  id: 'range-read',
  title: 'Range reads of encrypted objects return exactly the range',
  proves:
    'Ranges inside, across and at the end of the packages in which MinIO encrypts are the bytes that were written. So are ' +
    'those across the parts of a multipart object, under SSE-S3, SSE-KMS and SSE-C.',
  doesNotProve: 'Ranges of compressed objects.',
  severity: 'medium',
  run: async (context) =>
    everyCase(
      [SSE_S3, sseKmsDefault(context.expected), sseC()].flatMap((mode) =>
        (['small', '1 MiB', 'multipart'] as const).map((sample) => ({
          name: `${mode.name}, ${sample}`,
          run: async () => {
            const written = await write(context, `range-read/${mode.name}/${sample}`, mode, sample);
            for (const range of RANGES[sample]) await requireRange(context, written, range);
            return { objectBytes: written.body.length, ranges: RANGES[sample] };
          },
        })),
      ),
    ),
};

/** Reads a range and compares it with the same range of what was written. */
async function requireRange(place: Place, { key, mode, body: whole }: Written, range: string): Promise<void> {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const first = from === '' ? whole.length - Number(to) : Number(from);
  const last = from === '' || to === '' ? whole.length - 1 : Number(to);
  const { output, body } = await get(place, key, { Range: range, ...mode.access });
  const expected = `bytes ${first}-${last}/${whole.length}`;
  if (output.$metadata.httpStatusCode !== 206 || output.ContentRange !== expected) {
    throw new CheckFailure(
      `the GET of ${range} answered ${output.$metadata.httpStatusCode ?? 0} with the range ` +
        `${output.ContentRange ?? 'none'}, expected 206 with ${expected}`,
      DATA_CHANGED,
    );
  }
  requireSameBytes(`the GET of ${range}`, body, whole.subarray(first, last + 1));
}
