import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { requireIntactState } from '../../../operations/state/intact-state';
import { stateLayout } from '../../../config/state/layout';
import { UsageError } from '../../../operations/lib/errors';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();

function leaveMarkers(here: string | undefined, secrets: string | undefined, otherSecrets = true) {
  const state = stateLayout('home', folder());
  for (const [file, id] of [
    [state.deployment, here],
    [state.secret.deployment, secrets],
  ] as const) {
    if (id === undefined) continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ id }));
  }
  if (secrets !== undefined && otherSecrets) writeFileSync(path.join(state.secrets, 'other'), '');
  return state;
}

test.each([
  ['nothing was deployed', undefined, undefined],
  ['it was deployed', 'A', 'A'],
  ['it was killed between its two markers, the first thing that it makes', undefined, 'A', false],
])('goes on when %s', (_, here, secrets, otherSecrets = true) => {
  const state = leaveMarkers(here, secrets, otherSecrets);
  expect(() => {
    requireIntactState('home', state);
  }).not.toThrow();
});

test.each([
  [
    'the secrets are lost',
    'A',
    undefined,
    (root: string) => `environment home was deployed, but its secrets are gone: ${root}/secrets does not hold them`,
    'a backup brings them back: ./scripts/restore --from BACKUP --identity FILE --replace home; or put the folder back from a copy of it. Nothing was changed, and no new key replaces an existing one',
  ],
  [
    'the state is lost',
    undefined,
    'A',
    (root: string) =>
      `environment home has secrets in ${root}/secrets, but the state beside them is gone (${root}/deployment.json)`,
    'put the state folder back from where you keep it; nothing was changed',
  ],
  [
    'two deployments were mixed',
    'A',
    'B',
    (root: string) => `environment home has the secrets of another deployment in ${root}/secrets`,
    'put the right folder back; nothing was changed',
  ],
])('refuses when %s', (_, here, secrets, message, hint) => {
  // GIVEN
  const state = leaveMarkers(here, secrets);
  const before = readdirSync(folder(), { recursive: true });

  // WHEN
  const error = thrownBy(() => {
    requireIntactState('home', state);
  });

  // THEN
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message(folder()));
  expect(error).toHaveProperty('hint', hint);
  expect(readdirSync(folder(), { recursive: true })).toEqual(before);
});
