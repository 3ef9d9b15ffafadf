import { HeadObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { aws, mc, restic, writeCustomerKey } from '../../helpers/e2e/clients/clients';
import { describeTree, EMPTY_FILE, writeFileTree } from '../../helpers/e2e/file-tree';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';

/** A directory tree that is backed up and must come back byte for byte. */
export interface BackedUpTree {
  readonly folder: string;
  /** With links, as restic keeps them. */
  readonly everything: Record<string, string>;
  /** Without links, which S3 does not know. */
  readonly files: Record<string, string>;
}

export function writeBackedUpTree(environment: TestEnvironment): BackedUpTree {
  const folder = environment.folderFor('tree');
  writeFileTree(folder);
  return {
    folder,
    everything: describeTree(folder, { links: true }),
    files: describeTree(folder, { links: false }),
  };
}

/** What each client writes comes back, and was encrypted as the client asked. */
export function describeBackups(subject: () => { environment: TestEnvironment; tree: BackedUpTree }): void {
  describe('backing up and restoring a directory tree', () => {
    test('restic: backup, check of every byte, restore', async () => {
      const { environment, tree } = subject();
      await restic(environment, 'backup', ['init']);
      await restic(environment, 'backup', ['backup', '.'], tree.folder);
      await restic(environment, 'backup', ['check', '--read-data']);
      await expectResticRestores(environment, tree);
      expect(await encryptionOf(environment, 'backup', 'restic/')).toEqual(['AES256']);
    });

    const modes: [string, string, (key: string) => string[], string[]][] = [
      ['SSE-S3', 'backup', () => ['--sse', 'AES256'], ['AES256']],
      [
        'SSE-KMS with a key of its own',
        'backup',
        () => ['--sse', 'aws:kms', '--sse-kms-key-id', 'archive-key'],
        ['aws:kms arn:aws:kms:archive-key'],
      ],
      ['no header, into a bucket with SSE-KMS', 'archive', () => [], ['aws:kms arn:aws:kms:archive-key']],
      ['SSE-C', 'backup', (key) => ['--sse-c', 'AES256', '--sse-c-key', `fileb://${key}`], ['SSE-C AES256']],
    ];
    test.each(modes)('aws s3 cp --recursive, %s', async (mode, bucket, options, encryption) => {
      const { environment, tree } = subject();
      const key = writeCustomerKey(environment);
      const prefix = `aws ${mode}/`;
      const target = `s3://${bucket}/${prefix}`;
      const copy = ['s3', 'cp', '--recursive', '--only-show-errors', '--no-follow-symlinks'];
      // aws 2.9.19 of Debian 12 fails with a large file after an empty one in the same process: docs/clients.md
      await aws(environment, [...copy, ...options(key), '--exclude', EMPTY_FILE, tree.folder, target]);
      await aws(environment, [
        's3',
        'cp',
        ...options(key),
        path.join(tree.folder, EMPTY_FILE),
        `${target}${EMPTY_FILE}`,
      ]);

      const restored = path.join(environment.folderFor('aws'), mode);
      const keyOptions = mode === 'SSE-C' ? options(key) : [];
      await aws(environment, [...copy, ...keyOptions, target, restored]);
      expect(describeTree(restored, { links: false })).toEqual(tree.files);
      expect(await encryptionOf(environment, bucket, prefix, mode === 'SSE-C' ? key : undefined)).toEqual(encryption);
      if (mode === 'SSE-C') {
        const [name] = Object.keys(tree.files);
        await expect(aws(environment, ['s3', 'cp', `${target}${name}`, restored])).rejects.toThrow(/400|Bad Request/);
      }
      rmSync(restored, { recursive: true });
    });

    test('mc cp --recursive and mc mirror', async () => {
      const { environment, tree } = subject();
      const folder = environment.folderFor('mc');
      await mc(environment, ['cp', '--quiet', '--recursive', `${tree.folder}/`, 'e2e/backup/mc-cp/']);
      await mc(environment, ['cp', '--quiet', '--recursive', 'e2e/backup/mc-cp/', `${folder}/cp/`]);
      expect(withoutLink(describeTree(path.join(folder, 'cp'), { links: false }))).toEqual(tree.files);

      await mc(environment, ['mirror', '--quiet', tree.folder, 'e2e/archive/mc-mirror']);
      await mc(environment, ['mirror', '--quiet', 'e2e/archive/mc-mirror', `${folder}/mirror`]);
      expect(withoutLink(describeTree(path.join(folder, 'mirror'), { links: false }))).toEqual(tree.files);
      expect(await encryptionOf(environment, 'backup', 'mc-cp/')).toEqual(['AES256']);
    });
  });
}

export async function expectResticRestores(environment: TestEnvironment, tree: BackedUpTree): Promise<void> {
  const target = path.join(environment.folderFor('restic'), 'restored');
  await restic(environment, 'backup', ['restore', 'latest', '--target', target]);
  expect(describeTree(target, { links: true })).toEqual(tree.everything);
  rmSync(target, { recursive: true });
}

/** How the objects below a prefix say that they are encrypted; each answer once. */
async function encryptionOf(
  environment: TestEnvironment,
  bucket: string,
  prefix: string,
  customerKeyFile?: string,
): Promise<string[]> {
  const s3 = environment.s3();
  const answers = new Set<string>();
  try {
    for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix })) {
      for (const { Key } of page.Contents ?? []) {
        answers.add(await encryptionOfObject({ Bucket: bucket, Key }));
      }
    }
  } finally {
    s3.destroy();
  }
  return [...answers].sort();

  async function encryptionOfObject(object: { Bucket: string; Key: string | undefined }): Promise<string> {
    const head = await s3.send(new HeadObjectCommand({ ...object, ...customerKeyHeaders(customerKeyFile) }));
    if (head.SSECustomerAlgorithm !== undefined) return `SSE-C ${head.SSECustomerAlgorithm}`;
    return [head.ServerSideEncryption ?? 'none', ...(head.SSEKMSKeyId === undefined ? [] : [head.SSEKMSKeyId])].join(
      ' ',
    );
  }
}

/** mc follows the link and stores what it points to. */
function withoutLink({ 'link to letter': _, ...files }: Record<string, string>): Record<string, string> {
  return files;
}

function customerKeyHeaders(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  const key = readFileSync(file);
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key.toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
}
