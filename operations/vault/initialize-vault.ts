/**
 * Takes an embedded Vault from whatever it is to unsealed and usable by the provisioner token alone.
 *
 * | Vault says  | shares on disk | canaries on disk  | what happens                                              |
 * |-------------|----------------|-------------------|-----------------------------------------------------------|
 * | new         | none           | none              | initialise, save the shares, then go on                   |
 * | new         | or any         | or any            | REFUSE: the volume is not the one that holds the keys     |
 * | new         | none           | of keys elsewhere | initialise: a migration brings them here                  |
 * | new         | any            | any, with others  | of several hosts: it joins the others, which have them    |
 * | initialised | enough         | any               | unseal if sealed, make sure of the provisioner token      |
 * | sealed      | too few        | any               | REFUSE: only a person with the shares can unseal          |
 *
 * Vault initialises itself to the end, also when its client is gone, and says the shares once. So a mark is written before,
 * and taken away when Vault is open: by it, and by nothing else, a Vault is known that was never opened. With the
 * mark, and less than all of its shares, it may go, and beside a new Vault they are those of one that went.
 *
 * With a seal, Vault opens itself, and has recovery shares in the place of unseal shares. It changes from one to the other
 * while it is sealed, when it gets the shares in force. {@link settleShares} ends what was begun with that.
 */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { isInEmbeddedVault } from '../../config/keys/key-store-place';
import { readKeyStoreNote } from '../state/notes/key-store-note';
import { argumentOfOperation } from '../../config/load';
import type { OperationInput, SealAccess } from '../../config/operation-inputs';
import { nodeId, ownerOf, type VaultNode, vaultNode } from '../../config/node';
import { readCanaries } from '../state/notes/canaries';
import { ExternalError } from '../lib/errors';
import { renameDurably, writeFileAtomically } from '../lib/files';
import { noteRenewal } from '../certificates/renewal';
import { everyShare, type ShareKind, writeSealNote } from '../state/notes/seal-note';
import { unlessLeaderless } from './raft-leader';
import { requireUsableSeal } from './seal';
import { waitUntilActive, waitUntilAnswering, waitUntilServing } from './unseal-vault';
import { VaultClient, VaultError, WrongSharesError } from './vault-client';
import { readSecret, type Secret } from '../lib/secret';
import { GiveUp, NotYet, waitFor } from '../lib/wait';
import { describeSeal } from '../../config/vault/seal';

type Input = OperationInput<'initialize-vault'>;

/** Life of the provisioner token without renewal: the longest that Vault grants by default. */
const TOKEN_PERIOD_HOURS = 768;

const tokenCreation = z.object({ auth: z.object({ client_token: z.string() }) });
const policyRead = z.object({ data: z.object({ policy: z.string() }) });

export async function initializeVault(input: Input): Promise<void> {
  const vault = new VaultClient(input.endpoint);
  const others = (input.others ?? []).map((endpoint) => new VaultClient(endpoint));
  try {
    if (await open(vault, others, input)) await provideTokens(vault, input);
    else process.stderr.write('the Vaults have no leader yet: those of other hosts are started later\n');
  } finally {
    for (const client of [vault, ...others]) client.close();
  }
}

/** @returns false if the Vaults have no leader, because those of other hosts are started later in the same deploy */
async function open(vault: VaultClient, others: readonly VaultClient[], input: Input): Promise<boolean> {
  const all = [vault, ...others];
  const { initialized } = await waitUntilAnswering(vault, input.endpoint).catch((error: unknown) =>
    whyAway(error, input),
  );
  if (!initialized && !joins(input)) await initialize(vault, input);
  else if (!initialized) {
    const joined = await waitFor(
      { what: 'Vault to join those of the other hosts', timeoutMs: 60_000 },
      unlessLeaderless(all, async () =>
        (await vault.sealStatus()).initialized ? true : new NotYet('it has not joined them'),
      ),
    );
    if (joined === 'no leader') return false;
  }
  await changeSeal(vault, input);
  await unseal(vault, input);
  // before anything is put in
  rmSync(markOf(input), { force: true });
  if (others.length > 0) return (await waitUntilServing(vault, others)) !== 'no leader';
  await waitUntilActive(vault);
  await settleShares(vault, input);
  return true;
}

