import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Toolchain } from '../../../config/toolchain';
import { readToolchain, registryToolchain, writeFindings } from '../../../operations/toolchain/findings';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const providers: Toolchain['providers'] = { source: 'mirror', docker: '4.6.0', vault: '5.9.0' };

test('reads what the toolchain step found', () => {
  // GIVEN
  const image = { context: '/cache/kes', hash: 'f'.repeat(64) };
  const toolchain = {
    images: { vault: image, kes: image, minio: image },
    providers: { source: 'mirror', docker: '4.6.0', vault: '5.9.0' },
  };
  const file = path.join(folder(), 'toolchain.json');
  writeFileSync(file, JSON.stringify(toolchain));

  // THEN
  expect(readToolchain(file)).toEqual(toolchain);
});

test('is the registry where the toolchain step never ran', () => {
  expect(readToolchain(path.join(folder(), 'none.json'))).toBe(registryToolchain);
  expect(registryToolchain.images).toBeUndefined();
});

test('refuses what the toolchain step would not have written', () => {
  const file = path.join(folder(), 'toolchain.json');
  writeFileSync(file, JSON.stringify({ providers: { source: 'disk', docker: '4.6.0', vault: '5.9.0' } }));
  expect(() => readToolchain(file)).toThrow(/providers/);
});

test.each([
  ['mirror', '4.6.0', '1.9.0'],
  ['mirror', '4.6.0', '5.6.0'],
  ['registry', '4.6.0', '1.9.0'],
])('refuses what an earlier version of the project found: %s, docker %s, vault %s', (source, docker, vault) => {
  const file = path.join(folder(), 'toolchain.json');
  writeFileSync(file, JSON.stringify({ providers: { source, docker, vault } }));
  expect(thrownBy(() => readToolchain(file))).toMatchObject({
    message: `${file} is from another version of this project: its providers are docker ${docker} and vault ${vault}, not 4.6.0 and 5.9.0`,
    hint: 'run ./scripts/toolchain; nothing was changed',
  });
});

test('takes another version of a provider from the registry, where it was asked for', () => {
  const file = path.join(folder(), 'toolchain.json');
  const providers = { source: 'registry', docker: '4.6.0', vault: '5.11.0' };
  writeFileSync(file, JSON.stringify({ providers }));
  expect(readToolchain(file)).toEqual({ providers });
});

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
