import { mkdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { readToolchain, type Toolchain } from '../../../config/toolchain';
import { writeFindings } from '../../../operations/toolchain/findings';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const providers: Toolchain['providers'] = { source: 'mirror', docker: '4.6.0', vault: '5.9.0' };

function setUp() {
  const context = path.join(folder(), 'context');
  mkdirSync(context);
  const image = { context, hash: 'a'.repeat(64) };
  return { file: path.join(folder(), 'toolchain.json'), context, images: { vault: image, kes: image, minio: image } };
}

test('an environment with images of a registry does not take away those that another one built', () => {
  const { file, images, context } = setUp();
  writeFindings({ images, providers }, file);
  const current: Toolchain = { providers: { source: 'registry', docker: '4.6.0', vault: '5.11.0' } };
  writeFindings(current, file);
  expect(readToolchain(file)).toEqual({ ...current, images });

  rmSync(context, { recursive: true });
  writeFindings(current, file);
  expect(readToolchain(file)).toEqual(current);
});

test('the same findings are not written again', () => {
  const { file, images } = setUp();
  writeFindings({ images, providers }, file);
  utimesSync(file, 1, 1);
  writeFindings({ images, providers }, file);
  expect(statSync(file).mtimeMs).toBe(1000);
});
