/** What is on the drive. */
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import type { Environment } from '../../config/environment';
import { masterKeys } from '../../config/environment';
import { CheckFailure, type DeploymentCheck, type Evidence } from './check';
import { filesOf, inspect, markedObject, type Sealing } from './disk';
import { allDone, put } from './objects';

/** The drive of MinIO inside its container. */
const DRIVE = '/data';
/** Folder of the objects in the bucket: one archive of it holds them all. */
const FOLDER = 'ciphertext-on-disk';

/** MinIO keeps the data of small objects in xl.meta, that of others in files: up to 128 KiB (storage-class.go). */
const SIZES = { inline: 4 * 1024, file: 1024 * 1024 } as const;

interface Mode {
  readonly name: string;
  readonly sealing: Sealing;
  readonly masterKey?: string;
  readonly options: Partial<PutObjectCommandInput>;
}

const ciphertextOnDisk: DeploymentCheck = {
  from: 'deployment',
  id: 'ciphertext-on-disk',
  title: 'What is on the drive is ciphertext, in every mode',
  proves:
    'For each mode, the plaintext of a small and of a 1 MiB object is nowhere in the files that MinIO wrote for them, ' +
    'and its metadata holds a data key sealed the right way.',
  doesNotProve: 'That objects which were written by earlier runs or before encryption was set up are encrypted.',
  severity: 'critical',
  run: async (context) => {
    const planted = modesOf(context.loaded.environment).flatMap((mode) =>
      Object.entries(SIZES).map(([kind, size]) => ({
        mode,
        object: markedObject(`${mode.name}-${kind}`, size, mode.sealing, mode.masterKey),
      })),
    );
    await allDone(
      planted.map(({ mode, object }) =>
        put(context, `${FOLDER}/${object.name}`, object.body, {
          ...mode.options,
          Metadata: { 'ebs-control': object.control },
        }),
      ),
    );
    const files = await filesOf(await context.readDrive(`${DRIVE}/${context.bucket}/${FOLDER}`));
    const findings = planted.map(({ object }) => ({ name: object.name, ...inspect(object, files) }));
    const evidence: Evidence = {
      filesSearched: files.length,
      bytesSearched: files.reduce((sum, { content }) => sum + content.length, 0),
      objects: Object.fromEntries(findings.map((finding) => [finding.name, finding.evidence])),
    };
    const problems = findings.flatMap((finding) => finding.problems);
    if (problems.length > 0) {
      throw new CheckFailure(
        problems.join('; '),
        'stop writing backups: MinIO stores what it says it encrypts in another way; see MINIO_KMS_* of its container',
        evidence,
      );
    }
    return evidence;
  },
};

/** In the order in which they are reported. */
export const atRestChecks: readonly DeploymentCheck[] = [ciphertextOnDisk];

/** Every way in which a client gets an object encrypted. */
function modesOf(environment: Environment): Mode[] {
  const { defaultKey, autoEncryption } = environment.minio;
  const kmsKey = masterKeys(environment).at(-1) ?? defaultKey;
  return [
    {
      name: 'sse-s3',
      sealing: 'sse-s3',
      masterKey: defaultKey,
      options: { ServerSideEncryption: 'AES256' },
    },
    {
      name: 'sse-kms',
      sealing: 'sse-kms',
      masterKey: kmsKey,
      options: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKey },
    },
    {
      name: 'sse-c',
      sealing: 'sse-c',
      options: { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') },
    },
    ...(autoEncryption ? [{ name: 'auto', sealing: 'sse-kms' as const, masterKey: defaultKey, options: {} }] : []),
  ];
}
