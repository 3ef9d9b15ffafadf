import { Deployment } from '../../constructs/deployment';
import { Foundation } from '../../constructs/foundation';
import { KesConfigurationFile, KesServer } from '../../constructs/kes/kes-server';
import { MasterKeys } from '../../constructs/kes/master-keys';
import { MinioServer } from '../../constructs/minio/minio-server';
import { UsageError } from '../../operations/lib/errors';
import { BUILT } from '../helpers/deployment';
import { newStack, synth } from '../helpers/synth';
import { thrownBy } from '../helpers/thrown';

const PROPS = { name: 'photos', stateDirectory: '/state/photos', imageContexts: BUILT.images };

test('a deployment needs a name and images, and starts the operations that come with it', () => {
  const deployment = new Deployment(PROPS);
  expect(deployment.state.root).toBe('/state/photos');
  expect(deployment.node.minio.container).toBe('ebs-photos-minio');
  expect(deployment.runner).toMatchObject({
    program: expect.stringMatching(/\/operations\/run$/) as string,
    variables: { DOCKER_HOST: 'unix:///var/run/docker.sock' },
    journal: '/state/photos/operations',
  });
  expect(deployment.allowsDataLoss).toBe(false);
});

test('the engine is the one that the settings name, whatever this machine is set to', () => {
  const deployment = new Deployment({ ...PROPS, docker: { host: 'ssh://backup@store.example.com' } });
  expect(deployment.engine).toMatchObject({ host: 'ssh://backup@store.example.com', transport: 'ssh' });
  expect(deployment.runner.variables).toMatchObject({ DOCKER_HOST: 'ssh://backup@store.example.com' });
});

test('everything that is wrong with the settings is said at once', () => {
  const error = thrownBy(() => new Deployment({ ...PROPS, kes: { port: 0 }, buckets: [{ name: 'My.Bucket' }] }));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toMatch(/^deployment photos has 2 problems:\n {2}kes\.port: .*\n {2}buckets\[0\]\.name: /);
});

describe('all in one stack, with master keys as files', () => {
  const stack = newStack();
  const deployment = new Deployment({ ...PROPS, keyStore: { type: 'filesystem' } });
  deployment.useDocker(stack);
  const { ca } = new Foundation(stack, 'Foundation', { deployment });
  const configuration = new KesConfigurationFile(stack, 'Configuration', { deployment, ca });
  const kes = new KesServer(stack, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });
  const keys = new MasterKeys(stack, 'Keys', { deployment, kes });
  new MinioServer(stack, 'Minio', { deployment, kes: keys.asKmsFor('minio'), certificate: ca.issue('minio') });
  const synthesized = synth(stack);

  test('servers wait for image and network', () => {
    for (const server of ['Kes_Server', 'Minio_Server']) {
      expect(synthesized.resource('docker_container', server)).toMatchObject({
        image: expect.stringMatching(/^\$\{docker_image\.Foundation_.*\.name\}$/) as string,
        networks_advanced: [{ name: expect.stringMatching(/^\$\{docker_network\.Foundation_.*\.name\}$/) as string }],
      });
    }
  });

  test('files wait for the operation that makes them, and the plan does not take them for absent', () => {
    const uploads = ['Kes_Files_Loader', 'Minio_Files_Loader'].flatMap(
      (loader) => synthesized.resource('docker_container', loader).upload as { source: string; source_hash: string }[],
    );
    for (const { source, source_hash } of uploads) {
      expect({ source, source_hash }).toEqual({
        source,
        source_hash: expect.stringMatching(/^\$\{terraform_data\..*\.id\} \$\{fileexists/) as string,
      });
    }
  });

  test('MinIO and its volume wait for the keys: a key is not created beside a volume that it may have been lost to', () => {
    const keysFirst = expect.arrayContaining([expect.stringMatching(/^terraform_data\.Keys_Create/)]) as unknown;
    expect(synthesized.resource('docker_container', 'Minio_Server').depends_on).toEqual(keysFirst);
    expect(synthesized.resource('docker_volume', 'Minio_Data').depends_on).toEqual(keysFirst);
  });

  test('KES brings the volume of its keys', () => {
    expect(synthesized.resource('docker_volume', 'Kes_Keys')).toMatchObject({
      name: 'ebs-photos-kes-keys',
      lifecycle: { prevent_destroy: true },
    });
  });
});
