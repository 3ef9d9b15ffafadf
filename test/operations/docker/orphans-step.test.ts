import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { idleOrphansStep, orphansStep } from '../../../operations/docker/orphans-step';
import { useStateBucket } from '../../helpers/servers/state-bucket';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const bucket = useStateBucket();
const asked: string[] = [];
let docker: Server;
let socket: string;

beforeEach(async () => {
  asked.length = 0;
  socket = path.join(folder(), 'docker.sock');
  // a Docker with one container
  docker = createServer(({ method, url = '' }, response) => {
    const { pathname } = new URL(url, 'http://docker');
    asked.push(`${method ?? ''} ${pathname}`);
    const answers: Record<string, unknown> = {
      '/containers/json': [{ Id: 'kes', Names: ['/ebs-demo-kes'], State: 'created', Created: 1 }],
      '/volumes': { Volumes: [] },
      '/networks': [],
    };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[pathname] ?? {}));
  });
  docker.listen(socket);
  await once(docker, 'listening');
});
afterEach(() => {
  docker.close();
});

test.each([
  ['a deploy', orphansStep],
  ['a rotation', idleOrphansStep],
])('before %s a state that cannot be read is a remark, and nothing is removed', async (_, stepOf) => {
  // GIVEN
  const state = stateLayout('demo', folder());
  mkdirSync(state.root, { recursive: true });
  writeFileSync(state.deployment, '{}');
  const text = `name: demo\ndocker: { host: "unix://${socket}" }\n${bucket.setting()}`;
  const loaded = { environment: parseEnvironment(text, 'demo.yaml'), file: 'demo.yaml', argument: 'demo', state };
  bucket.refusal = 'AccessDenied';

  // WHEN
  const announced: string[] = [];
  const announce = (line: string): void => void announced.push(line);
  const { signal } = new AbortController();
  const done = await stepOf(loaded).run({ announce, report: () => undefined, signal });

  // THEN
  expect(done).toBeUndefined();
  expect(announced).toEqual([
    expect.stringMatching(
      /^the Terraform state s3:\/\/states\/all\/demo\/\w+\.tfstate cannot be read: said S3: leftovers of a killed deploy are not looked for$/,
    ),
  ]);
  expect([...new Set(asked)].sort()).toEqual(['GET /containers/json', 'GET /networks', 'GET /volumes']);
});

test.each([
  ['a deploy', orphansStep],
  ['a rotation', idleOrphansStep],
])('before %s a lock on a state is said with its holder, and nothing is looked for', async (_, stepOf) => {
  // GIVEN
  const text = `name: demo\ndocker: { host: "unix://${socket}" }\n${bucket.setting()}`;
  const loaded = {
    environment: parseEnvironment(text, 'demo.yaml'),
    file: 'demo.yaml',
    argument: 'demo',
    state: stateLayout('demo', folder()),
  };
  const lock = (ID: string) => ({
    ...{ ID, Operation: 'OperationTypeApply', Who: 'ann@laptop', Created: '2026-01-01T00:00:00Z' },
  });
  // plans are made side by side, so that a kill may leave more than one
  bucket.states.set('demo/kes.tflock', lock('fa5cfc35'));
  bucket.states.set('demo/minio.tflock', lock('0b1c'));

  // WHEN
  const { signal } = new AbortController();
  const error = await rejectionOf(stepOf(loaded).run({ announce: () => undefined, report: () => undefined, signal }));

  // THEN
  expect(error).toMatchObject({
    message: [
      'the Terraform state s3://states/all/demo/kes.tfstate is locked by ann@laptop since 2026-01-01T00:00:00Z (OperationTypeApply, ID fa5cfc35)',
      'the Terraform state s3://states/all/demo/minio.tfstate is locked by ann@laptop since 2026-01-01T00:00:00Z (OperationTypeApply, ID 0b1c)',
    ].join('\n  '),
    hint: 'wait if another machine deploys. Else a killed command left each lock; remove it: docs/operations.md, "A lock in S3 after a kill"; nothing was changed',
  });
  expect(asked).toEqual([]);
});
