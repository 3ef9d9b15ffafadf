import { writeFileSync } from 'node:fs';
import { parseEnvironment } from '../../../../config/load';
import { nodesOf } from '../../../../config/node';
import {
  noteDeployment,
  notedDeployment,
  noteDrives,
  notedPools,
  requireSameDrives,
  writeDrivesNote,
} from '../../../../operations/state/notes/drives-note';
import { stateLayout } from '../../../../config/state/layout';
import { UsageError } from '../../../../operations/lib/errors';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const environment = (drives: string) => parseEnvironment(`name: demo\nminio: { drives: ${drives} }`, 'demo.yaml');
const FOLDERS = '[/d1, /d2, /d3, /d4]';

/** A deployment with these drives, or before its first deploy. */
function deployed(drives: string | undefined) {
  const state = stateLayout('demo', folder());
  if (drives === undefined) return state;
  writeFileSync(state.canaries, '{}');
  const [{ minio }] = nodesOf(environment(drives));
  // one volume leaves no note
  if (drives !== '1') writeDrivesNote(state.drives, minio.drives);
  return state;
}

test.each([
  [undefined, '4'],
  [undefined, FOLDERS],
  ['1', '1'],
  ['1', '[/d1]'],
  ['4', '4'],
  ['4', FOLDERS],
  [FOLDERS, FOLDERS],
  // mounted elsewhere, or in another order: the preflight looks at what they hold
  [FOLDERS, '[/e1, /e2, /e3, /e4]'],
])('from %s to %s: nothing is in the way', (before, now) => {
  expect(() => {
    requireSameDrives(environment(now), deployed(before));
  }).not.toThrow();
});

const NUMBER = 'and MinIO cannot change the number of its drives';
const EMPTY = 'and new volumes would be empty';
const V4 = 'volumes ebs-demo-minio-data-1, ebs-demo-minio-data-2, ebs-demo-minio-data-3 and ebs-demo-minio-data-4';

test.each([
  ['1', '4', `volume ebs-demo-minio-data, ${NUMBER}, got: ${V4}`],
  ['4', '1', `${V4}, ${NUMBER}, got: volume ebs-demo-minio-data`],
  ['1', FOLDERS, `volume ebs-demo-minio-data, ${NUMBER}, got: folders /d1, /d2, /d3 and /d4`],
  [
    FOLDERS,
    '[/d1, /d2, /d3, /d4, /d5]',
    `folders /d1, /d2, /d3 and /d4, ${NUMBER}, got: folders /d1, /d2, /d3, /d4 and /d5`,
  ],
  [FOLDERS, '4', `folders /d1, /d2, /d3 and /d4, ${EMPTY}, got: ${V4}`],
  ['[/d1]', '1', `folder /d1, ${EMPTY}, got: volume ebs-demo-minio-data`],
])('from %s to %s: refused', (before, now, problem) => {
  const error = thrownBy(() => {
    requireSameDrives(environment(now), deployed(before));
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(`minio.drives: environment demo has its objects on the ${problem}`);
});

test('what a restore makes anew is noted, and one volume takes the note away', () => {
  const state = deployed('1');
  noteDrives(environment('4'), state);
  expect(() => {
    requireSameDrives(environment('4'), state);
  }).not.toThrow();
  noteDrives(environment('1'), state);
  expect(() => {
    requireSameDrives(environment('1'), state);
  }).not.toThrow();
});

test('a pool is noted when a deploy has come to its end, and the next deploy keeps that', () => {
  const state = deployed(FOLDERS);
  expect([notedDeployment(state), notedPools(state)]).toEqual([undefined, 1]);
  noteDeployment(state, 'id', 1);
  noteDeployment(state, 'id', 2);
  writeDrivesNote(state.drives, nodesOf(environment(FOLDERS))[0].minio.drives);
  expect([notedDeployment(state), notedPools(state)]).toEqual(['id', 2]);
});
