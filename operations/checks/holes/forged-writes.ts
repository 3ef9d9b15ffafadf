/** Writes without a valid signature. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { RawCredentials, RawRequest } from '../../minio/objects/raw-s3';
import type { OutsideCheck } from '../check';
import { abortUpload, CONTENT, rawS3 } from './requests';
import { tryHoles } from './try-holes';

export const forgedWritesRefused: OutsideCheck = {
  from: 'outside',
  triesHoles: true,
  id: 'forged-writes-refused',
  title: 'Who only knows an access key id, or one presigned URL, writes nothing else',
  proves:
    'Objects and parts are not written without a signature (CVE-2026-41145). Archives are not unpacked under a made-up one ' +
    '(CVE-2026-40344). A presigned PUT copies nothing that its signature does not name. The same requests are taken when ' +
    'they are signed.',
  doesNotProve: 'That no secret key, or presigned URL that is still good, has leaked.',
  severity: 'critical',
  run: async (context) => {
    const { s3, bucket, region } = context;
    const { raw, own } = await rawS3(context);
    const at = (key: string): string => `/${bucket}/forged-writes-refused/${key}`;
    const put = (key: string, more: Partial<RawRequest>): RawRequest => ({ method: 'PUT', path: at(key), ...more });
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'forged-writes-refused/secret', Body: CONTENT }));
    const created = await raw.send({ method: 'POST', path: at('parts'), query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)</.exec(created.text)?.[1] ?? '';
    const part = { partNumber: '1', uploadId };
    const inChunks = { headers: IN_CHUNKS, body: CHUNKS };
    const unsigned = (query: Readonly<Record<string, string>>): Partial<RawRequest> => ({
      ...inChunks,
      signature: 'none',
      query: { ...query, ...identityOf(own, region) },
    });
    const archive = await archiveOf('from-the-archive');
    const copySource = { 'x-amz-copy-source': at('secret') };
    return tryHoles(context, [
      {
        row: 'unsigned-streaming',
        finding: 'an object is written without a signature',
        control: async () => raw.send(put('signed', inChunks)),
        attempt: async () => raw.send(put('forged', unsigned({}))),
      },
      {
        row: 'unsigned-streaming',
        finding: 'a part is uploaded without a signature',
        control: async () => raw.send(put('parts', { ...inChunks, query: part })),
        attempt: async () => raw.send(put('parts', unsigned(part))),
      },
      {
        row: 'archive-upload',
        finding: 'an archive is unpacked under a made-up signature',
        control: async () => raw.send(put('archive', { body: archive })),
        attempt: async () => raw.send(put('archive', { ...forgedArchive(own, region), body: archive })),
      },
      {
        row: 'unsigned-header',
        finding: 'a presigned PUT copies what its signature does not name',
        control: async () => raw.send(put('copy', { signature: 'url', headers: copySource, body: '' })),
        attempt: async () => raw.send(put('stolen', { signature: 'url', unsigned: copySource, body: '' })),
        // one that ignores the header has written an empty object, as the URL allows
        hasEffect: async () => (await raw.send({ method: 'GET', path: at('stolen') })).text === CONTENT,
      },
    ]).finally(async () => abortUpload(raw, { path: at('parts'), query: { uploadId } }));
  },
};

const IN_CHUNKS = {
  'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'x-amz-decoded-content-length': String(CONTENT.length),
  'x-amz-trailer': 'x-amz-checksum-crc32',
};
/** The content in one chunk, and its CRC-32. */
const CHUNKS = `${CONTENT.length.toString(16)}\r\n${CONTENT}\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n`;

function scope(region: string): string {
  return `${new Date().toISOString().slice(0, 10).replaceAll('-', '')}/${region}/s3/aws4_request`;
}

/** Who is named, and nothing that only they know. */
function identityOf({ accessKey, sessionToken }: RawCredentials, region: string): Record<string, string> {
  return {
    'X-Amz-Credential': `${accessKey}/${scope(region)}`,
    ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
  };
}

function forgedArchive({ accessKey, sessionToken }: RawCredentials, region: string): Partial<RawRequest> {
  const credential = `${accessKey}/${scope(region)}`;
  return {
    signature: 'none',
    headers: {
      'x-amz-content-sha256': IN_CHUNKS['x-amz-content-sha256'],
      'x-amz-meta-snowball-auto-extract': 'true',
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    },
  };
}

async function archiveOf(name: string): Promise<string> {
  const tar = pack();
  tar.entry({ name }, CONTENT);
  tar.finalize();
  return (await buffer(tar)).toString('latin1');
}
