import { writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  forgetAwayDrives,
  noteAwayDrives,
  noteReplacedDrives,
  readAwayDrives,
  wereReplaced,
} from '../../../../operations/state/notes/away-drives';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const state = () => ({ awayDrives: path.join(folder(), 'away-drives.json') });

const NOON = new Date('2026-01-31T12:00:00.000Z');
const LATER = new Date('2026-01-31T13:00:00.000Z');

test('without a note no drive was away, and none is written for nothing', () => {
  noteAwayDrives(state(), []);
  forgetAwayDrives(state(), ['/drives/1'], NOON);
  expect(readAwayDrives(state())).toEqual({});
});

test('remembers when a drive was last seen away, until a heal that began later has ended', () => {
  noteAwayDrives(state(), ['/drives/1', '/drives/2'], NOON);
  noteAwayDrives(state(), ['/drives/2'], LATER);
  expect(readAwayDrives(state())).toEqual({ '/drives/1': NOON.toISOString(), '/drives/2': LATER.toISOString() });

  // WHEN a heal that began at one o'clock has looked at all drives
  forgetAwayDrives(state(), ['/drives/1', '/drives/2'], LATER);

  // THEN one was seen away since
  expect(readAwayDrives(state())).toEqual({ '/drives/2': LATER.toISOString() });
  forgetAwayDrives(state(), ['/drives/1', '/drives/2'], new Date(LATER.getTime() + 1));
  expect(readAwayDrives(state())).toEqual({});
});

test('a drive that is away still stays in the note', () => {
  noteAwayDrives(state(), ['/drives/1', '/drives/2'], NOON);
  forgetAwayDrives(state(), ['/drives/1'], LATER);
  expect(Object.keys(readAwayDrives(state()))).toEqual(['/drives/2']);
});

test('tells drives whose MinIO was replaced from those that were away, also where one was both', () => {
  noteAwayDrives(state(), ['/drives/1'], NOON);
  noteReplacedDrives(state(), ['/drives/1', '/drives/2', '/drives/3'], LATER);
  expect(Object.keys(readAwayDrives(state()))).toEqual(['/drives/1', '/drives/2', '/drives/3']);
  expect(wereReplaced(state(), ['/drives/2', '/drives/3'])).toBe(true);
  expect(wereReplaced(state(), ['/drives/1', '/drives/2'])).toBe(false);
  noteAwayDrives(state(), ['/drives/2'], LATER);
  expect(wereReplaced(state(), ['/drives/2'])).toBe(false);
  expect(wereReplaced(state(), ['/drives/3'])).toBe(true);

  // healed, and away again
  forgetAwayDrives(state(), ['/drives/3'], new Date(LATER.getTime() + 1));
  noteAwayDrives(state(), ['/drives/3'], LATER);
  expect(wereReplaced(state(), ['/drives/3'])).toBe(false);
});

test('a note that says nothing is named with what to do', async () => {
  writeFileSync(state().awayDrives, '{');
  const error = await rejectionOf(Promise.resolve().then(() => readAwayDrives(state())));
  expect(error).toMatchObject({
    message: `${state().awayDrives} does not say which drives were away`,
    hint: 'remove it, then run ./scripts/heal, which looks at every drive',
  });
});
