import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../../../../config/environment';
import { parseEnvironment } from '../../../../config/load';
import { type StateLayout, stateLayout } from '../../../../config/state/layout';
import { sealAccess, declaredSeal } from '../../../../config/vault/seal';
import { embeddedVault } from '../../../../config/vault/vault';
import { writeKeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import {
  everyShare,
  readSealNote,
  requireSameSeal,
  shareFiles,
  writeSealNote,
} from '../../../../operations/state/notes/seal-note';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
let state: StateLayout;
const TRANSIT = 'type: transit, address: "https://seal.example.com/", tokenFile: /t';
const SEALED = `{ ${TRANSIT}, key: k }`;

function declared(unseal: string): Environment {
  return parseEnvironment(
    `name: x\nvault: { mode: embedded, shares: 2, threshold: 2, unseal: ${unseal} }`,
    'test.yaml',
  );
}

beforeEach(() => {
  state = stateLayout('x', path.join(folder(), 'state'));
  mkdirSync(state.root);
});

const requiring = (unseal: string) => (): void => {
  requireSameSeal(declared(unseal), state);
};

function noteSeal(): void {
  const vault = embeddedVault(declared(SEALED));
  const seal = vault === undefined ? undefined : declaredSeal(vault);
  if (seal === undefined) throw new Error('a seal is declared');
  writeSealNote(state.vaultSeal, sealAccess(seal));
}

test('the shares in force are unseal shares, until a seal is noted', () => {
  expect(shareFiles(state, 2).map((file) => path.basename(file))).toEqual(['unseal-share-1', 'unseal-share-2']);
  noteSeal();
  expect(shareFiles(state, 2).map((file) => path.basename(file))).toEqual(['recovery-share-1', 'recovery-share-2']);
  expect(readSealNote(state)).toEqual({
    ...{ version: 1, type: 'transit', url: 'https://seal.example.com' },
    ...{ mount: 'transit', key: 'k' },
  });
});

test('an earlier declaration may have made more shares', () => {
  const names = everyShare('/1/unseal-share-1');
  expect([names[0], names[9], names.length]).toEqual(['/1/unseal-share-1', '/1/unseal-share-10', 10]);
});

test('without a seal anything may be declared: a deploy brings it', () => {
  for (const unseal of ['auto', 'manual', SEALED]) expect(requiring(unseal)).not.toThrow();
});

test.each([['the same'], ['the same, to be left']])('%s seal may be declared', (which) => {
  noteSeal();
  const unseal = which === 'the same' ? SEALED : `{ ${TRANSIT}, key: k, leave: true, caFile: /ca }`;
  expect(requiring(unseal)).not.toThrow();
});

test.each([
  ['auto', 'auto'],
  ['manual', 'manual'],
  [`{ ${TRANSIT}, key: other }`, 'the key other of transit/ in Vault at https://seal.example.com'],
  [`{ ${TRANSIT}, key: k, mount: t }`, 'the key k of t/ in Vault at https://seal.example.com'],
  [
    `{ ${TRANSIT}, key: k, namespace: team }`,
    'the key k of transit/ in Vault at https://seal.example.com, namespace team',
  ],
])('an edited file must not take Vault from its seal: %s', (unseal, got) => {
  noteSeal();
  expect(thrownBy(requiring(unseal)).message).toBe(
    `vault.unseal: the Vault of environment x is opened by the key k of transit/ in Vault at https://seal.example.com, got: ${got}`,
  );
});

test('a key of AWS KMS is another seal', () => {
  noteSeal();
  const unseal = '{ type: awskms, region: eu-central-1, kmsKey: k, credentialsFile: /c }';
  expect(thrownBy(requiring(unseal)).message).toMatch(/, got: the key k of AWS KMS in eu-central-1$/);
});

test('a Vault that the keys have left says nothing about another one', () => {
  noteSeal();
  writeKeyStoreNote(state.keyStore, { type: 'filesystem' });
  expect(requiring('auto')).not.toThrow();
  rmSync(state.keyStore);
  expect(requiring('auto')).toThrow('vault.unseal: ');
});
