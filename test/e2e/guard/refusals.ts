import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import type { GuardRuleId } from '../../../config/guard-rules';
import type { S3Credentials } from '../../../operations/minio/s3-client';
import { signedForm } from '../../../operations/minio/objects/post-form';
import type { RawRequest } from '../../../operations/minio/objects/raw-s3';
import { CONTENT, LOCKABLE, LOCKED, PLAIN, type Server, WRITER } from './servers';
import { Secret } from '../../../operations/lib/secret';

type Make = (server: Server) => RawRequest | Promise<RawRequest>;

/** One request that is refused. */
interface Refusal {
  readonly rule: GuardRuleId;
  readonly title: string;
  readonly refused: Make;
  /** What a client does instead, or the same without what is refused. */
  readonly allowed: Make;
  readonly status: 400 | 403;
  readonly code: 'AccessDenied' | 'InvalidRequest';
  /** Whether advisories say in public what such a request does. */
  readonly isPublic: boolean;
}

const WRITER_CREDENTIALS: S3Credentials = { ...WRITER, secretKey: new Secret(WRITER.secretKey) };

const put = (path: string, more: Partial<RawRequest> = {}): RawRequest => ({
  method: 'PUT',
  path,
  body: CONTENT,
  ...more,
});
const scope = (): string => `${new Date().toISOString().slice(0, 10).replaceAll('-', '')}/us-east-1/s3/aws4_request`;

const IN_CHUNKS = {
  'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'x-amz-decoded-content-length': String(CONTENT.length),
  'x-amz-trailer': 'x-amz-checksum-crc32',
};
const CHUNKS = `${CONTENT.length.toString(16)}\r\n${CONTENT}\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n`;
const VERSION = '9f5b4ef1-8e3a-4d0a-9e0e-0f2f5b2f8d11';
const RETAIN_UNTIL = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d{3}/, '');

const denied = { status: 403, code: 'AccessDenied' } as const;
const invalid = { status: 400, code: 'InvalidRequest' } as const;

