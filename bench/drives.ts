/** What several drives cost, or bring, over one. */
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import type { TestEnvironment } from '../test/helpers/e2e/test-environment';
import { BUCKET, measure, type Mode, PARALLEL, startPlainMinio } from './objects';
import { compare, type Comparison } from './statistics';

const MIB = 1024 * 1024;
const BYTES = 64 * MIB;
const DRIVES = 4;

/** Measures MinIO with four drives against MinIO with one, both of the same image and without KMS. */
export async function benchDrives(
  environment: TestEnvironment,
  rounds: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  const one: Mode = { name: 'one drive', s3: await startPlainMinio(environment, { name: 'one' }), put: {}, get: {} };
  const four: Mode = {
    name: 'four drives',
    s3: await startPlainMinio(environment, { name: 'four', drives: DRIVES }),
    put: {},
    get: {},
  };
  const body = randomBytes(BYTES);
  const rates = new Map<string, number[]>();
  try {
    for (const { s3 } of [one, four]) await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    // the first round opens connections and fills caches, and is not counted
    for (let round = 0; round <= rounds; round += 1) {
      for (const act of ['PUT', 'GET'] as const) {
        for (const mode of round % 2 === 0 ? [one, four] : [four, one]) {
          signal.throwIfAborted();
          const seconds = await measure(mode, act, '64 MiB', PARALLEL, body);
          const series = `${act} ${mode.name}`;
          if (round > 0) rates.set(series, [...(rates.get(series) ?? []), (PARALLEL * BYTES) / MIB / seconds]);
        }
      }
      process.stderr.write(`drives: round ${round} of ${rounds}\n`);
    }
  } finally {
    one.s3.destroy();
    four.s3.destroy();
  }
  return (['PUT', 'GET'] as const).map((act) =>
    compare(
      {
        what: `${act} 64 MiB, ${PARALLEL} at a time, four drives of one disk`,
        unit: 'MiB/s',
        baselineName: 'one drive',
      },
      rates.get(`${act} ${four.name}`) ?? [],
      rates.get(`${act} ${one.name}`) ?? [],
    ),
  );
}
