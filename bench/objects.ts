import {
  CreateBucketCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { containerLogs } from '../operations/docker/docker';
import { HttpClient } from '../operations/lib/net/http';
import { s3Client } from '../operations/minio/s3-client';
import { cacheLayout } from '../operations/toolchain/cache';
import { buildProgram } from '../operations/toolchain/go/go-build';
import { unguardedMinio } from '../operations/toolchain/go/programs';
import { GiveUp, NotYet, waitFor } from '../operations/lib/wait';
import type { TestEnvironment } from '../test/helpers/e2e/test-environment';
import { freePorts } from '../operations/lib/net/free-ports';
import { compare, type Comparison } from './statistics';

export const PARALLEL = 8;
export const BUCKET = 'bench';
const BASELINE = 'plain';
/** The same without our files in MinIO: what the guard costs. */
const UNGUARDED = 'plain, unguarded';
const GUARD_GOAL = '>= 0.98';

/** Object sizes, how many objects make one measurement, and as how many units each counts. */
const SIZES = [
  { name: '64 MiB', bytes: 64 * 1024 * 1024, count: PARALLEL, unit: 'MiB/s', units: 64, goal: '>= 0.97' },
  { name: '4 KiB', bytes: 4 * 1024, count: 800, unit: 'objects/s', units: 1, goal: '>= 0.90' },
] as const;

export interface Mode {
  readonly name: string;
  readonly s3: S3Client;
  readonly put: Partial<PutObjectCommandInput>;
  readonly get: Partial<GetObjectCommandInput>;
}

/**
 * Measures against a MinIO of the same image, with the same TLS, but without KMS; and that one against MinIO without the
 * guard.
 */
export async function benchObjects(
  environment: TestEnvironment,
  rounds: number,
  signal: AbortSignal,
): Promise<Comparison[]> {
  const plain = await startPlainMinio(environment, { name: 'plain' });
  const unguardedProgram = await buildProgram(cacheLayout(), unguardedMinio, { signal });
  const unguarded = await startPlainMinio(environment, { name: 'unguarded', program: unguardedProgram });
  const encrypted = unsignedPayloads(environment.s3());
  const key = randomBytes(32);
  const customer = {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key.toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
  const modes: readonly Mode[] = [
    { name: BASELINE, s3: plain, put: {}, get: {} },
    { name: UNGUARDED, s3: unguarded, put: {}, get: {} },
    { name: 'no header (auto-encryption)', s3: encrypted, put: {}, get: {} },
    { name: 'SSE-S3', s3: encrypted, put: { ServerSideEncryption: 'AES256' }, get: {} },
    {
      name: 'SSE-KMS',
      s3: encrypted,
      put: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: environment.loaded.environment.minio.defaultKey },
      get: {},
    },
    { name: 'SSE-C', s3: encrypted, put: customer, get: customer },
  ];
  try {
    for (const s3 of [plain, unguarded, encrypted]) await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const comparisons: Comparison[] = [];
    for (const size of SIZES) {
      const body = randomBytes(size.bytes);
      const rates = new Map<string, number[]>();
      // the first round opens connections and fills caches, and is not counted
      for (let round = 0; round <= rounds; round += 1) {
        // each mode comes first once, and every second round goes backwards, so that none always follows the same other
        const turned = [...modes.slice(round % modes.length), ...modes.slice(0, round % modes.length)];
        const order = round % 2 === 0 ? turned : turned.reverse();
        for (const act of ['PUT', 'GET'] as const) {
          for (const mode of order) {
            signal.throwIfAborted();
            const rate = (size.count * size.units) / (await measure(mode, act, size.name, size.count, body));
            const series = `${act} ${mode.name}`;
            if (round > 0) rates.set(series, [...(rates.get(series) ?? []), rate]);
          }
        }
        process.stderr.write(`${size.name}: round ${round} of ${rounds}\n`);
      }
      for (const act of ['PUT', 'GET'] as const) {
        const ratesOf = (name: string): number[] => rates.get(`${act} ${name}`) ?? [];
        comparisons.push(
          compare(
            {
              what: `${act} ${size.name}, ${PARALLEL} at a time, guard`,
              unit: size.unit,
              goal: GUARD_GOAL,
              baselineName: 'MinIO without KMS and guard',
            },
            ratesOf(BASELINE),
            ratesOf(UNGUARDED),
          ),
        );
        for (const { name } of modes.filter((mode) => mode.name !== BASELINE && mode.name !== UNGUARDED)) {
          const what = `${act} ${size.name}, ${PARALLEL} at a time, ${name}`;
          const labels = { what, unit: size.unit, goal: size.goal, baselineName: 'MinIO without KMS' };
          comparisons.push(compare(labels, ratesOf(name), ratesOf(BASELINE)));
        }
      }
    }
    return comparisons;
  } finally {
    plain.destroy();
    unguarded.destroy();
    encrypted.destroy();
  }
}

/** Seconds for `count` objects, {@link PARALLEL} at a time. */
export async function measure(
  mode: Mode,
  act: 'PUT' | 'GET',
  size: string,
  count: number,
  body: Buffer,
): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const object = { Bucket: BUCKET, Key: `${size}/${mode.name}/${next++}` };
      if (act === 'PUT') await mode.s3.send(new PutObjectCommand({ ...object, ...mode.put, Body: body }));
      else await readToEnd(await mode.s3.send(new GetObjectCommand({ ...object, ...mode.get })), body.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return (performance.now() - started) / 1000;
}

async function readToEnd({ Body }: { Body?: unknown }, expected: number): Promise<void> {
  let bytes = 0;
  for await (const chunk of Body as AsyncIterable<Buffer>) bytes += chunk.length;
  if (bytes !== expected) throw new Error(`got ${bytes} bytes instead of ${expected}`);
}

/** Leaves the hashing of bodies to TLS: the client's CPU would be measured instead of the server's. */
function unsignedPayloads(s3: S3Client): S3Client {
  s3.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayloads' },
  );
  return s3;
}

