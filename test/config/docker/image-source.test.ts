import { imageSource } from '../../../config/docker/image-source';
import { parseEnvironment } from '../../../config/load';
import { UsageError } from '../../../operations/lib/errors';
import { BUILT, digest, FROM_REGISTRY, REGISTRY } from '../../helpers/deployment';
import { thrownBy } from '../../helpers/thrown';

const deployment = (more = '', toolchain = BUILT) => ({
  environment: parseEnvironment(`name: prod\n${more}`, 'test.yaml'),
  toolchain,
});

describe('images', () => {
  test('are built from what the toolchain step prepared', () => {
    expect(imageSource(deployment(), 'kes')).toEqual({
      kind: 'build',
      repository: 'encrypted-backup-storage/kes',
      context: '/cache/kes',
      hash: 'b'.repeat(64),
    });
  });

  test('come from a registry where the environment says so, whatever the toolchain step prepared', () => {
    const reference = `quay.io/minio/kes@${digest('2')}`;
    expect(imageSource(deployment(FROM_REGISTRY), 'kes')).toEqual({ kind: 'registry', reference });
    expect(imageSource(deployment(FROM_REGISTRY, REGISTRY), 'kes')).toEqual({ kind: 'registry', reference });
  });

  test('cannot be built before the toolchain step', () => {
    const error = thrownBy(() => imageSource(deployment('', REGISTRY), 'vault'));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe('the images of this environment are to be built, but nothing was built yet');
    expect(error).toHaveProperty('hint', 'run ./scripts/toolchain (./scripts/up does it, too)');
  });

  test('of Vault must be named where it is needed', () => {
    const external = `vault: { mode: external }${FROM_REGISTRY.replace(/ {2}vault: .*\n/, '')}`;
    const error = thrownBy(() => imageSource(deployment(external), 'vault'));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe('images.vault: must be given, got nothing');
  });
});
