/** What MinIO says of versions when it lists them: also whether each is encrypted, which S3 does not say. */
import { ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ExternalError } from '../../lib/errors';
import { printable } from '../../lib/text/printable';

export interface ListedVersion {
  readonly key: string;
  /** `null` of an object that has no versions. */
  readonly versionId: string;
  readonly latest: boolean;
  /** Bytes, as its client sent them. */
  readonly size: number;
  readonly encrypted: boolean;
  /** Whether a legal hold or a retention that has not ended protects it. */
  readonly locked: boolean;
}

export interface ListedPage {
  readonly versions: readonly ListedVersion[];
  /** Whether there are more behind it. */
  readonly truncated: boolean;
}

interface From {
  /** What is listed begins after this name. @default - at the first one */
  readonly after?: string;
  /** Versions and delete markers of a page. @default - as many as MinIO gives: 1000 */
  readonly pageSize?: number;
}

/**
 * The versions of all objects of a bucket, without delete markers, page by page and in the order of their names; of an
 * object, the current version is first.
 *
 * By `metadata=true`, which only MinIO knows (minio/minio, cmd/bucket-listobjects-handlers.go). MinIO decrypts the ETag of
 * each SSE-S3 object that it lists, so it needs its KMS for that.
 */
export async function* listedVersions(
  s3: S3Client,
  Bucket: string,
  { after, pageSize }: From = {},
): AsyncGenerator<ListedPage> {
  let KeyMarker = after;
  let VersionIdMarker: string | undefined;
  for (;;) {
    const command = new ListObjectVersionsCommand({
      Bucket,
      KeyMarker,
      VersionIdMarker,
      // names may hold what XML cannot
      EncodingType: 'url',
      MaxKeys: pageSize,
    });
    const page: { xml: string } = { xml: '' };
    command.middlewareStack.add(
      (next) => (args) => {
        (args.request as { query: Record<string, string> }).query.metadata = 'true';
        return next(args);
      },
      { step: 'build', name: 'withMetadata' },
    );
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const response = result.response as { body?: unknown };
        if (response.body instanceof Readable) {
          page.xml = await text(response.body);
          response.body = Readable.from(Buffer.from(page.xml));
        }
        return result;
      },
      // next to the connection: the SDK leaves out what S3 does not know
      { step: 'deserialize', name: 'keepAnswer', priority: 'low' },
    );
    const answer = await s3.send(command);
    const truncated = answer.IsTruncated === true;
    const metadata = metadataIn(page.xml);
    const versions = (answer.Versions ?? []).map(({ Key = '', VersionId = 'null', IsLatest, Size = 0 }, index) => {
      const said = metadata[index] ?? '';
      const key = decoded(Key);
      // it is missing for a user that may not read the object, and then nothing is known of its encryption
      if (!said.includes('<Internal>')) throw notSaid(`${Bucket}/${key}`);
      return { key, versionId: VersionId, latest: IsLatest === true, size: Size, ...protectionIn(said) };
    });
    yield { versions, truncated };
    if (!truncated || answer.NextKeyMarker === undefined) return;
    KeyMarker = decoded(answer.NextKeyMarker);
    VersionIdMarker = answer.NextVersionIdMarker;
  }
}

/** What is said of each version, in the order of the answer. Names of metadata are those of headers: without `<` and `>`. */
function metadataIn(xml: string): string[] {
  return [...xml.matchAll(/<Version>.*?<\/Version>/gs)].map(([version]) => version);
}

function notSaid(object: string): ExternalError {
  return new ExternalError(
    `the S3 API lists ${printable(object)} without saying whether it is encrypted`,
    'only MinIO says it, and only to who may s3:GetObject',
  );
}

function protectionIn(metadata: string): Pick<ListedVersion, 'encrypted' | 'locked'> {
  const until = /<x-amz-object-lock-retain-until-date>([^<]*)</i.exec(metadata)?.[1];
  return {
    encrypted: /<x-amz-server-side-encryption(-customer-algorithm)?>/i.test(metadata),
    locked:
      /<x-amz-object-lock-legal-hold>ON</i.test(metadata) || (until !== undefined && Date.parse(until) > Date.now()),
  };
}

/** MinIO escapes names as a form does (cmd/api-utils.go, s3URLEncode). */
function decoded(name: string): string {
  return decodeURIComponent(name.replaceAll('+', ' '));
}
