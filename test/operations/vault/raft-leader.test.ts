import { GiveUp, NotYet } from '../../../operations/lib/wait';
import { unlessLeaderless } from '../../../operations/vault/raft-leader';
import type { VaultClient } from '../../../operations/vault/vault-client';

/** A Vault that knows a leader, or does not; undefined: it does not answer. */
const vault = (leader: boolean | undefined): VaultClient =>
  ({
    reachesLeader: () => (leader === undefined ? Promise.reject(new Error('no answer')) : Promise.resolve(leader)),
  }) as unknown as VaultClient;

const SEALED = new NotYet('it is sealed');

test.each<[string, (boolean | undefined)[], number, unknown]>([
  ['a Vault that none leads is waited for as long as an election may take', [false, undefined], 60_000, SEALED],
  ['then the deploy goes on, because the others are started later', [false, undefined], 0, 'no leader'],
  ['where another knows a leader, it is waited for', [false, true], 0, SEALED],
  ['the last one is waited for', [false, false], Infinity, SEALED],
])('%s', async (_, leaders, limitMs, outcome) => {
  const attempt = unlessLeaderless(leaders.map(vault), () => Promise.resolve(SEALED), limitMs);
  expect(await attempt()).toEqual(outcome);
});

test('what an attempt finds counts, and so does that it gives up', async () => {
  expect(await unlessLeaderless([vault(false)], () => Promise.resolve('found'), 0)()).toBe('found');
  expect(await unlessLeaderless([vault(true)], () => Promise.reject(new Error('refused')), 0)()).toEqual(
    new NotYet('refused'),
  );
  const refused = new GiveUp(new Error('permission denied'));
  await expect(unlessLeaderless([vault(false)], () => Promise.reject(refused), 0)()).rejects.toBe(refused);
});
