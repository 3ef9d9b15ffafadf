/** Ordinary clients of the guarded MinIO, with the settings that they have by themselves. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { type ClientProgram, findClient, NO_AWS_SETTINGS } from '../../helpers/e2e/clients/client-programs';
import { output } from '../../helpers/e2e/command';
import { provideMoto } from '../../helpers/e2e/servers/moto';
import type { OtherStorage } from '../../helpers/e2e/servers/other-storage';
import { type Guard, LOCKABLE, LOCKED, mc, PLAIN } from './servers';

/** What a backup tool does with boto3: it fails at the first thing that is not as it should be. */
const BOTO3 = `
import boto3, datetime, io, os, sys, urllib.request, ssl
from botocore.client import Config
from boto3.s3.transfer import TransferConfig
url, ca, plain, locked, lockable = sys.argv[1:]
s3 = boto3.client('s3', endpoint_url=url, verify=ca, config=Config(signature_version='s3v4'))
read = lambda **which: s3.get_object(**which)['Body'].read()

# trailing checksums are the default
first = s3.put_object(Bucket=plain, Key='boto', Body=b'one')['VersionId']
s3.put_object(Bucket=plain, Key='boto', Body=b'two', Metadata={'a': 'b'}, Tagging='c=d')
assert read(Bucket=plain, Key='boto', VersionId=first) == b'one' and read(Bucket=plain, Key='boto') == b'two'

large = os.urandom(12 << 20)
s3.upload_fileobj(io.BytesIO(large), plain, 'large', Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
assert read(Bucket=plain, Key='large') == large

s3.copy_object(Bucket=plain, Key='copy', CopySource={'Bucket': plain, 'Key': 'boto', 'VersionId': first})
assert read(Bucket=plain, Key='copy') == b'one'
s3.copy({'Bucket': plain, 'Key': 'large'}, plain, 'large-copy', Config=TransferConfig(multipart_threshold=5 << 20))
assert read(Bucket=plain, Key='large-copy') == large

tls = ssl.create_default_context(cafile=ca)
put = s3.generate_presigned_url('put_object', {'Bucket': plain, 'Key': 'presigned'})
urllib.request.urlopen(urllib.request.Request(put, data=b'presigned', method='PUT'), context=tls).close()
get = s3.generate_presigned_url('get_object', {'Bucket': plain, 'Key': 'presigned'})
assert urllib.request.urlopen(get, context=tls).read() == b'presigned'
post = s3.generate_presigned_post(plain, 'posted')
assert set(post['fields']) >= {'key', 'policy'}

soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
later = soon + datetime.timedelta(seconds=1)
version = s3.put_object(Bucket=lockable, Key='locked', Body=b'x', ObjectLockMode='COMPLIANCE', ObjectLockRetainUntilDate=soon,
                        ObjectLockLegalHoldStatus='ON')['VersionId']
which = {'Bucket': lockable, 'Key': 'locked', 'VersionId': version}
s3.put_object_retention(**which, Retention={'Mode': 'COMPLIANCE', 'RetainUntilDate': later})
s3.put_object_legal_hold(**which, LegalHold={'Status': 'OFF'})
s3.put_object_tagging(**which, Tagging={'TagSet': [{'Key': 'a', 'Value': 'b'}]})
assert s3.get_object_retention(**which)['Retention']['Mode'] == 'COMPLIANCE'
assert s3.get_object_legal_hold(**which)['LegalHold']['Status'] == 'OFF'
try:
    s3.delete_object(**which)
    raise SystemExit('a version under COMPLIANCE was deleted')
except s3.exceptions.ClientError as error:
    assert error.response['Error']['Code'] in ('AccessDenied', 'InvalidRequest', 'ObjectLocked'), error.response

governed = s3.put_object(Bucket=locked, Key='governed', Body=b'x')['VersionId']
assert s3.get_object_retention(Bucket=locked, Key='governed')['Retention']['Mode'] == 'GOVERNANCE'
s3.delete_object(Bucket=locked, Key='governed', VersionId=governed, BypassGovernanceRetention=True)
s3.delete_objects(Bucket=plain, Delete={'Objects': [{'Key': 'boto', 'VersionId': first}, {'Key': 'copy'}]})
`;

function program(name: ClientProgram): string {
  const file = findClient(name);
  if (file === undefined) throw new Error(`no ${name} that works was found; ./scripts/test installs it`);
  return file;
}

const variables = (storage: OtherStorage) => ({
  ...storage.variables,
  AWS_DEFAULT_REGION: 'us-east-1',
  ...NO_AWS_SETTINGS,
});

