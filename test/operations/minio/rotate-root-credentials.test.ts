import fs from 'node:fs';
import path from 'node:path';
import type { RotationContext } from '../../../operations/state/rotation-context';
import { rotateRootCredentials } from '../../../operations/minio/rotate-root-credentials';
import type { StepContext } from '../../../operations/lib/step';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const CONTEXT: StepContext = {
  report: () => undefined,
  announce: () => undefined,
  signal: new AbortController().signal,
};
const KNOWN = JSON.stringify({ accessKey: 'root', secretKey: 'what MinIO knows' });

afterEach(() => {
  jest.restoreAllMocks();
});

function newPassword() {
  const environment = loaded(folder());
  const file = environment.state.secret.minioRoot;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, KNOWN);
  const context = {
    loaded: environment,
    deploy: (title: string) => ({ title, run: () => Promise.resolve(undefined) }),
  } as unknown as RotationContext;
  const [make] = rotateRootCredentials(context);
  if (make === undefined) throw new Error('there is no step');
  return { file, old: `${file}.previous`, make };
}

test('the password that MinIO knows is kept, also when a new one is made again', async () => {
  const { file, old, make } = newPassword();
  await make.run(CONTEXT);
  await make.run(CONTEXT);
  expect(fs.readFileSync(old, 'utf8')).toBe(KNOWN);
  expect(fs.readFileSync(file, 'utf8')).not.toBe(KNOWN);
});

test('it is kept whole or not at all, and made over only then', async () => {
  // GIVEN a disk that takes no byte of the copy
  const { file, old, make } = newPassword();
  jest.spyOn(fs, 'writeSync').mockImplementation(() => {
    throw new Error('ENOSPC: no space left on device');
  });
  await rejectionOf(make.run(CONTEXT));
  expect(fs.existsSync(old)).toBe(false);

  // WHEN there is space again
  jest.restoreAllMocks();
  await make.run(CONTEXT);
  expect(fs.readFileSync(old, 'utf8')).toBe(KNOWN);
  expect(fs.readFileSync(file, 'utf8')).not.toBe(KNOWN);
});