interface PlainMinio {
  readonly name: string;
  /** Runs instead of that of the image. */
  readonly program?: string;
  /** @default 1 */
  readonly drives?: number;
}

/** The deployment's own MinIO container once more, without a KMS and with volumes of its own. */
export async function startPlainMinio(
  environment: TestEnvironment,
  { name, program, drives = 1 }: PlainMinio,
): Promise<S3Client> {
  const { docker, owner } = environment;
  const { Config, HostConfig } = await docker.getContainer(environment.containerName('minio')).inspect();
  const [port] = await freePorts(1);
  // the label makes `down` remove all of them, whatever happens here
  const Labels = { [owner.name]: owner.value };
  const volumes = Array.from({ length: drives }, (_, index) => ({
    name: environment.containerName(`${name}-data-${index + 1}`),
    path: drives === 1 ? '/data' : `/drives/${index + 1}`,
  }));
  for (const volume of volumes) await docker.createVolume({ Name: volume.name, Labels });
  const container = await docker.createContainer({
    name: environment.containerName(name),
    Image: Config.Image,
    Labels,
    ...(Config.Entrypoint === undefined ? {} : { Entrypoint: Config.Entrypoint }),
    Cmd: [...Config.Cmd.slice(0, -1), drives === 1 ? '/data' : `/drives/{1...${drives}}`],
    User: Config.User,
    ExposedPorts: { '9000/tcp': {} },
    Env: Config.Env.filter((variable) => !variable.startsWith('MINIO_KMS_')),
    HostConfig: {
      ...HostConfig,
      Binds: [
        `${environment.containerName('minio-files')}:/files:ro`,
        ...volumes.map((volume) => `${volume.name}:${volume.path}`),
        ...(program === undefined ? [] : [`${program}:/usr/bin/minio:ro`]),
      ],
      Mounts: [],
      PortBindings: { '9000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
    },
  });
  await container.start();
  const endpoint = { url: `https://127.0.0.1:${port}`, caFile: environment.state.caCertificate };
  const http = new HttpClient(endpoint);
  await waitFor({ what: `the ${name} MinIO to be ready`, timeoutMs: 60_000 }, async () => {
    const { State } = await container.inspect();
    if (!State.Running) throw new GiveUp(new Error(`the ${name} MinIO ended: ${await containerLogs(container, 0)}`));
    const { status } = await http.send({ method: 'GET', path: '/minio/health/cluster' });
    return status === 200 ? true : new NotYet(`HTTP ${status}`);
  });
  http.close();
  return unsignedPayloads(
    s3Client({
      endpoint,
      region: environment.loaded.environment.minio.region,
      credentials: environment.credentials,
    }),
  );
}