export function describeClients(guard: () => Guard): void {
  describe('lets ordinary clients work', () => {
    let storage: OtherStorage;
    let folder: string;
    let source: string;
    beforeAll(() => {
      ({ storage } = guard().guarded);
      folder = path.join(path.dirname(storage.caFile), 'clients');
      source = path.join(folder, 'source');
      mkdirSync(path.join(source, 'inner'), { recursive: true });
      writeFileSync(path.join(source, 'small'), 'small');
      writeFileSync(path.join(source, 'inner', 'large'), randomBytes(9 * 1024 * 1024));
    });
    const same = (copy: string): void => {
      for (const file of ['small', 'inner/large']) {
        expect(readFileSync(path.join(copy, file)).equals(readFileSync(path.join(source, file)))).toBe(true);
      }
    };

    test('boto3: trailing checksums, parts, presigned URLs, copies of versions, object lock', async () => {
      const python = path.join(await provideMoto(), 'venv', 'bin', 'python');
      await output(python, ['-c', BOTO3, storage.url, storage.caFile, PLAIN, LOCKED, LOCKABLE], {
        env: variables(storage),
      });
    });

    test('aws s3 sync, there and back', async () => {
      const back = path.join(folder, 'aws');
      for (const [from, to] of [
        [source, `s3://${PLAIN}/aws`],
        [`s3://${PLAIN}/aws`, back],
      ] as const) {
        const args = ['--endpoint-url', storage.url, '--ca-bundle', storage.caFile, 's3', 'sync', from, to];
        await output(program('aws'), args, { env: variables(storage) });
      }
      same(back);
    });

    test('mc mirror, there and back, with attributes', async () => {
      const back = path.join(folder, 'mc');
      await mc(storage, ['mirror', '--preserve', source, `guard/${PLAIN}/mc`]);
      await mc(storage, ['mirror', '--preserve', `guard/${PLAIN}/mc`, back]);
      same(back);
      await mc(storage, ['rm', '--recursive', '--force', `guard/${PLAIN}/mc`]);
    });

    test('mc sets retention, legal hold and tags, and deletes in spite of GOVERNANCE', async () => {
      const object = `guard/${LOCKED}/by-mc`;
      await mc(storage, ['cp', path.join(source, 'small'), object]);
      await mc(storage, ['retention', 'set', '--bypass', 'governance', '2d', object]);
      await mc(storage, ['legalhold', 'set', object]);
      await mc(storage, ['legalhold', 'clear', object]);
      await mc(storage, ['tag', 'set', object, 'a=b']);
      await mc(storage, ['rm', '--versions', '--force', '--bypass', object]);
    });

    test('restic backs up, checks and restores', async () => {
      const restic = (args: readonly string[]): Promise<string> =>
        output(program('restic'), ['--cacert', storage.caFile, '-r', `s3:${storage.url}/${PLAIN}/restic`, ...args], {
          cwd: source,
          env: {
            ...variables(storage),
            RESTIC_PASSWORD: 'restic has a password of its own',
            RESTIC_CACHE_DIR: path.join(folder, 'restic-cache'),
          },
        });
      await restic(['init']);
      await restic(['backup', '.']);
      await restic(['check', '--read-data']);
      await restic(['restore', 'latest', '--target', path.join(folder, 'restic')]);
      same(path.join(folder, 'restic'));
    });

    test('rclone copies, in parts, and compares', async () => {
      const rclone = (args: readonly string[]): Promise<string> =>
        output(program('rclone'), ['--config', '/dev/null', '--ca-cert', storage.caFile, ...args], {
          env: {
            // it has a setting of its own for the CA, and no use for two
            AWS_CA_BUNDLE: undefined,
            // else the storage encrypts by SSE-KMS, and rclone takes its ETag for an MD5
            RCLONE_S3_SERVER_SIDE_ENCRYPTION: 'AES256',
            RCLONE_S3_PROVIDER: 'Minio',
            RCLONE_S3_ENDPOINT: storage.url,
            RCLONE_S3_ACCESS_KEY_ID: storage.credentials.accessKey,
            RCLONE_S3_SECRET_ACCESS_KEY: storage.credentials.secretKey.reveal(),
            RCLONE_S3_UPLOAD_CUTOFF: '5M',
            RCLONE_S3_CHUNK_SIZE: '5M',
          },
        });
      await rclone(['copy', source, `:s3:${PLAIN}/rclone`]);
      await rclone(['check', '--download', source, `:s3:${PLAIN}/rclone`]);
    });

    test('s3cmd puts, in parts, and gets', async () => {
      const s3cmd = (args: readonly string[]): Promise<string> => {
        const { host } = new URL(storage.url);
        const settings = ['--host', host, '--host-bucket', host, '--ca-certs', storage.caFile, '--region', 'us-east-1'];
        return output(program('s3cmd'), ['--config', '/dev/null', ...settings, ...args], { env: variables(storage) });
      };
      const copy = path.join(folder, 's3cmd');
      mkdirSync(path.join(copy, 'inner'), { recursive: true });
      for (const file of ['small', 'inner/large']) {
        const object = `s3://${PLAIN}/s3cmd/${file}`;
        await s3cmd(['put', '--multipart-chunk-size-mb', '5', path.join(source, file), object]);
        await s3cmd(['get', object, path.join(copy, file)]);
      }
      same(copy);
    });
  });
}
