import type { S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { ExternalError } from '../../../../operations/lib/errors';
import { requireSame, takeSamples } from '../../../../operations/keys/migrate/samples';
import { rejectionOf } from '../../../helpers/thrown';

/** What a bucket holds under a name: an object, or the name of the error that reading it ends with. */
type Held =
  { readonly content: string; readonly etag?: string; readonly versionId?: string } | { readonly error: string };

/** MinIO as far as the samples ask it: `listed` may name what is gone by the time that it is read. */
class FakeS3 {
  readonly client = { send: async (command: Command) => Promise.resolve(this.answer(command)) } as unknown as S3Client;
  readonly asked: Command['input'][] = [];
  readonly held: Record<string, Held>;
  private readonly listed: string[];

  constructor(held: Record<string, Held>, listed = Object.keys(held)) {
    this.held = held;
    this.listed = listed;
  }

  private answer({ constructor: { name }, input }: Command): unknown {
    if (name === 'ListBucketsCommand') {
      return { Buckets: [...new Set(this.listed.map((one) => one.split('/')[0]))].map((Name) => ({ Name })) };
    }
    if (name === 'ListObjectsV2Command') {
      const here = this.listed.filter((one) => one.startsWith(`${input.Bucket}/`));
      if (here.some((one) => one.endsWith('/'))) throw failure('NoSuchBucket');
      return { Contents: here.map((one) => ({ Key: one.slice(one.indexOf('/') + 1), Size: 4 })) };
    }
    this.asked.push(input);
    const version = input.VersionId === undefined ? '' : `?${input.VersionId}`;
    const one = this.held[`${input.Bucket}/${input.Key}${version}`] ?? { error: 'NoSuchKey' };
    if ('error' in one) throw failure(one.error);
    return {
      Body: { transformToByteArray: async () => Promise.resolve(Buffer.from(one.content)) },
      ETag: one.etag ?? createHash('md5').update(one.content).digest('hex'),
      ...(one.versionId === undefined ? {} : { VersionId: one.versionId }),
    };
  }
}

interface Command {
  readonly constructor: { readonly name: string };
  readonly input: { readonly Bucket?: string; readonly Key?: string; readonly VersionId?: string };
}

function failure(name: string): Error {
  return Object.assign(new Error(`${name} of the fake`), { name });
}

describe('taking samples', () => {
  test('leaves out what is deleted meanwhile, and what only its client can open', async () => {
    // GIVEN a listing that is older than what can be read
    const s3 = new FakeS3({ 'a/1': { content: 'one' }, 'a/sse-c': { error: 'InvalidRequest' } }, [
      ...['a/1', 'a/2', 'a/sse-c'],
      'deleted-bucket/',
    ]);
    // WHEN THEN
    const samples = await takeSamples(s3.client);
    expect(samples.map(({ place }) => `${place.Bucket}/${place.Key}`)).toEqual(['a/1']);
  });

  test('fails with one that cannot be opened', async () => {
    const s3 = new FakeS3({ 'a/1': { error: 'AccessDeniedException' } });
    expect((await rejectionOf(takeSamples(s3.client))).name).toBe('AccessDeniedException');
  });
});

describe('reading them again', () => {
  const three = () => new FakeS3({ 'a/1': { content: 'one' }, 'a/2': { content: 'two' }, 'b/1': { content: 'three' } });

  test('counts what is as before; what came since is no matter', async () => {
    const s3 = three();
    const before = await takeSamples(s3.client);
    s3.held['c/1'] = { content: 'new' };
    expect(await requireSame(s3.client, before)).toBe('3 read as before');
    expect(await requireSame(s3.client, [])).toBe('0 read as before');
  });

  test.each<[string, Held]>([
    ['was overwritten', { content: 'other' }],
    ['is gone', { error: 'NoSuchKey' }],
    ['is gone with its bucket', { error: 'NoSuchBucket' }],
    ['has become shorter than what was read', { error: 'InvalidRange' }],
    ['was overwritten by one that only its client can open', { error: 'InvalidRequest' }],
  ])('leaves out and counts an object that %s', async (_, now) => {
    const s3 = three();
    const before = await takeSamples(s3.client);
    s3.held['a/2'] = now;
    expect(await requireSame(s3.client, before)).toBe('2 read as before; clients changed or deleted 1 meanwhile');
  });

  test('reads the very version, where there are versions', async () => {
    // GIVEN
    const s3 = new FakeS3({ 'a/1': { content: 'one', versionId: 'v1' } });
    const before = await takeSamples(s3.client);
    // WHEN it is overwritten
    s3.held['a/1?v1'] = { content: 'one', versionId: 'v1' };
    s3.held['a/1'] = { content: 'other', versionId: 'v2' };
    // THEN
    expect(await requireSame(s3.client, before)).toBe('1 read as before');
    expect(s3.asked.at(-1)).toEqual({ Bucket: 'a', Key: '1', VersionId: 'v1', Range: 'bytes=0-3' });
  });

  test('fails with objects that nobody wrote and that are not as before, and names each', async () => {
    // GIVEN
    const s3 = three();
    const etag = createHash('md5').update('one').digest('hex');
    const before = await takeSamples(s3.client);
    // WHEN
    s3.held['a/1'] = { content: 'eno', etag };
    s3.held['a/2'] = { error: 'InvalidCiphertextException' };
    // THEN
    const error = await rejectionOf(requireSame(s3.client, before));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(
      'a/1 (another content under the same ETag), a/2 (InvalidCiphertextException of the fake) cannot be read as before',
    );
  });

  test('fails when there is nothing left to compare', async () => {
    // GIVEN
    const s3 = three();
    const before = await takeSamples(s3.client);
    // WHEN
    for (const name of Object.keys(s3.held)) s3.held[name] = { content: `${name} anew` };
    // THEN
    const error = await rejectionOf(requireSame(s3.client, before));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(
      'nothing could be compared: clients have changed or deleted every sampled object, 3 in all',
    );
  });
});