/** Whether an empty Vault is one that joins others, which have the master keys: its host was replaced. */
function joins(input: Input): boolean {
  if (input.others === undefined) return false;
  return keysExpected(input).length > 0 || (readShares(input).length > 0 && !existsSync(markOf(input)));
}

/** Makes sure of the tokens by which later steps of a deploy are let in. Vault must serve requests. */
export async function provideTokens(vault: VaultClient, input: Input): Promise<void> {
  await waitFor({ what: 'the active Vault to answer', timeoutMs: 60_000 }, async () =>
    ensureTokens(vault, input).catch(unlessStandby),
  );
  const [now, life] = [Date.now(), TOKEN_PERIOD_HOURS * 60 * 60 * 1000];
  const expires = new Date(now + life).toISOString();
  noteRenewal(input.renewalNote, new Date(now + life / 3), new Date(now), { expires });
}

/** Vault ends at once where its seal is away, and says so in its log alone. */
async function whyAway(error: unknown, { seal }: Input): Promise<never> {
  if (seal !== undefined) await requireUsableSeal(seal.access);
  throw error;
}

async function waitUntilOpenedBySeal(vault: VaultClient, access: SealAccess): Promise<void> {
  try {
    await waitFor({ what: `Vault to be opened by ${describeSeal(access)}`, timeoutMs: 60_000 }, async () =>
      (await vault.sealStatus()).sealed ? new NotYet('it is sealed') : true,
    );
  } catch (error) {
    // names what is wrong with the seal, if something is
    await requireUsableSeal(access);
    throw error;
  }
}

async function initialize(vault: VaultClient, input: Input): Promise<void> {
  if (input.seal?.leave === true) {
    throw new ExternalError(
      `vault.unseal.leave: the Vault of environment ${input.environment} is empty, so it has no seal to leave`,
      'write the unsealing that it shall have; nothing was changed',
    );
  }
  const { kind, files } = sharesOf(input);
  const keys = keysExpected(input);
  if (keys.length === 0 && existsSync(markOf(input)) && readFiles(files).length < input.shares) {
    for (const file of files) rmSync(file, { force: true });
  }
  const shares = readFiles([...input.unsealShareFiles, ...(input.seal?.recoveryShareFiles ?? [])]);
  if (keys.length > 0 || shares.length > 0) {
    const known = keys.length > 0 ? `master keys (${keys.join(', ')})` : `${kind} shares`;
    throw new ExternalError(
      `Vault is empty, but environment ${input.environment} already has ${known}: its volume was lost or replaced`,
      `attach the volume ${nodeOf(input).dataVolume} again, or restore it from a backup; nothing was changed`,
    );
  }
  writeFileAtomically(markOf(input), '');
  const made = await vault.initialize(input.shares, input.threshold, kind);
  // first of all: without the shares, what was just initialised can never be opened again
  writeShares(files, made.shares);
  writeFileAtomically(input.rootTokenFile, made.rootToken.reveal());
  const use = kind === 'unseal' ? 'unseal it' : 'make a root token';
  process.stderr.write(`initialised Vault with ${input.shares} ${kind} share(s), ${input.threshold} of them ${use}\n`);
}

/** The shares that Vault has when this is done. */
function sharesOf({ unsealShareFiles, seal }: Pick<Input, 'unsealShareFiles' | 'seal'>): {
  readonly kind: ShareKind;
  readonly files: readonly string[];
} {
  return seal === undefined || seal.leave
    ? { kind: 'unseal', files: unsealShareFiles }
    : { kind: 'recovery', files: seal.recoveryShareFiles };
}

function writeShares(files: readonly string[], shares: readonly Secret[]): void {
  shares.forEach((share, index) => {
    const file = files[index];
    if (file === undefined) throw new Error(`no file for share ${index + 1}`);
    writeFileAtomically(file, share.reveal());
  });
}