export const REFUSALS: readonly Refusal[] = [
  {
    rule: 'unsigned-streaming',
    title: 'an object by whoever knows an access key id',
    ...denied,
    isPublic: true,
    refused: ({ storage }) =>
      put(`/${PLAIN}/forged`, {
        query: { 'X-Amz-Credential': `${storage.credentials.accessKey}/${scope()}` },
        headers: IN_CHUNKS,
        body: CHUNKS,
        signature: 'none',
      }),
    allowed: () => put(`/${PLAIN}/in-chunks`, { headers: IN_CHUNKS, body: CHUNKS }),
  },
  {
    rule: 'unsigned-streaming',
    title: 'a part by whoever knows an access key id',
    ...denied,
    isPublic: true,
    refused: async (server) =>
      put(`/${PLAIN}/parts`, {
        query: {
          'X-Amz-Credential': `${server.storage.credentials.accessKey}/${scope()}`,
          partNumber: '1',
          uploadId: await newUpload(server),
        },
        headers: IN_CHUNKS,
        body: CHUNKS,
        signature: 'none',
      }),
    allowed: async (server) =>
      put(`/${PLAIN}/parts`, {
        query: { partNumber: '1', uploadId: await newUpload(server) },
        headers: IN_CHUNKS,
        body: CHUNKS,
      }),
  },
  {
    rule: 'archive-upload',
    title: 'an archive with a made-up signature',
    ...denied,
    isPublic: true,
    refused: async ({ storage }) =>
      put(`/${PLAIN}/archive`, {
        headers: {
          'x-amz-content-sha256': IN_CHUNKS['x-amz-content-sha256'],
          'x-amz-meta-snowball-auto-extract': 'true',
          authorization: `AWS4-HMAC-SHA256 Credential=${storage.credentials.accessKey}/${scope()}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
        },
        body: await archive(),
        signature: 'none',
      }),
    allowed: async () => put(`/${PLAIN}/archive`, { body: await archive() }),
  },
  {
    rule: 'archive-upload',
    title: 'an archive that is signed',
    ...denied,
    isPublic: false,
    refused: async () =>
      put(`/${PLAIN}/archive`, { headers: { 'x-amz-meta-snowball-auto-extract': 'true' }, body: await archive() }),
    allowed: async () => put(`/${PLAIN}/archive`, { headers: { 'x-amz-meta-archive': 'true' }, body: await archive() }),
  },
  {
    rule: 'internal-header',
    title: 'a header of replication',
    ...denied,
    isPublic: true,
    refused: () => put(`/${PLAIN}/internal`, { headers: { 'x-minio-replication-actual-object-size': '1' } }),
    allowed: () => put(`/${PLAIN}/internal`, { headers: { 'x-amz-meta-actual-object-size': '1' } }),
  },
  {
    rule: 'internal-header',
    title: 'the same as a query parameter',
    ...denied,
    isPublic: true,
    refused: () => put(`/${PLAIN}/internal`, { query: { 'x-minio-REPLICATION-actual-object-size': '1' } }),
    allowed: () => put(`/${PLAIN}/internal`, { query: { 'x-id': 'PutObject' } }),
  },
  {
    rule: 'internal-header',
    title: 'the same as a form field',
    ...denied,
    isPublic: true,
    refused: ({ storage }) =>
      form(storage.credentials, PLAIN, 'form', { 'X-Minio-Replication-Actual-Object-Size': '1' }),
    allowed: ({ storage }) => form(storage.credentials, PLAIN, 'form', { 'x-amz-meta-size': '1' }),
  },
  {
    rule: 'internal-header',
    title: 'a read in the name of replication',
    ...denied,
    isPublic: true,
    refused: () => ({
      method: 'GET',
      path: `/${PLAIN}/object`,
      headers: { 'x-minio-source-replication-request': 'true' },
    }),
    allowed: () => ({ method: 'GET', path: `/${PLAIN}/object` }),
  },
  {
    rule: 'internal-header',
    title: 'a bucket named by the host, and a path as of administration',
    ...denied,
    isPublic: true,
    refused: () =>
      put('/minio/backup/file', { headers: { host: `${PLAIN}.guard.test`, 'x-minio-source-etag': 'a'.repeat(32) } }),
    allowed: () => put('/minio/backup/file', { headers: { host: `${PLAIN}.guard.test` } }),
  },
  {
    rule: 'replica-claim',
    title: 'an object',
    ...denied,
    isPublic: false,
    refused: () => put(`/${PLAIN}/replica`, { headers: { 'x-amz-replication-status': 'REPLICA' } }),
    allowed: () => put(`/${PLAIN}/replica`),
  },
  {
    rule: 'version-on-write',
    title: 'an object',
    ...denied,
    isPublic: false,
    refused: () => put(`/${PLAIN}/version`, { query: { versionId: VERSION } }),
    allowed: () => put(`/${PLAIN}/version`),
  },
  {
    rule: 'version-on-write',
    title: 'a new upload in parts',
    ...denied,
    isPublic: false,
    refused: () => ({ method: 'POST', path: `/${PLAIN}/version`, query: { uploads: '', versionId: VERSION } }),
    allowed: () => ({ method: 'POST', path: `/${PLAIN}/version`, query: { uploads: '' } }),
  },
  {
    rule: 'version-on-write',
    title: 'a copy whose query has a word of another request',
    ...denied,
    isPublic: false,
    refused: () =>
      put(`/${PLAIN}/version`, {
        query: { retention: '', versionId: VERSION },
        headers: { 'x-amz-copy-source': `/${PLAIN}/object` },
        body: '',
      }),
    allowed: async ({ storage: { s3 } }) => {
      const { VersionId } = await s3.send(new HeadObjectCommand({ Bucket: PLAIN, Key: 'object' }));
      return put(`/${PLAIN}/version`, {
        headers: { 'x-amz-copy-source': `/${PLAIN}/object?versionId=${VersionId ?? ''}` },
        body: '',
      });
    },
  },
  {
    rule: 'unsigned-header',
    title: 'a copy source that the signature of a presigned PUT does not cover',
    ...denied,
    isPublic: true,
    refused: () =>
      put(`/${PLAIN}/presigned`, {
        signature: 'url',
        unsigned: { 'x-amz-copy-source': `/${PLAIN}/object` },
        body: '',
      }),
    allowed: () =>
      put(`/${PLAIN}/presigned`, {
        signature: 'url',
        headers: { 'x-amz-copy-source': `/${PLAIN}/object` },
        body: '',
      }),
  },
  {
    rule: 'legal-hold-alone',
    title: 'an object in a bucket with a default retention',
    ...invalid,
    isPublic: true,
    refused: () => put(`/${LOCKED}/held`, { headers: { 'x-amz-object-lock-legal-hold': 'OFF' } }),
    allowed: () =>
      put(`/${LOCKED}/held`, {
        headers: {
          'x-amz-object-lock-legal-hold': 'OFF',
          'x-amz-object-lock-mode': 'GOVERNANCE',
          'x-amz-object-lock-retain-until-date': RETAIN_UNTIL,
        },
      }),
  },
  {
    rule: 'legal-hold-alone',
    title: 'a new upload in parts',
    ...invalid,
    isPublic: true,
    refused: () => ({
      method: 'POST',
      path: `/${LOCKED}/held`,
      query: { uploads: '' },
      headers: { 'x-amz-object-lock-legal-hold': 'ON' },
    }),
    // there is no default retention that would be left out
    allowed: () => ({
      method: 'POST',
      path: `/${LOCKABLE}/held`,
      query: { uploads: '' },
      headers: { 'x-amz-object-lock-legal-hold': 'ON' },
    }),
  },
  {
    rule: 'form-upload',
    title: 'into a bucket with object lock',
    ...denied,
    isPublic: false,
    refused: ({ storage }) => form(storage.credentials, LOCKED, 'form'),
    allowed: ({ storage }) => form(storage.credentials, PLAIN, 'form'),
  },
  {
    rule: 'duplicate-part',
    title: 'an upload in parts',
    ...invalid,
    isPublic: false,
    refused: (server) => completed(server, 2),
    allowed: (server) => completed(server, 1),
  },
  {
    rule: 'select',
    title: 'a query of an object',
    ...denied,
    isPublic: true,
    refused: () => ({
      method: 'POST',
      path: `/${PLAIN}/object`,
      query: { select: '', 'select-type': '2' },
      body:
        '<SelectObjectContentRequest><Expression>select * from S3Object</Expression><ExpressionType>SQL</ExpressionType>' +
        '<InputSerialization><CSV/></InputSerialization><OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>',
    }),
    allowed: () => ({ method: 'GET', path: `/${PLAIN}/object` }),
  },
  {
    rule: 'retention-bypass',
    title: 'a retention that the writer may not set',
    ...denied,
    isPublic: true,
    refused: (server) => shorterRetention(server, 'COMPLIANCE', WRITER_CREDENTIALS),
    allowed: (server) => shorterRetention(server, 'GOVERNANCE', server.storage.credentials),
  },
  {
    rule: 'condition-name',
    title: 'a listing that says in a header which prefix it asks for',
    ...denied,
    isPublic: false,
    refused: () => ({ method: 'GET', path: `/${PLAIN}`, query: { prefix: '' }, headers: { prefix: 'object' } }),
    allowed: () => ({ method: 'GET', path: `/${PLAIN}`, query: { prefix: 'object' } }),
  },
  {
    rule: 'condition-name',
    title: 'an address that the client made up',
    ...denied,
    isPublic: false,
    refused: () => ({ method: 'GET', path: `/${PLAIN}`, headers: { sourceip: '192.0.2.1' } }),
    allowed: () => ({ method: 'GET', path: `/${PLAIN}` }),
  },
  {
    rule: 'force-delete',
    title: 'every version of an object, by whoever may only delete the present one',
    ...denied,
    isPublic: false,
    refused: () => ({
      method: 'DELETE',
      path: `/${PLAIN}/deleted`,
      headers: { 'x-minio-force-delete': 'true' },
      as: WRITER_CREDENTIALS,
    }),
    allowed: () => ({ method: 'DELETE', path: `/${PLAIN}/deleted`, as: WRITER_CREDENTIALS }),
  },
];

async function newUpload({ storage: { s3 } }: Server): Promise<string> {
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand({ Bucket: PLAIN, Key: 'parts' }));
  return UploadId;
}

async function completed(server: Server, times: number): Promise<RawRequest> {
  const uploadId = await newUpload(server);
  const { ETag = '' } = await server.storage.s3.send(
    new UploadPartCommand({ Bucket: PLAIN, Key: 'parts', UploadId: uploadId, PartNumber: 1, Body: CONTENT }),
  );
  const part = `<Part><PartNumber>1</PartNumber><ETag>${ETag}</ETag></Part>`;
  return {
    method: 'POST',
    path: `/${PLAIN}/parts`,
    query: { uploadId },
    body: `<CompleteMultipartUpload>${part.repeat(times)}</CompleteMultipartUpload>`,
  };
}

/** Of an object under the default retention. */
async function shorterRetention(
  { storage: { s3 } }: Server,
  mode: 'GOVERNANCE' | 'COMPLIANCE',
  as: S3Credentials,
): Promise<RawRequest> {
  await s3.send(new PutObjectCommand({ Bucket: LOCKED, Key: 'retained', Body: CONTENT }));
  const body = `<Retention><Mode>${mode}</Mode><RetainUntilDate>${RETAIN_UNTIL}</RetainUntilDate></Retention>`;
  return {
    method: 'PUT',
    path: `/${LOCKED}/retained`,
    query: { retention: '' },
    headers: {
      'content-md5': createHash('md5').update(body).digest('base64'),
      'x-amz-bypass-governance-retention': 'true',
    },
    body,
    as,
  };
}

async function archive(): Promise<string> {
  const tar = pack();
  tar.entry({ name: 'from-the-archive' }, CONTENT);
  tar.finalize();
  return (await buffer(tar)).toString('latin1');
}

function form(
  credentials: S3Credentials,
  bucket: string,
  key: string,
  fields: Readonly<Record<string, string>> = {},
): RawRequest {
  const form = signedForm({ credentials, bucket, key, fields });
  return { method: 'POST', path: `/${bucket}`, signature: 'none', ...form };
}
