/** What only servers send each other, in the hands of a writer. */
import { signedForm } from '../../minio/objects/post-form';
import type { RawRequest, RawS3 } from '../../minio/objects/raw-s3';
import type { OutsideCheck } from '../check';
import { customerKey } from '../objects/modes';
import { headersOfKey } from '../objects/presigned';
import { abortUpload, CONTENT, newWriter, rawS3 } from './requests';
import { type Hole, inShort, isSuccess, tryHoles } from './try-holes';

/** Of a second sealed key: the object has another one already (CVE-2026-34204). */
const SEALED_KEY = 'x-minio-replication-server-side-encryption-sealed-key';

export const internalHeadersRefused: OutsideCheck = {
  from: 'outside',
  triesHoles: true,
  id: 'internal-headers-refused',
  title: 'What servers send each other is refused from a writer, and makes no object unreadable',
  proves:
    'A writer cannot make an object unreadable by a header of replication, also as a query parameter or form field ' +
    '(CVE-2026-34204). Nor can it by a part that is listed twice. A client that passes for replication gets no SSE-C ' +
    'object without its key. The same requests are taken without that.',
  doesNotProve: 'That a writer cannot overwrite an object: the right to write includes that.',
  severity: 'critical',
  run: async (context) => {
    const { bucket, region } = context;
    const { raw, own } = await rawS3(context);
    const { credentials: as } = await newWriter(raw, [bucket]);
    const at = (key: string): string => `/${bucket}/${key}`;
    const put = (key: string, more: Partial<RawRequest> = {}): RawRequest => ({
      ...{ method: 'PUT', path: at(key), body: CONTENT, as },
      ...more,
    });
    const read = async (key: string): Promise<string> => (await raw.send({ method: 'GET', path: at(key) })).text;
    const sealed = { [SEALED_KEY]: Buffer.alloc(64, 1).toString('base64') };
    const form = (fields: Readonly<Record<string, string>>): RawRequest => ({
      ...{ method: 'POST', path: `/${bucket}`, signature: 'none' },
      ...signedForm({ credentials: own, bucket, key: 'in-form', region, fields }),
    });
    const written = (how: string, key: string, made: RawRequest, normal: RawRequest, content = CONTENT): Hole => ({
      row: 'internal-header',
      finding: `${how} of replication makes an object unreadable`,
      control: async () => raw.send(normal),
      attempt: async () => raw.send(made),
      hasEffect: async () => (await read(key)) !== content,
    });
    const key = headersOfKey(customerKey().SSECustomerKey);
    const keyless: RawRequest = { method: 'HEAD', path: at('of-a-client'), as };
    const stored = await raw.send(put('of-a-client', { headers: key }));
    if (!isSuccess(stored)) throw new Error(`a PUT with SSE-C answered ${inShort(stored)}`);
    const parts = await partsOf(raw, put('parts'));
    return tryHoles(context, [
      written('a header', 'in-header', put('in-header', { headers: sealed }), put('in-header')),
      written('a query parameter', 'in-query', put('in-query', { query: sealed }), put('in-query')),
      written('a form field', 'in-form', form(sealed), form({ 'x-amz-meta-size': '1' }), 'content'),
      {
        row: 'internal-header',
        finding: 'a header of replication stands for the key of an SSE-C object',
        control: async () => raw.send({ ...keyless, headers: key }),
        attempt: async () => raw.send({ ...keyless, headers: { 'x-minio-source-replication-request': 'true' } }),
      },
      {
        row: 'duplicate-part',
        finding: 'an object is completed from a part that is listed twice',
        control: async () => raw.send(parts.once),
        attempt: async () => raw.send(parts.twice),
      },
    ]).finally(async () => abortUpload(raw, parts.twice));
  },
};

/** Of every part but the last: a smaller one that is listed twice is refused for its size. */
const SMALLEST_PART = 5 * 1024 * 1024;

/** Two uploads of one part each: how one is completed as it should be, and how the other with its part listed twice. */
async function partsOf(
  raw: RawS3,
  { path, as }: RawRequest,
): Promise<{ readonly once: RawRequest; readonly twice: RawRequest }> {
  const upload = { path, ...(as === undefined ? {} : { as }) };
  const completion = async (times: number): Promise<RawRequest> => {
    const created = await raw.send({ ...upload, method: 'POST', query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)</.exec(created.text)?.[1] ?? '';
    const body = times === 1 ? CONTENT : '0'.repeat(SMALLEST_PART);
    const part = await raw.send({ ...upload, method: 'PUT', query: { partNumber: '1', uploadId }, body });
    if (!isSuccess(part)) throw new Error(`the upload of a part answered ${inShort(part)}`);
    const listed = `<Part><PartNumber>1</PartNumber><ETag>${String(part.headers.etag)}</ETag></Part>`;
    const list = `<CompleteMultipartUpload>${listed.repeat(times)}</CompleteMultipartUpload>`;
    return { ...upload, method: 'POST', query: { uploadId }, body: list };
  };
  const [once, twice] = await Promise.all([completion(1), completion(2)]);
  return { once, twice };
}
