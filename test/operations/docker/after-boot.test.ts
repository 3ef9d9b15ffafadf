import type Docker from 'dockerode';
import { startContainers } from '../../../operations/docker/after-boot';

const BIND = 'listen tcp4 192.0.2.7:9000: bind: cannot assign requested address';

interface Container {
  readonly name: string;
  readonly policy?: string;
  readonly running?: boolean;
  /** Why Docker could not start it. */
  readonly error?: string;
  /** Why it cannot now. */
  readonly failure?: string;
}

/** A Docker with these containers, which notes those that it is asked to start. */
function engine(containers: readonly Container[]) {
  const started: string[] = [];
  const docker = {
    listContainers: () => Promise.resolve(containers.map(({ name }) => ({ Id: name }))),
    getContainer: (id: string) => {
      const {
        policy = 'always',
        running = false,
        error = '',
        failure,
      } = containers.find(({ name }) => name === id) ?? {};
      return {
        inspect: () =>
          Promise.resolve({
            Name: `/${id}`,
            State: { Running: running, Status: running ? 'running' : 'exited', Error: error },
            HostConfig: { RestartPolicy: { Name: policy } },
          }),
        start: () => {
          started.push(id);
          return failure === undefined ? Promise.resolve() : Promise.reject(new Error(failure));
        },
      };
    },
  };
  return { docker: docker as unknown as Docker, started };
}

test.each<[string, readonly Container[], string[], string[]]>([
  ['one that runs', [{ name: 'minio', running: true }], [], []],
  ['one that Docker could not start, and now can', [{ name: 'minio', error: BIND }], ['minio'], []],
  ['one that it still cannot', [{ name: 'minio', error: BIND, failure: BIND }], ['minio'], [`minio: ${BIND}`]],
  ['one that a person stopped', [{ name: 'minio' }], [], ['minio is stopped, and Docker has not tried to start it']],
  [
    'one that carries files',
    [
      { name: 'loader', policy: 'no' },
      { name: 'kes', running: true },
    ],
    [],
    [],
  ],
  ['none at all', [], [], ['Docker has no container of this environment']],
])('%s', async (_, containers, wanted, said) => {
  const { docker, started } = engine(containers);
  expect(await startContainers(docker, 'prod', { announce: () => undefined })).toEqual(said);
  expect(started).toEqual(wanted);
});

test('what it started is told, with why Docker could not', async () => {
  const announce = jest.fn();
  await startContainers(engine([{ name: 'minio', error: BIND }]).docker, 'prod', { announce });
  expect(announce.mock.calls).toEqual([[`started minio, which Docker could not: ${BIND}`]]);
});
