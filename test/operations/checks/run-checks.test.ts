import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { reportSchema } from '../../../operations/checks/report/model';
import { ExternalError } from '../../../operations/lib/errors';
import { runChecks } from '../../../operations/checks/run-checks';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { fakeDeployment, fakeDocker } from './fakes';

const folder = useTemporaryFolder();

test('a deployment that protects nothing fails with the messages of its checks, and leaves a report', async () => {
  const written: string[] = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  // says yes to everything
  const { port, loaded, close } = await fakeDeployment(folder(), (_, response) => response.end());
  const { close: closeKes, port: kesPort } = await fakeDeployment(folder(), (_, response) => response.end());
  const docker = await fakeDocker(folder(), () => ({ Running: true, Status: 'running', ExitCode: 0 }));
  const environmentFile = path.join(folder(), 'test.yaml');
  writeFileSync(
    environmentFile,
    `name: test
keyStore: { type: filesystem }
docker: { host: ${docker.host} }
minio: { port: ${port} }
kes: { port: ${kesPort} }
state: { backend: local, directory: ${folder()} }
`,
  );
  const listeners = process.listenerCount('SIGINT');
  process.env.EBS_ENVIRONMENT = environmentFile;
  const error = await rejectionOf(runChecks());
  delete process.env.EBS_ENVIRONMENT;
  await close();
  await closeKes();
  await docker.close();
  jest.restoreAllMocks();

  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toMatch(/^the deployment did not pass its checks \(\d+ passed, \d+ failed, /);
  expect(error.message).toContain(
    '\n  sse-s3-round-trip: the answer to the PUT says encryption none, expected AES256 (empty, small, 1 MiB)\n',
  );
  expect(error.message).toContain('\n  key-continuity: backup-default: has no canary in keys.json');
  const text = readFileSync(path.join(loaded.state.reports, 'checks.json'), 'utf8');
  const report = reportSchema.parse(JSON.parse(text));
  expect(report).toMatchObject({ environment: 'test', endpoint: `https://127.0.0.1:${port}`, outcome: 'failed' });
  expect(written.filter((line) => /^[✔✘?–] /.test(line))).toHaveLength(report.results.length);
  for (const output of [text, error.message, ...written]) expect(output).not.toContain('the-secret-key');
  expect(process.listenerCount('SIGINT')).toBe(listeners);
  // the whole catalogue runs
}, 60_000);
