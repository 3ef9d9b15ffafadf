import type { S3Client } from '@aws-sdk/client-s3';
import { type ListedVersion, listedVersions } from '../../../../operations/minio/objects/listed-versions';
import { openS3 } from '../../../../operations/minio/s3-client';
import { type FakeDeployment, fakeDeployment } from '../../checks/fakes';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

/** As MinIO says it to who may read the object. */
const KNOWN = '<Internal><K>1</K><M>0</M></Internal>';
const version = (key: string, id: string, metadata: string, more = KNOWN): string =>
  `<Version><Key>${key}</Key><VersionId>${id}</VersionId><IsLatest>true</IsLatest><Size>3</Size>` +
  `<UserMetadata>${metadata}</UserMetadata>${more}</Version>`;
const page = (versions: string, next = ''): string =>
  `<?xml version="1.0"?><ListVersionsResult><IsTruncated>${next !== ''}</IsTruncated>${next}${versions}</ListVersionsResult>`;

const folder = useTemporaryFolder();
let fake: FakeDeployment;
let s3: S3Client;
let asked: URLSearchParams[];

async function answering(...pages: string[]): Promise<void> {
  asked = [];
  fake = await fakeDeployment(folder(), ({ url = '' }, response) => {
    asked.push(new URL(url, 'https://minio').searchParams);
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(pages[asked.length - 1]);
  });
  s3 = openS3(fake.loaded);
}
afterEach(async () => {
  s3.destroy();
  await fake.close();
});

async function list(): Promise<ListedVersion[]> {
  const all: ListedVersion[] = [];
  for await (const { versions } of listedVersions(s3, 'backup', { pageSize: 2 })) all.push(...versions);
  return all;
}

test('each version is listed with what MinIO says of its encryption and its lock, on all pages', async () => {
  const until = (year: number): string =>
    `<x-amz-object-lock-retain-until-date>${year}-01-01T00:00:00Z</x-amz-object-lock-retain-until-date>`;
  await answering(
    page(
      version('a+b%2Bc/%C3%A4', 'null', '<X-Amz-Server-Side-Encryption>AES256</X-Amz-Server-Side-Encryption>') +
        '<DeleteMarker><Key>gone</Key><VersionId>1</VersionId></DeleteMarker>' +
        version('plain', '2', '<content-type>text/plain</content-type>'),
      '<NextKeyMarker>p+q</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>',
    ),
    page(
      version('ended', '3', until(2000)) +
        version('held', '4', '<x-amz-object-lock-legal-hold>ON</x-amz-object-lock-legal-hold>') +
        version('kept', '5', until(2999)) +
        version(
          'of a client',
          '6',
          '<X-Amz-Server-Side-Encryption-Customer-Algorithm>AES256</X-Amz-Server-Side-Encryption-Customer-Algorithm>',
        ),
    ),
  );
  expect((await list()).map(({ key, encrypted, locked }) => [key, encrypted, locked])).toEqual([
    ['a b+c/ä', true, false],
    ['plain', false, false],
    ['ended', false, false],
    ['held', false, true],
    ['kept', false, true],
    ['of a client', true, false],
  ]);
  expect(
    asked.map((query) => [query.get('metadata'), query.get('key-marker'), query.get('version-id-marker')]),
  ).toEqual([
    ['true', null, null],
    ['true', 'p q', '2'],
  ]);
});

test('a version of which nothing is said is none that is plain', async () => {
  await answering(page(version('a', '1', '<content-type>x</content-type>') + version('b', '2', '', '')));
  const { message, hint } = (await rejectionOf(list())) as Error & { hint?: string };
  expect(message).toBe('the S3 API lists backup/b without saying whether it is encrypted');
  expect(hint).toBe('only MinIO says it, and only to who may s3:GetObject');
});