/** Gives Vault the shares in force where it waits for them to take the seal that is declared, or to leave it. */
async function changeSeal(vault: VaultClient, { seal, unsealShareFiles }: Input): Promise<void> {
  if (seal === undefined) return;
  const { migration, t: threshold } = await vault.sealStatus();
  if (!migration) return;
  // it is in force, although a migration of the keys may have taken the note away
  if (seal.leave) writeSealNote(seal.noteFile, seal.access);
  const [first = ''] = seal.leave ? seal.recoveryShareFiles : unsealShareFiles;
  const shares = readFiles(everyShare(first));
  const where = path.dirname(first);
  const kind = seal.leave ? 'recovery' : 'unseal';
  if (shares.length < threshold) {
    throw new ExternalError(
      `Vault waits for ${threshold} ${kind} share(s) to change its seal, and ${shares.length} are in ${where}`,
      'put them there for as long as this runs; the deploy goes on from here',
    );
  }
  await vault.forgetUnsealProgress();
  for (const share of shares) if (!(await vault.unseal(share, true)).sealed) break;
  await waitFor({ what: 'Vault to have changed its seal', timeoutMs: 60_000 }, async () => {
    const { sealed, migration: waits } = await vault.sealStatus();
    return sealed || waits ? new NotYet(sealed ? 'it is sealed' : 'it goes on') : true;
  });
  process.stderr.write(seal.leave ? 'Vault has left its seal\n' : `Vault is sealed by ${describeSeal(seal.access)}\n`);
}

/**
 * Names the shares for what they are after a change of the seal, and notes the seal.
 *
 * To a seal Vault takes the unseal shares with it, as recovery shares. The storage may still hold what they opened, so
 * others take their place, and the old files go.
 *
 * | killed                            | found by the next run                                               |
 * |-----------------------------------|---------------------------------------------------------------------|
 * | before all new files are there    | others are made                                                     |
 * | before Vault has confirmed them   | they are not in force: others are made                              |
 * | after that, with old files left   | they are in force: the old ones go                                  |
 * | while they get their names back   | those that are left are renamed: both sides have the same numbers   |
 */
async function settleShares(vault: VaultClient, { seal, unsealShareFiles, shares, threshold }: Input): Promise<void> {
  if (seal === undefined) return;
  const { recoveryShareFiles, noteFile } = seal;
  const unsealFiles = everyShare(unsealShareFiles[0] ?? '');
  if (seal.leave) {
    if (!existsSync(noteFile)) return;
    await nameUnsealShares(vault, everyShare(recoveryShareFiles[0] ?? ''), unsealFiles);
    rmSync(noteFile, { force: true });
    return;
  }
  writeSealNote(noteFile, seal.access);
  const former = readFiles(unsealFiles);
  if (former.length === 0) return;
  const present = readFiles(recoveryShareFiles);
  if (present.length < shares || !(await areInForce(vault, present, 'recovery'))) {
    const { shares: made, nonce } = await vault.rekey(former, shares, threshold, 'recovery');
    writeShares(recoveryShareFiles, made);
    if (!(await vault.confirmRekey(readFiles(recoveryShareFiles), nonce, 'recovery'))) {
      throw new ExternalError('Vault did not take the new recovery shares back; the old ones stay in force');
    }
  }
  for (const file of unsealFiles) rmSync(file, { force: true });
  process.stderr.write(`${shares} recovery share(s) took the place of the unseal shares\n`);
}

/** Makes recovery shares the unseal shares, but not those of an earlier Vault in the place of those in force. */
async function nameUnsealShares(
  vault: VaultClient,
  recoveryFiles: readonly string[],
  unsealFiles: readonly string[],
): Promise<void> {
  const pairs = recoveryFiles.flatMap((from, index) => {
    const to = unsealFiles[index];
    return to !== undefined && existsSync(from) ? [{ from, to }] : [];
  });
  if (pairs.some(({ to }) => existsSync(to))) {
    const shares = readFiles(recoveryFiles);
    const { t: threshold } = await vault.sealStatus();
    if (shares.length < threshold || !(await areInForce(vault, shares, 'unseal'))) return;
    for (const file of unsealFiles) rmSync(file, { force: true });
  }
  for (const { from, to } of pairs) renameDurably(from, to);
}

/** Whether shares are those of this Vault. It is asked by a rekeying that is given up at once. */
export async function areInForce(vault: VaultClient, shares: readonly Secret[], kind: ShareKind): Promise<boolean> {
  try {
    await vault.rekey(shares, 1, 1, kind);
  } catch (error) {
    if (error instanceof WrongSharesError) return false;
    throw error;
  }
  await vault.cancelRekey(kind);
  return true;
}

