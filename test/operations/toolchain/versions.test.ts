import { kes, mc, minio, dockerProvider, vault, vaultProvider } from '../../../operations/toolchain/go/programs';
import { mainModule, shippedVersions } from '../../../operations/toolchain/versions';
import { parseEnvironment } from '../../../config/load';
import { BUILT, FILESYSTEM, FROM_REGISTRY, HOSTS } from '../../helpers/deployment';

test.each([
  [minio, 'github.com/minio/minio'],
  [mc, 'github.com/minio/mc'],
  [kes, 'github.com/minio/kes'],
  [vault, 'github.com/hashicorp/vault'],
  [vaultProvider, 'github.com/hashicorp/terraform-provider-vault'],
  // the module that replaces the one of its package
  [dockerProvider, 'github.com/kreuzwerker/terraform-provider-docker'],
])('the module of $name is found in its go.mod', (program, name) => {
  const found = mainModule(program);
  expect(found.name).toBe(name);
  expect(found.version).toMatch(/^v\d+\.\d+\.\d+/);
});

test.each([
  ['one host', 'name: local', ['kes', 'minio', 'vault']],
  ['keys in files', FILESYSTEM, ['kes', 'minio']],
  ['three hosts', `name: local\n${HOSTS}`, ['haproxy', 'kes', 'minio', 'vault']],
])('with %s each program that is deployed has a version and an image', async (_, text, programs) => {
  const shipped = await shippedVersions(parseEnvironment(text, 'local.yaml'), BUILT);
  expect(Object.keys(shipped.programs).sort()).toEqual(programs);
  expect(shipped.programs.minio).toEqual({
    image: `encrypted-backup-storage/minio:${'c'.repeat(16)}`,
    version: expect.stringMatching(/^v0\.0\.0-\S+ with guard [0-9a-f]{8}$/) as unknown,
  });
});

test('an image of a registry is its own version', async () => {
  const shipped = await shippedVersions(parseEnvironment(`name: local\n${FROM_REGISTRY}`, 'local.yaml'), BUILT);
  const image = `quay.io/minio/minio@sha256:${'3'.repeat(64)}`;
  expect(shipped.programs.minio).toEqual({ image, version: image });
});
