/** `./scripts/encrypt`: encrypts objects that were written without encryption. */
import { pinEngines } from '../config/docker/docker-engine';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { printable } from '../operations/lib/text/printable';
import { someOf } from '../operations/minio/drives/heal';
import {
  bucketsToEncrypt,
  encryptSteps,
  type Found,
  KINDS,
  plainVersions,
} from '../operations/minio/objects/encrypt-deployment';
import { defaultRetention } from '../operations/minio/objects/encrypt-objects';
import { openS3 } from '../operations/minio/s3-client';
import { requireMinioSecrets } from '../operations/state/deployed';
import { loadEnvironment } from '../operations/state/load';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
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

const OPTIONS = { bucket: TEXT, 'dry-run': FLAG, json: FLAG };

void command('encrypt', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const loaded = loadEnvironment(positionals[0]);
  const { environment, argument } = loaded;
  requireMinioSecrets(loaded);
  pinEngines(environment);
  const s3 = openS3(loaded, { as: 'minioObjects' });
  const options = { s3, dryRun: values['dry-run'] ?? false };
  const found: Found = { configuration: [], buckets: [] };
  try {
    const buckets = await bucketsToEncrypt(loaded, options, values.bucket);
    for (const bucket of buckets) {
      const period = await defaultRetention(s3, bucket);
      if (period === undefined) continue;
      // beside the results, which may be JSON
      process.stderr.write(`${bucket}: what is written again is locked for ${period} by the default retention\n`);
    }
    await showSteps(encryptSteps(loaded, options, buckets, values.bucket, found), signal);
  } catch (error) {
    if (signal.aborted || error instanceof UsageError || error instanceof ExternalError) throw error;
    throw new ExternalError(
      `MinIO of ${environment.name} does not do its part: ${messageOf(error)}`,
      `\`./scripts/check ${argument}\` says what is away; then run it again: it goes on with what is left`,
      { cause: error },
    );
  } finally {
    s3.destroy();
  }
  if (values.json) process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
  else {
    const sum = (count: 'looked' | 'encrypted'): number =>
      found.buckets.reduce((all, result) => all + result[count], 0);
    process.stdout.write(
      `Encrypted ${sum('encrypted')} objects of ${environment.name}, looked at ${sum('looked')} versions.\n`,
    );
  }
  requireNonePlain(found);
});

function requireNonePlain({ configuration, buckets }: Found): void {
  const plain = plainVersions(buckets);
  if (plain === undefined && configuration.length === 0) return;
  const names = KINDS.flatMap((kind) =>
    buckets.flatMap(({ bucket, left }) => left[kind].names.map((name) => `${kind}: ${bucket}/${printable(name)}`)),
  );
  const files = configuration.length === 0 ? [] : [`${configuration.length} files of users and settings`];
  throw new ExternalError(
    [
      `not everything is encrypted: ${[plain ?? [], files].flat().join(', ')}`,
      ...someOf([...configuration, ...names]),
    ].join('\n  '),
    'current ones: run it without --dry-run, or see why each failed; older and locked ones end when they expire or are ' +
      'deleted: docs/moving-in.md; --json names more',
  );
}
