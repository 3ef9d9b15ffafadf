/** A steady stream of requests, and what became of them. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { messageOf } from '../../../../operations/lib/errors';

export interface LoadResult {
  readonly puts: number;
  readonly gets: number;
  readonly failures: readonly string[];
}

/** Small enough for many, large enough to be under way when a certificate changes. */
const OBJECT_BYTES = 256 * 1024;

/**
 * PUTs and GETs objects in a circle until it is told to stop.
 *
 * @param clients each has one request under way at any time; they must not try again by themselves
 */
export function startLoad(clients: readonly S3Client[], bucket: string): { stop: () => Promise<LoadResult> } {
  const counts = { puts: 0, gets: 0 };
  const failures: string[] = [];
  let stopped = false;
  const body = randomBytes(OBJECT_BYTES);
  const workers = clients.map(async (client, worker) => {
    for (let turn = 0; !stopped; turn += 1) {
      const object = { Bucket: bucket, Key: `load/${worker}/${turn % 16}` };
      try {
        await client.send(new PutObjectCommand({ ...object, Body: body }));
        counts.puts += 1;
        const got = await (await client.send(new GetObjectCommand(object))).Body?.transformToByteArray();
        if (got === undefined || !body.equals(got)) throw new Error('the object is another one');
        counts.gets += 1;
      } catch (error) {
        failures.push(`turn ${turn} of client ${worker}: ${messageOf(error)}`);
      }
    }
  });
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(workers);
      return { ...counts, failures };
    },
  };
}