function nodeOf({ environment, distribution }: Input): VaultNode {
  return vaultNode(nodeId(environment), distribution);
}

/** Name of the mark, beside the unseal shares. */
export const INITIALISING = 'initialising';

function markOf({ unsealShareFiles: [first = ''] }: Input): string {
  return path.join(path.dirname(first), INITIALISING);
}

/** The master keys that must be in this Vault. A migration may bring keys here that have their canaries from elsewhere. */
function keysExpected(input: Input): string[] {
  const place = readKeyStoreNote({ keyStore: input.placeFile })?.place;
  const expected = place === undefined || isInEmbeddedVault(place);
  return expected ? Object.keys(readCanaries(input.canariesFile)) : [];
}

async function unseal(vault: VaultClient, input: Input): Promise<void> {
  if (!(await vault.sealStatus()).sealed) return;
  if (input.seal !== undefined && !input.seal.leave) {
    await waitUntilOpenedBySeal(vault, input.seal.access);
    return;
  }
  // those of a change that was ended before they got their names
  const own = readShares(input);
  const shares = own.length > 0 ? own : readFiles(input.seal?.recoveryShareFiles ?? []);
  const folder = path.dirname(input.unsealShareFiles[0] ?? '.');
  if (shares.length < input.shares && existsSync(markOf(input)) && keysExpected(input).length === 0) {
    const { container, dataVolume } = nodeOf(input);
    throw new ExternalError(
      `Vault was initialised by a command that was killed before it had saved the unseal shares: ${shares.length} of ${input.shares} are in ${folder}. Nothing was ever put in`,
      `remove it (docker rm -f ${container} ${ownerOf(dataVolume)}; docker volume rm ${dataVolume}) and run the same command again`,
    );
  }
  if (shares.length < input.threshold) {
    throw new ExternalError(
      `Vault is initialised and sealed, and ${shares.length} of the ${input.threshold} unseal shares that it needs are in ${folder}`,
      `put the shares back, or unseal Vault by hand: ./scripts/unseal ${argumentOfOperation(input.environment)}`,
    );
  }
  try {
    for (const share of shares.slice(0, input.threshold)) {
      if (!(await vault.unseal(share)).sealed) break;
    }
  } catch (error) {
    if (!(error instanceof VaultError) || error.status !== 400) throw error;
    if (input.unsealShareFiles.some((file) => existsSync(`${file}.new`))) {
      throw new ExternalError(
        'Vault is sealed, and a rotation of its unseal shares was interrupted: the new ones may be in force',
        `./scripts/rotate unseal-keys ${argumentOfOperation(input.environment)} unseals it by them, and ends the rotation`,
      );
    }
    throw new ExternalError(
      `the unseal shares in ${path.dirname(input.unsealShareFiles[0] ?? '.')} are not those of the Vault in the volume ${nodeOf(input).dataVolume} (${error.message})`,
      'attach the volume of these shares. During a restore the master keys are in the backup: if this Vault holds nothing else, remove its container and that volume, and run the restore again',
    );
  }
  process.stderr.write('unsealed Vault\n');
}

async function ensureTokens(vault: VaultClient, input: Input): Promise<void> {
  const token = readSecret(input.provisionerTokenFile);
  const leftoverRoot = readSecret(input.rootTokenFile);
  if (token !== undefined && leftoverRoot === undefined && (await isGood(vault, token, input))) return;

  // either the root token of an initialisation that was interrupted, or a new one by the unseal shares
  const rootToken =
    leftoverRoot !== undefined && (await isAlive(vault, leftoverRoot))
      ? leftoverRoot
      : await vault.generateRootToken(readFiles(sharesOf(input).files));
  // so that the next run finds and revokes it, should this one be killed
  writeFileAtomically(input.rootTokenFile, rootToken.reveal());
  await vault.withToken(rootToken).usedUp(async (root) => {
    const { provisionerTokenFile: tokenFile, provisionerPolicy: policy, metrics } = input;
    await replaceToken(root, { what: 'provisioner', tokenFile, policy });
    if (metrics !== undefined) await replaceToken(root, { what: 'metrics', ...metrics, withoutDefault: true });
  });
  rmSync(input.rootTokenFile, { force: true });
  const also = input.metrics === undefined ? '' : ', one that reads metrics,';
  process.stderr.write(`made a provisioner token with a narrow policy${also} and revoked the root token\n`);
}

