import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../../config/state/layout';
import { UsageError } from '../../../../operations/lib/errors';
import { loadEnvironment } from '../../../../operations/state/load';
import {
  noteDeployedVersions,
  readDeployedVersions,
  requireReadableState,
  STATE_VERSION,
} from '../../../../operations/state/notes/versions-note';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const DEPLOYED = {
  project: '0.2.0',
  providers: { docker: '4.6.0', vault: '5.9.0' },
  programs: { minio: { image: 'encrypted-backup-storage/minio:0123456789abcdef', version: 'v1' } },
};

test('a folder from before there was a version is read', () => {
  const state = stateLayout('demo', folder());
  expect(() => {
    requireReadableState(state);
  }).not.toThrow();
  expect(readDeployedVersions(state)).toBeUndefined();
});

test('what was deployed is noted with the version of the folder', () => {
  const state = stateLayout('demo', folder());
  noteDeployedVersions(state, DEPLOYED);
  expect(JSON.parse(readFileSync(state.versions, 'utf8'))).toEqual({ version: STATE_VERSION, ...DEPLOYED });
  expect(readDeployedVersions(state)).toEqual({ version: STATE_VERSION, ...DEPLOYED });
});

test('a folder of a newer version is refused by whatever loads the environment', () => {
  const state = stateLayout('demo', path.join(folder()));
  writeFileSync(state.versions, JSON.stringify({ version: STATE_VERSION + 1, project: '9.0.0', more: true }));
  const file = path.join(folder(), 'demo.yaml');
  writeFileSync(file, `name: demo\nstate: { backend: local, directory: ${folder()} }`);
  expect(thrownBy(() => loadEnvironment(file))).toEqual(
    new UsageError(
      `the state folder ${folder()} has version ${STATE_VERSION + 1}, written by version 9.0.0 of this project; this one reads versions up to ${STATE_VERSION}`,
      'use version 9.0.0 of this project, or a newer one; nothing was changed',
    ),
  );
});

test.each(['', '{', '{}', '{"version": "1"}'])('a note that holds %j does not pass for a version', (text) => {
  const state = stateLayout('demo', folder());
  writeFileSync(state.versions, text);
  expect(
    thrownBy(() => {
      requireReadableState(state);
    }),
  ).toEqual(
    new UsageError(
      `${state.versions} does not say which version the state folder has`,
      'put it back from a copy; where no newer version of this project was used, remove it: ./scripts/up writes it again',
    ),
  );
});
