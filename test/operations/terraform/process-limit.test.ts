import { howToLimitProcesses } from '../../../operations/terraform/process-limit';

test.each([
  [
    'as runc says it',
    [
      'Error: Unable to start container: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error setting rlimits for ready process: error setting rlimit type 6: operation not permitted: unknown',
    ],
  ],
  [
    'as Terraform wraps it',
    ['error setting rlimits for ready process: error setting rlimit', 'type 6: operation not permitted'],
  ],
])('a limit that the engine may not raise is named, %s', (_, output) => {
  expect(howToLimitProcesses(output, 8192)).toBe(
    'the Docker engine may not give a container 8192 processes: set docker.processLimit to what `ulimit -Hu` prints where it runs, or less, and run this again',
  );
});

test('another failure is another thing', () => {
  expect(howToLimitProcesses(['error setting rlimit type 7: operation not permitted'], 8192)).toBeUndefined();
});
