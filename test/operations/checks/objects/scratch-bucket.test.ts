import { type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { deleteScratchBucket } from '../../../../operations/checks/objects/scratch-bucket';

const BUCKET = 'ebs-check-0123456789abcdef';

function refused(name: string, httpStatusCode: number): S3ServiceException {
  return new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode }, message: name });
}

/** A bucket with object lock and one version in it, which `remove` may take away. */
function locked(remove: (input: { readonly BypassGovernanceRetention?: boolean }) => boolean): {
  readonly s3: S3Client;
  readonly asked: string[];
} {
  let there = true;
  const asked: string[] = [];
  const answers: Readonly<Record<string, (input: object) => unknown>> = {
    ListMultipartUploadsCommand: () => ({}),
    ListObjectVersionsCommand: () => ({ Versions: there ? [{ Key: 'a', VersionId: '1' }] : [] }),
    DeleteObjectCommand: (input) => {
      there = !remove(input);
      return {};
    },
    DeleteBucketCommand: () => {
      if (there) throw refused('MethodNotAllowed', 405);
      return {};
    },
  };
  const send = async (command: { readonly constructor: { readonly name: string }; readonly input: object }) => {
    asked.push(command.constructor.name);
    return Promise.resolve(answers[command.constructor.name]?.(command.input));
  };
  return { s3: { send } as unknown as S3Client, asked };
}

test('a bucket with object lock is emptied, in spite of GOVERNANCE, and deleted', async () => {
  const { s3, asked } = locked(({ BypassGovernanceRetention }) => {
    if (BypassGovernanceRetention !== true) throw refused('InvalidRequest', 400);
    return true;
  });
  await deleteScratchBucket(s3, BUCKET);
  expect(asked.filter((command) => command === 'DeleteObjectCommand')).toHaveLength(2);
  expect(asked.at(-1)).toBe('DeleteBucketCommand');
});

test('a version that a DELETE does not take away ends it, instead of being deleted for ever', async () => {
  const { s3 } = locked(() => false);
  await expect(deleteScratchBucket(s3, BUCKET)).rejects.toThrow('a?versionId=1 is still there after it was deleted');
});
