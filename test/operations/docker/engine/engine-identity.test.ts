import { createServer, type Server } from 'node:http';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import {
  readEngineNote,
  rememberDeployedEngine,
  rememberThisEngine,
  requireNoOtherEngine,
  requireOwnEngine,
} from '../../../../operations/docker/engine/engine-identity';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

/** An engine with an id, and with one volume of environment demo or without. */
let server: Server;
let volumes: { Name: string }[] = [];
let id: string | undefined = 'AAAA:BBBB';

beforeEach(async () => {
  volumes = [];
  id = 'AAAA:BBBB';
  server = createServer(({ url = '' }, response) => {
    const answers: [RegExp, unknown][] = [
      [/^\/info/, { ID: id, Name: 'nas' }],
      [/^\/volumes/, { Volumes: volumes }],
      [/^\/(?:containers|networks)/, []],
    ];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answers.find(([path]) => path.test(url))?.[1]));
  });
  await new Promise<void>((resolve) => server.listen(socket(), resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const socket = () => path.join(folder(), 'docker.sock');
const address = () => `unix://${socket()}`;

function deployment(given: { note?: object; deployed?: boolean; restoring?: boolean } = {}) {
  const environment = parseEnvironment(`name: demo\ndocker: { host: "${address()}" }`, 'demo.yaml');
  const state = stateLayout('demo', path.join(folder(), 'state'));
  mkdirSync(state.root, { recursive: true });
  if (given.note !== undefined) writeFileSync(state.engine, JSON.stringify(given.note));
  if (given.deployed === true) writeFileSync(state.deployment, '{}');
  if (given.restoring === true) writeFileSync(state.restore, '{}');
  return { environment, state };
}

const SAME = { id: 'AAAA:BBBB', name: 'nas', host: 'ssh://nas' };
const OTHER = { id: 'CCCC:DDDD', name: 'laptop', host: 'unix:///var/run/docker.sock' };

test.each([
  ['was noted, also by another address', { note: SAME, deployed: true }],
  ['is met by a first deploy', {}],
  ['is met by a restore that has just put the state here', { deployed: true, restoring: true }],
])('the engine that %s is the right one', async (_case, given) => {
  const place = deployment(given);
  await expect(requireOwnEngine(place)).resolves.toEqual({ id: 'AAAA:BBBB', name: 'nas', host: address() });
  await expect(requireNoOtherEngine(place)).resolves.toBeUndefined();
});

test.each([
  ['a first deploy', {}, undefined],
  ['one that was killed on another engine, and goes on here', { note: OTHER }, 'AAAA:BBBB'],
  ['one that is on another engine, which this one replaces', { note: OTHER, deployed: true }, 'AAAA:BBBB'],
  ['one without a note', { deployed: true }, 'AAAA:BBBB'],
])('before %s', async (_case, given, noted) => {
  const place = deployment(given);
  rememberDeployedEngine(place.state, await requireOwnEngine(place, { accepted: 'AAAA:BBBB' }));
  expect(readEngineNote(place.state)?.id).toBe(noted);
  // what the deploy itself does then
  process.env.DOCKER_HOST = address();
  try {
    await rememberThisEngine({ file: place.state.engine });
  } finally {
    delete process.env.DOCKER_HOST;
  }
  expect(readEngineNote(place.state)?.id).toBe('AAAA:BBBB');
});

test('a deployment without a note is where something of it is found, and nowhere else', async () => {
  const place = deployment({ deployed: true });
  volumes = [{ Name: 'ebs-demo-minio-data' }];
  await expect(requireOwnEngine(place)).resolves.toMatchObject({ name: 'nas' });
  volumes = [];
  expect(await rejectionOf(requireOwnEngine(place))).toMatchObject({
    name: 'UsageError',
    message: `environment demo was deployed, and Docker engine AAAA:BBBB (nas; docker.host, ${address()}) has no container, volume or network of it`,
    hint: 'name its engine, by docker.host, DOCKER_HOST or `docker context use`; if it was this one and everything is gone: docs/engines.md. Nothing was changed',
  });
  await expect(requireOwnEngine(place, { mayBeGone: true })).resolves.toMatchObject({ name: 'nas' });
});

test('another engine is refused, and both are named', async () => {
  const place = deployment({ note: OTHER, deployed: true });
  volumes = [{ Name: 'ebs-demo-minio-data' }];
  const refusal = {
    name: 'UsageError',
    message: `environment demo is on another Docker engine: it was deployed to CCCC:DDDD (laptop; unix:///var/run/docker.sock), and this command meets AAAA:BBBB (nas; docker.host, ${address()})`,
    hint: 'name its engine, by docker.host, DOCKER_HOST or `docker context use`; if the one that answers has taken its place: docs/engines.md. Nothing was changed',
  };
  expect(await rejectionOf(requireOwnEngine(place))).toMatchObject(refusal);
  expect(await rejectionOf(requireOwnEngine(place, { mayBeGone: true }))).toMatchObject(refusal);
  expect(await rejectionOf(requireNoOtherEngine(place))).toMatchObject(refusal);
});

test('an engine that took the place of another is accepted by its id, and by no other', async () => {
  const place = deployment({ note: OTHER, deployed: true });
  await expect(requireOwnEngine(place, { accepted: 'AAAA:BBBB' })).resolves.toMatchObject({ id: 'AAAA:BBBB' });
  expect(await rejectionOf(requireOwnEngine(place, { accepted: 'CCCC:DDDD' }))).toMatchObject({
    message: `--engine: must be the id of the engine that answers (AAAA:BBBB, nas, docker.host, ${address()}), got: CCCC:DDDD`,
    hint: 'nothing was changed',
  });
});

test('an engine without an id is none', async () => {
  id = '';
  expect((await rejectionOf(requireOwnEngine(deployment()))).message).toBe(
    `the engine at docker.host, ${address()} has no id in \`docker info\``,
  );
});

test('an engine that does not answer stops what needs it, and nothing else', async () => {
  const place = deployment({ note: SAME, deployed: true });
  await new Promise((resolve) => server.close(resolve));
  const { message } = await rejectionOf(requireOwnEngine(place));
  expect(message).toContain(`no Docker Engine answers at docker.host, ${address()}: `);
  expect(message).toContain(`connect ENOENT ${socket()}`);
  await expect(requireNoOtherEngine(place)).resolves.toBeUndefined();
});

test('a note that was damaged is named', () => {
  const { state } = deployment({ note: { id: 5 } });
  expect(thrownBy(() => readEngineNote(state)).message).toContain(
    `${state.engine} does not say which Docker engine this deployment is on`,
  );
});

test('a deploy notes its engine once, and stops on another', async () => {
  const { state } = deployment();
  process.env.DOCKER_HOST = address();
  try {
    await rememberThisEngine({ file: state.engine });
    expect(JSON.parse(readFileSync(state.engine, 'utf8'))).toEqual({ ...SAME, host: address() });
    await rememberThisEngine({ file: state.engine });
    id = 'EEEE:FFFF';
    expect((await rejectionOf(rememberThisEngine({ file: state.engine }))).message).toBe(
      `this deployment is on Docker engine AAAA:BBBB (nas; ${address()}), not on EEEE:FFFF (nas)`,
    );
  } finally {
    delete process.env.DOCKER_HOST;
  }
  expect(existsSync(state.engine)).toBe(true);
});
