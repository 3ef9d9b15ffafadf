import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createRootCredentials, replaceRootPassword } from '../../../operations/minio/create-root-credentials';
import { readCredentials } from '../../../operations/minio/s3-client';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const input = () => ({ rootFile: path.join(folder(), 'root.json'), configEnvFile: path.join(folder(), 'config.env') });
const forMinio = () => readFileSync(input().configEnvFile, 'utf8');

test('root credentials are made once; both files hold the same', async () => {
  await createRootCredentials(input());
  const { accessKey, secretKey } = readCredentials(input().rootFile);
  expect(forMinio()).toBe(`MINIO_ROOT_USER=${accessKey}\nMINIO_ROOT_PASSWORD=${secretKey.reveal()}\n`);

  await createRootCredentials(input());
  const again = readCredentials(input().rootFile);
  expect([again.accessKey, again.secretKey.reveal()]).toEqual([accessKey, secretKey.reveal()]);
});

test('another password leaves the user as it is', async () => {
  await createRootCredentials(input());
  const old = readCredentials(input().rootFile);

  replaceRootPassword(input());

  const { accessKey, secretKey } = readCredentials(input().rootFile);
  expect(accessKey).toBe(old.accessKey);
  expect(secretKey.reveal()).toMatch(/^[\w-]{40}$/);
  expect(secretKey.reveal()).not.toBe(old.secretKey.reveal());
  expect(forMinio()).toBe(`MINIO_ROOT_USER=${accessKey}\nMINIO_ROOT_PASSWORD=${secretKey.reveal()}\n`);
});
