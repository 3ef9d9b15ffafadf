/** A migration of master keys, killed in every step: the next run brings it to its end, and no key is ever missing. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { declaredPlace, samePlace } from '../../../../config/keys/key-store-place';
import { readKeyStoreNote, writeKeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import type { KeyMaterial } from '../../../../operations/keys/material/key-material';
import type { StackRange } from '../../../../operations/terraform/stack-names';
import { moveKeys } from '../../../../operations/keys/migrate/move-keys';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import { everyKill, killedIn, type Kill, runSteps } from '../../../helpers/kill';
import { HOSTS } from '../../../helpers/deployment';
import { canaryOf, storedKey } from '../../../helpers/master-key';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();
const KEYS = { archive: randomBytes(32), photos: randomBytes(32) };
const MATERIAL = Object.fromEntries(Object.entries(KEYS).map(([name, key]) => [name, storedKey(key)]));

function material(held: Map<string, Buffer>): KeyMaterial {
  return {
    read: (key) => Promise.resolve(held.get(key)),
    create: (key, bytes) => {
      held.set(key, bytes);
      return Promise.resolve('created');
    },
    close: () => Promise.resolve(),
  };
}

/** A deployment whose keys are in one mount of Vault, and shall be in another, or in files. */
class World {
  readonly source;
  readonly target;
  readonly places = { old: new Map(Object.entries(MATERIAL)), new: new Map<string, Buffer>() };
  readonly from;
  readonly to;
  /** What Terraform knows of the old place. */
  terraformKnows = true;
  /** From where KES reads. */
  kes: 'old' | 'new' = 'old';
  /** What was deployed after the copy. */
  readonly deployed: StackRange[] = [];

  /** @param more what source and target declare, too */
  constructor(keyStore: string, more = '') {
    this.source = loaded(folder(), `name: test\nkeyStore: { type: vault, mount: old }\n${more}`);
    this.target = loaded(folder(), `name: test\nkeyStore: ${keyStore}\n${more}`);
    this.from = declaredPlace(this.source.environment, {});
    this.to = declaredPlace(this.target.environment, {});
    const { state } = this.source;
    mkdirSync(path.dirname(state.secret.kesConfiguration), { recursive: true });
    writeFileSync(state.secret.kesConfiguration, 'of the old place');
    writeKeyStoreNote(state.keyStore, this.from);
    writeCanaries(
      state.canaries,
      Object.fromEntries(Object.entries(KEYS).map(([name, key]) => [name, canaryOf(name, key)])),
    );
  }

  steps() {
    const { source, target, from, to } = this;
    const state = target.state;
    return moveKeys(
      { source, target, from, to },
      {
        forget: () => {
          const known = this.terraformKnows;
          this.terraformKnows = false;
          return Promise.resolve(known ? 1 : 0);
        },
        keyStore: [
          {
            title: 'Deploy up to keystore',
            run: () => {
              // Terraform destroys what it knows and no file declares
              if (this.terraformKnows) this.places.old.clear();
              writeFileSync(state.secret.kesConfiguration, 'of the new place');
              return Promise.resolve(undefined);
            },
          },
        ],
        deploy: (range) => ({
          title: 'Deploy',
          run: () => {
            this.deployed.push(range);
            // MinIO stops where KES has not all keys
            expect([...this.places.new.keys()]).toEqual(Object.keys(KEYS));
            this.kes = 'new';
            return Promise.resolve(undefined);
          },
        }),
        prove: () => Promise.resolve(`${this.places[this.kes].size} open their canaries`),
        open: (which) => Promise.resolve(material(which === source ? this.places.old : this.places.new)),
      },
    );
  }
}

const TARGETS = [
  ['files', '{ type: filesystem }', 6],
  ['another mount of the same Vault', '{ type: vault, mount: new }', 7],
] as const;

const AWS = '{ type: aws, region: eu-central-1 }';

async function untilTheEnd(world: World): Promise<void> {
  // a note without a migration has the command only deploy once more, which is not asked here
  if (readKeyStoreNote(world.target.state)?.migration !== undefined || world.kes === 'old')
    await runSteps(world.steps());
}

test.each(
  TARGETS.flatMap(([name, keyStore, steps]) => everyKill(steps).map((kill) => [name, keyStore, kill] as const)),
)('keys to %s (%s), killed at %j', async (_, keyStore, kill: Kill) => {
  // GIVEN
  const world = new World(keyStore);
  await rejectionOf(runSteps(killedIn(world.steps(), kill)));
  const { migrationSource } = world.target.state.secret;
  const { migration } = readKeyStoreNote(world.target.state) ?? {};
  // as long as a migration is noted, the keys of the old place can be read
  if (migration !== undefined) expect(existsSync(migrationSource)).toBe(true);

  // WHEN
  await untilTheEnd(world);

  // THEN
  expect(Object.fromEntries(world.places.old)).toEqual(MATERIAL);
  expect(Object.fromEntries(world.places.new)).toEqual(MATERIAL);
  expect(world.kes).toBe('new');
  const note = readKeyStoreNote(world.target.state);
  expect(note?.migration).toBeUndefined();
  expect(samePlace(note?.place ?? world.from, world.to)).toBe(true);
  expect(existsSync(migrationSource)).toBe(false);
});

test.each(TARGETS)('these are all steps to %s', (_, keyStore, steps) => {
  expect(new World(keyStore).steps()).toHaveLength(steps);
});

test.each([
  ['from one Vault', TARGETS[0][1], '', [{ from: 'kes' }]],
  ['within one Vault', TARGETS[1][1], '', [{ from: 'kes', to: 'kes' }, { from: 'keystore' }]],
  // balancers lead KES to Vault until it is elsewhere
  ['from the Vaults of several hosts', AWS, HOSTS, [{ from: 'kes', to: 'kes' }, { from: 'host' }]],
  ['within them', TARGETS[1][1], HOSTS, [{ from: 'kes', to: 'kes' }, { from: 'keystore' }]],
])('%s KES goes over before its way to the old place ends', async (_, keyStore, more, deployed) => {
  const world = new World(keyStore, more);
  await runSteps(world.steps());
  expect(world.deployed).toEqual(deployed);
});

test.each([
  ['goes with the keys', '{ type: filesystem }', false],
  ['stays with keys that stay in it', '{ type: vault, mount: new }', true],
])('the note of the seal of a Vault %s', async (_, keyStore, kept) => {
  const world = new World(keyStore);
  const { vaultSeal } = world.target.state;
  writeFileSync(vaultSeal, '{}');
  await runSteps(world.steps());
  expect(existsSync(vaultSeal)).toBe(kept);
});

test('the login that an earlier migration left is not taken for that of this one', async () => {
  const world = new World('{ type: filesystem }');
  const { migrationSource } = world.target.state.secret;
  writeFileSync(migrationSource, 'of an earlier place');
  await rejectionOf(runSteps(killedIn(world.steps(), { step: 1, when: 'before' })));
  expect(readFileSync(migrationSource, 'utf8')).toBe('of the old place');
});

test('killed between forgetting and its note, Terraform has nothing to destroy', async () => {
  const world = new World('{ type: filesystem }');
  const { keyStore } = world.target.state;
  writeKeyStoreNote(keyStore, world.from, { to: world.to, sourceForgotten: false });
  writeFileSync(world.target.state.secret.migrationSource, 'of the old place');
  world.terraformKnows = false;
  await runSteps(world.steps());
  expect(Object.fromEntries(world.places.old)).toEqual(MATERIAL);
});
