/** `./scripts/encrypt`: encrypts objects that were written without encryption. */
import { GetBucketEncryptionCommand, ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import { pinEngines } from '../config/docker/docker-engine';
import { EARLIER_OBJECTS_BUCKET } from '../config/deployment-names';
import { nearest } from '../config/spelling';
import { isScratchBucket } from '../operations/checks/objects/scratch-bucket';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { printable } from '../operations/lib/text/printable';
import type { Step } from '../operations/lib/step';
import { readableDrives } from '../operations/minio/drives/drives';
import { encryptConfiguration } from '../operations/minio/objects/encrypt-configuration';
import {
  defaultRetention,
  type Encrypted,
  encryptBucket,
  type Kind,
} from '../operations/minio/objects/encrypt-objects';
import { someOf } from '../operations/minio/drives/heal';
import { openAdmin } from '../operations/minio/minio-admin';
import { statusOf } from '../operations/minio/objects/provision-buckets';
import { openS3 } from '../operations/minio/s3-client';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { requireSecrets } from '../operations/state/intact-state';
import { loadEnvironment, type LoadedEnvironment } from '../operations/state/load';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/encrypt [environment] [--bucket BUCKET] [--dry-run] [--json]

Looks at every version of every object, and writes each current one that is not encrypted again, under the key of its
bucket: objects of a MinIO that was adopted, or from before a bucket had its encryption. Metadata, tags and type stay.
What a client changes meanwhile is not overwritten. Run it again after an interruption: it goes on with what is left.
Users, policies, access keys and settings that a MinIO without KMS wrote are encrypted as well.

Older versions and locked ones are left as they are, and named. Where a bucket keeps versions, the one that was written
without encryption stays as an older one. They end when they expire or are deleted: docs/moving-in.md.
Where a bucket has a default retention, what is written again is locked from then on, even if its own lock has ended. In
mode compliance nothing ends that early. --dry-run names these buckets.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --bucket      only this bucket
  --dry-run     write nothing
  --json        print what came of it as JSON, with up to 10000 names of each kind
  -h, --help    this text

${EXIT_CODES_HELP.replace('failed; the error says', 'versions are not encrypted still, or it failed; the error says')}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('encrypt', args, {
    bucket: { type: 'string' },
    'dry-run': { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const loaded = loadEnvironment(positionals[0]);
  requireDeployed(loaded);
  pinEngines(loaded.environment);
  const s3 = openS3(loaded, { as: 'minioObjects' });
  const dryRun = values['dry-run'] === true;
  const results: Encrypted[] = [];
  const configuration: string[] = [];
  try {
    const buckets = await bucketsOf(s3, loaded, { only: values.bucket, dryRun });
    for (const bucket of buckets) await announceRetention(s3, bucket);
    const steps = buckets.map((bucket) => stepFor(s3, bucket, dryRun, results));
    if (values.bucket === undefined) steps.unshift(configurationStep(loaded, dryRun, configuration));
    await showSteps(steps, signal);
  } catch (error) {
    if (signal.aborted || error instanceof UsageError || error instanceof ExternalError) throw error;
    throw new ExternalError(
      `MinIO of ${loaded.environment.name} does not do its part: ${messageOf(error)}`,
      `\`./scripts/check ${loaded.argument}\` says what is away; then run it again: it goes on with what is left`,
      { cause: error },
    );
  } finally {
    s3.destroy();
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ configuration, buckets: results }, null, 2)}\n`);
  else process.stdout.write(summaryOf(results, loaded));
  requireNonePlain(results, configuration);
});

function configurationStep(loaded: LoadedEnvironment, dryRun: boolean, found: string[]): Step {
  const { environment, state } = loaded;
  return {
    title: 'Users, policies and settings',
    run: async () => {
      const admin = openAdmin(loaded, 'minioIam');
      try {
        const sources = { admin, drives: readableDrives(loaded), exportFile: state.secret.iamExport };
        const run = async () => encryptConfiguration(sources, dryRun);
        const { encrypted, left } = dryRun
          ? await run()
          : await withDeploymentLock(state, `encrypting the users of ${environment.name}`, run);
        found.push(...left);
        if (left.length > 0) return `${left.length} plain`;
        return encrypted === 0 ? 'encrypted already' : `${encrypted} files encrypted`;
      } finally {
        admin.close();
      }
    },
  };
}

function requireDeployed({ environment, state, argument }: LoadedEnvironment): void {
  if (existsSync(state.secret.minioRoot)) return;
  requireSecrets(environment.name, state);
  throw new UsageError(`environment ${environment.name} is not deployed`, `deploy it with: ./scripts/up ${argument}`);
}

/** @throws UsageError where what is written would not be encrypted either, or the bucket is not there */
async function bucketsOf(
  s3: S3Client,
  { environment }: LoadedEnvironment,
  { only, dryRun }: { readonly only: string | undefined; readonly dryRun: boolean },
): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const there = Buckets.flatMap(({ Name }) => Name ?? []).filter((name) => !isScratchBucket(name));
  if (only !== undefined && !there.includes(only)) {
    const meant = nearest(only, there);
    throw new UsageError(
      `--bucket: there is no bucket ${only} in ${environment.name}`,
      meant === undefined ? `there are ${there.join(', ') || 'none'}` : `did you mean ${meant}?`,
    );
  }
  const named = there.filter((name) => only === undefined || name === only);
  if (environment.minio.autoEncryption) return named;
  // each of its objects is written with encryption of its own
  const buckets = named.filter((name) => name !== EARLIER_OBJECTS_BUCKET);
  if (dryRun) return buckets;
  const bare: string[] = [];
  for (const name of buckets) if (!(await hasEncryption(s3, name))) bare.push(name);
  if (bare.length > 0) {
    throw new UsageError(
      `objects of ${bare.join(', ')} would be written without encryption again: minio.autoEncryption is false, and ` +
        `${bare.length === 1 ? 'the bucket has' : 'the buckets have'} no default encryption`,
      'declare each in buckets, or name one that has it by --bucket; nothing was changed',
    );
  }
  return buckets;
}

/** Beside the results, which may be JSON. */
async function announceRetention(s3: S3Client, bucket: string): Promise<void> {
  const period = await defaultRetention(s3, bucket);
  if (period === undefined) return;
  process.stderr.write(`${bucket}: what is written again is locked for ${period} by the default retention\n`);
}

async function hasEncryption(s3: S3Client, Bucket: string): Promise<boolean> {
  try {
    await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

function stepFor(s3: S3Client, bucket: string, dryRun: boolean, results: Encrypted[]): Step {
  return {
    title: bucket,
    run: async ({ report, signal }) => {
      const result = await encryptBucket(s3, bucket, { dryRun, signal, report });
      results.push(result);
      const { looked, encrypted } = result;
      const plain = plainOf([result]);
      return `${looked} looked at${dryRun ? '' : `, ${encrypted} encrypted`}, ${plain === '' ? 'none plain' : plain}`;
    },
  };
}

const KINDS: readonly Kind[] = ['current', 'older', 'locked'];

/** `3 current, 2 locked`; empty if there are none. */
function plainOf(results: readonly Encrypted[]): string {
  const counts = KINDS.map((kind) => [kind, results.reduce((sum, { left }) => sum + left[kind].count, 0)] as const);
  const some = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`);
  return some.length === 0 ? '' : `versions that are plain: ${some.join(', ')}`;
}

function summaryOf(results: readonly Encrypted[], { environment }: LoadedEnvironment): string {
  const sum = (count: 'looked' | 'encrypted'): number => results.reduce((all, result) => all + result[count], 0);
  return `Encrypted ${sum('encrypted')} objects of ${environment.name}, looked at ${sum('looked')} versions.\n`;
}

function requireNonePlain(results: readonly Encrypted[], configuration: readonly string[]): void {
  const plain = plainOf(results);
  if (plain === '' && configuration.length === 0) return;
  const names = KINDS.flatMap((kind) =>
    results.flatMap(({ bucket, left }) => left[kind].names.map((name) => `${kind}: ${bucket}/${printable(name)}`)),
  );
  throw new ExternalError(
    [
      `not everything is encrypted: ${[plain, configuration.length === 0 ? '' : `${configuration.length} files of users and settings`].filter(Boolean).join(', ')}`,
      ...someOf([...configuration, ...names]),
    ].join('\n  '),
    'current ones: run it without --dry-run, or see why each failed; older and locked ones end when they expire or are ' +
      'deleted: docs/moving-in.md; --json names more',
  );
}