/** A standby that knows the active Vault, and is not connected to it yet, sends whoever asks there. */
function unlessStandby(error: unknown): NotYet {
  if (error instanceof VaultError && error.status === 307) return new NotYet(error.message);
  throw new GiveUp(error as Error);
}

interface NewToken {
  readonly what: 'provisioner' | 'metrics';
  readonly tokenFile: string;
  readonly policy: Input['provisionerPolicy'];
  /** Whether it may do only what the policy says. @default - also what Vault's policy `default` says */
  readonly withoutDefault?: boolean;
}

/** Writes the policy, makes a token with it, and revokes the one that is in the file. */
async function replaceToken(
  root: VaultClient,
  { what, tokenFile, policy: { name, document }, withoutDefault = false }: NewToken,
): Promise<void> {
  const token = readSecret(tokenFile);
  await root.write(`sys/policies/acl/${name}`, { policy: document });
  const created = tokenCreation.parse(
    await root.write('auth/token/create-orphan', {
      policies: [name],
      display_name: `encrypted-backup-storage-${what}`,
      period: `${TOKEN_PERIOD_HOURS}h`,
      ...(withoutDefault ? { no_default_policy: true } : {}),
    }),
  );
  writeFileAtomically(tokenFile, created.auth.client_token);
  if (token === undefined) return;
  const revoked = await root.probe('POST', 'auth/token/revoke', { token: token.reveal() });
  if (revoked >= 300 && revoked !== 400 && revoked !== 403) {
    throw new ExternalError(`Vault did not revoke the old ${what} token (HTTP ${revoked})`);
  }
}

/**
 * Whether Vault knows a root token. Only a 403 says that it is dead: after any other answer it may live, and its file is
 * the only way to revoke it.
 */
async function isAlive(vault: VaultClient, rootToken: Secret): Promise<boolean> {
  const client = vault.withToken(rootToken);
  try {
    await client.read('auth/token/lookup-self');
    return true;
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) return false;
    throw error;
  } finally {
    client.close();
  }
}

/** Renews the tokens where they are as declared. */
async function isGood(vault: VaultClient, token: Secret, input: Input): Promise<boolean> {
  const provisioner = vault.withToken(token);
  try {
    if ((await provisionerProblem(provisioner, input.provisionerPolicy)) !== undefined) return false;
    if (input.metrics !== undefined && !(await isGoodForMetrics(vault, provisioner, input.metrics))) return false;
    await provisioner.write('auth/token/renew-self');
    return true;
  } finally {
    provisioner.close();
  }
}

async function isGoodForMetrics(
  vault: VaultClient,
  provisioner: VaultClient,
  { tokenFile, policy }: NonNullable<Input['metrics']>,
): Promise<boolean> {
  const token = readSecret(tokenFile);
  if (token === undefined || (await provisionerProblem(provisioner, policy)) !== undefined) return false;
  const reader = vault.withToken(token);
  try {
    await reader.write('auth/token/renew-self');
    return true;
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) return false;
    throw error;
  } finally {
    reader.close();
  }
}

/** What keeps a provisioner token, or a policy that it may read, from being what is declared now; undefined if nothing does. */
export async function provisionerProblem(
  provisioner: VaultClient,
  { name, document }: Input['provisionerPolicy'],
): Promise<string | undefined> {
  try {
    const { data } = policyRead.parse(await provisioner.read(`sys/policies/acl/${name}`));
    return data.policy === document ? undefined : `the policy ${name} in Vault is not the one that is declared now`;
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) return 'Vault does not accept the provisioner token';
    throw error;
  }
}

export function readShares(input: Pick<Input, 'unsealShareFiles'>): Secret[] {
  return readFiles(input.unsealShareFiles);
}

function readFiles(files: readonly string[]): Secret[] {
  return files.map(readSecret).filter((share) => share !== undefined);
}
