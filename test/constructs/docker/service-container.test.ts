import { FileVolume, ServiceContainer } from '../../../constructs/docker';
import { deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const deployment = deploymentWith();

const MINIMAL = {
  name: 'ebs-local-kes',
  deployment,
  image: 'kes:1',
  command: ['/usr/bin/kes', 'server'],
  networks: ['ebs-local'],
  alias: 'kes',
  memoryMb: 256,
} as const;

test('a service with minimal properties has nothing that it does not need', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const container = new ServiceContainer(stack, 'Kes', MINIMAL);

  // THEN
  const resource = synth(stack).resource('docker_container');
  expect(resource).toMatchObject({
    name: 'ebs-local-kes',
    image: 'kes:1',
    entrypoint: ['/usr/bin/kes'],
    command: ['server'],
    user: '65532:65532',
    read_only: true,
    capabilities: { drop: ['ALL'] },
    security_opts: ['no-new-privileges'],
    ulimit: [{ name: 'nproc', soft: 8192, hard: 8192 }],
    memory: 256,
    memory_swap: 256,
    tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
    restart: 'always',
    stop_signal: 'SIGTERM',
    stop_timeout: 10,
    destroy_grace_seconds: 10,
    log_driver: 'json-file',
    log_opts: { 'max-size': '10m', 'max-file': '5' },
    labels: [{ label: 'encrypted-backup-storage.environment', value: 'local' }],
    networks_advanced: [{ name: 'ebs-local', aliases: ['kes'] }],
    env: [],
    ports: [],
    volumes: [],
  });
  expect(resource).not.toHaveProperty('healthcheck');
  expect(resource).not.toHaveProperty('depends_on');
  expect(resource).not.toHaveProperty('privileged');
  expect(container.name).toBe('ebs-local-kes');
});

test('a service with maximal properties', () => {
  // GIVEN
  const stack = newStack();
  const files = new FileVolume(stack, 'Files', { name: 'files', deployment, image: 'kes:1', files: [] });

  // WHEN
  new ServiceContainer(stack, 'Kes', {
    ...MINIMAL,
    volumes: [
      { name: files.name, path: '/files', readOnly: true },
      { name: 'data', path: '/data', readOnly: false },
    ],
    ports: [{ container: 7373, host: 17373, address: '127.0.0.1' }],
    variables: { A: '1', B: 'two words' },
    healthCheck: { command: ['kes', 'status'], intervalSeconds: 10 },
    stopSeconds: 30,
    dependsOn: [files.dependable],
  });

  // THEN
  expect(synth(stack).resource('docker_container', 'Kes')).toMatchObject({
    volumes: [
      { volume_name: 'files', container_path: '/files', read_only: true },
      { volume_name: 'data', container_path: '/data', read_only: false },
    ],
    ports: [{ internal: 7373, external: 17373, ip: '127.0.0.1' }],
    env: ['A=1', 'B=two words'],
    healthcheck: { test: ['CMD', 'kes', 'status'], interval: '10s', timeout: '5s', start_period: '30s', retries: 3 },
    stop_timeout: 30,
    destroy_grace_seconds: 30,
    depends_on: [expect.stringMatching(/^docker_container\.Files_Loader/)],
  });
});

test('a health check runs every 5 seconds unless told otherwise', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new ServiceContainer(stack, 'Kes', { ...MINIMAL, healthCheck: { command: ['kes', 'status'] } });

  // THEN
  expect(synth(stack).resource('docker_container')).toHaveProperty('healthcheck.interval', '5s');
});
