/** Many small objects in every mode of encryption, and the hashes by which they are known again. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { messageOf } from '../../../../operations/lib/errors';

/** How an object is encrypted. */
export interface Mode {
  readonly name: string;
  readonly bucket: string;
  readonly options: Partial<PutObjectCommandInput>;
  /** Needed for reading, too: the client's own key. */
  readonly customerKey?: Pick<PutObjectCommandInput, 'SSECustomerAlgorithm' | 'SSECustomerKey'>;
}

export interface StoredObject {
  readonly mode: Mode;
  readonly key: string;
  readonly sha256: string;
}

const KIB = 1024;
/** In the metadata, at its border, and in a file of its own. */
const SIZES = [1, 4 * KIB, 128 * KIB + 1] as const;
/** The smallest that S3 has but for the last. */
const PART_BYTES = 5 * KIB * KIB;
const AT_ONCE = 24;

export class ObjectSet {
  private readonly s3: () => S3Client;
  private readonly objects: StoredObject[] = [];

  /** @param s3 makes a client, which is destroyed after its use */
  constructor(s3: () => S3Client) {
    this.s3 = s3;
  }

  get size(): number {
    return this.objects.length;
  }

  /** Writes this many objects more, of mixed modes and sizes, and one in two parts in each mode. */
  async write(modes: readonly Mode[], count: number): Promise<void> {
    const first = this.size;
    await this.using(async (s3) => {
      const single = Array.from({ length: count }, (_, index) => async () => {
        const mode = modes[index % modes.length];
        if (mode === undefined) throw new Error('there are no modes');
        const body = randomBytes(SIZES[Math.floor(index / modes.length) % SIZES.length] ?? 1);
        this.add(mode, await putObject(s3, mode, `set/${first + index}`, body));
      });
      const multipart = modes.map((mode) => async () => {
        const upload = await Multipart.begin(s3, mode, `set/multipart ${first} ${mode.name}`);
        await upload.part(s3, randomBytes(PART_BYTES));
        await upload.part(s3, randomBytes(KIB));
        this.add(mode, await upload.complete(s3));
      });
      await inParallel([...single, ...multipart]);
    });
  }

  /** Adds what somebody else wrote, and MinIO acknowledged. */
  add(mode: Mode, object: { readonly key: string; readonly sha256: string }): void {
    this.objects.push({ mode, ...object });
  }

  /** One of them, another for each turn. */
  pick(turn: number): StoredObject {
    const object = this.objects[turn % this.objects.length];
    if (object === undefined) throw new Error('there are no objects');
    return object;
  }

  /** Reads every object. @returns those that do not open, or are not what was written */
  async lost(): Promise<string[]> {
    const lost: string[] = [];
    await this.using(async (s3) => {
      const reads = this.objects.map((object) => async () => {
        const problem = await problemOf(s3, object);
        if (problem !== undefined) lost.push(`${object.mode.bucket}/${object.key} (${object.mode.name}): ${problem}`);
      });
      await inParallel(reads);
    });
    return lost;
  }

  private async using(action: (s3: S3Client) => Promise<void>): Promise<void> {
    const s3 = this.s3();
    try {
      await action(s3);
    } finally {
      s3.destroy();
    }
  }
}

export async function putObject(
  s3: Pick<S3Client, 'send'>,
  { bucket, options, customerKey }: Mode,
  key: string,
  body: Buffer,
): Promise<{ key: string; sha256: string }> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...options, ...customerKey }));
  return { key, sha256: sha256(body) };
}

export async function getObject(
  s3: Pick<S3Client, 'send'>,
  { bucket, customerKey }: Mode,
  key: string,
): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...customerKey }));
  return sha256((await Body?.transformToByteArray()) ?? new Uint8Array());
}

/** An upload in parts. Every part that was acknowledged belongs to the object. */
export class Multipart {
  private readonly mode: Mode;
  private readonly key: string;
  private readonly id: string | undefined;
  private readonly parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = [];
  private readonly hash = createHash('sha256');

  private constructor(mode: Mode, key: string, id: string | undefined) {
    this.mode = mode;
    this.key = key;
    this.id = id;
  }

  static async begin(s3: S3Client, mode: Mode, key: string): Promise<Multipart> {
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket: mode.bucket, Key: key, ...mode.options, ...mode.customerKey }),
    );
    return new Multipart(mode, key, UploadId);
  }

  async part(s3: S3Client, body: Buffer): Promise<void> {
    const PartNumber = this.parts.length + 1;
    const { ETag } = await s3.send(
      new UploadPartCommand({ ...this.target, PartNumber, Body: body, ...this.mode.customerKey }),
    );
    this.parts.push({ PartNumber, ETag });
    this.hash.update(body);
  }

  async complete(s3: S3Client): Promise<{ key: string; sha256: string }> {
    await s3.send(
      new CompleteMultipartUploadCommand({
        ...this.target,
        MultipartUpload: { Parts: this.parts },
        ...this.mode.customerKey,
      }),
    );
    return { key: this.key, sha256: this.hash.digest('hex') };
  }

  private get target() {
    return { Bucket: this.mode.bucket, Key: this.key, UploadId: this.id };
  }
}

async function problemOf(s3: S3Client, { mode, key, sha256: expected }: StoredObject): Promise<string | undefined> {
  try {
    return (await getObject(s3, mode, key)) === expected ? undefined : 'it is not what was written';
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error)}`;
  }
}

async function inParallel(tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = [...tasks];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
