import type Docker from 'dockerode';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { removeEmptyStateFolder, tearDownSteps } from '../../../operations/docker/tear-down';
import type { StepContext } from '../../../operations/lib/step';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const CONTEXT: StepContext = {
  report: () => undefined,
  announce: () => undefined,
  signal: new AbortController().signal,
};

/** A Docker that has nothing of the environment any more. */
const docker = {
  listContainers: () => Promise.resolve([]),
  listVolumes: () => Promise.resolve({ Volumes: [] }),
  listNetworks: () => Promise.resolve([]),
} as unknown as Docker;

async function tearDown(deleteData: boolean) {
  const root = path.join(folder(), 'state');
  const state = stateLayout('demo', root);
  const environment = parseEnvironment(`name: demo\nstate: { backend: local, directory: ${root} }`, 'demo.yaml');
  const { root: _, lock, secret: __, ...entries } = state;
  // GIVEN everything that a state folder can hold, and what commands left that were killed
  // files before the folders that they make
  for (const entry of Object.values(entries).sort((a, b) => b.length - a.length)) {
    mkdirSync(path.dirname(entry), { recursive: true });
    if (!existsSync(entry)) writeFileSync(entry, '');
  }
  const left = [`${state.canaries}.0123456789ab.tmp`];
  for (const file of [lock, ...left]) writeFileSync(file, '');
  mkdirSync(path.join(root, 'unfinished-backup-aB3xYz'));
  writeFileSync(path.join(root, 'unfinished-backup-aB3xYz', 'backup.age'), '');
  const before = readdirSync(root).sort();

  const loaded = { environment, file: 'demo.yaml', argument: 'demo', state };
  const steps = tearDownSteps({ docker, owner: { name: 'label', value: 'demo' }, loaded, deleteData });
  for (const step of steps) if (step.applies?.() !== false) await step.run(CONTEXT);
  return { state, before };
}

test('with the data all of the state folder goes, but for the lock, which is held', async () => {
  const { state } = await tearDown(true);
  expect(readdirSync(state.root)).toEqual(['lock']);
});

test('what is not of this project stays, and the folder with it', async () => {
  const notes = path.join(folder(), 'state', 'lock.notes');
  mkdirSync(path.dirname(notes));
  writeFileSync(notes, '');
  const { state } = await tearDown(true);
  removeEmptyStateFolder(state);
  expect(readdirSync(state.root).sort()).toEqual(['lock', 'lock.notes']);
});

/** A state folder that a restore renamed, with a lock that nobody holds any more. */
function setAside(suffix: string): string {
  const earlier = stateLayout('demo', path.join(folder(), `state${suffix}`));
  mkdirSync(path.dirname(earlier.secret.minioRoot), { recursive: true });
  for (const file of [earlier.secret.minioRoot, earlier.deployment, earlier.lock]) writeFileSync(file, '');
  return earlier.root;
}

test('with the data go the secrets that restores set aside, and nothing of another name', async () => {
  // GIVEN
  setAside('.before-restore-2026-01-02T03-04-05.678Z');
  setAside('.restore-preflight');
  const withNotes = setAside('.before-restore-2026-02-02T03-04-05.678Z');
  writeFileSync(path.join(withNotes, 'notes'), '');
  const others = ['-2.before-restore-2026-01-02T03-04-05.678Z', '.before-restore-notes', '.before-restore-'];
  for (const suffix of others) setAside(suffix);

  // WHEN
  await tearDown(true);

  // THEN
  const kept = ['state', path.basename(withNotes), ...others.map((suffix) => `state${suffix}`)];
  expect(readdirSync(folder()).sort()).toEqual(kept.sort());
  expect(readdirSync(withNotes)).toEqual(['notes']);
});

test('without the data they stay', async () => {
  const earlier = setAside('.before-restore-2026-01-02T03-04-05.678Z');
  await tearDown(false);
  expect(readdirSync(earlier).sort()).toEqual(['deployment.json', 'lock', 'secrets']);
});

test('without the data all of it stays', async () => {
  const { state, before } = await tearDown(false);
  expect(readdirSync(state.root).sort()).toEqual(before);
});
