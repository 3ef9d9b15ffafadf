/** The SecretID by which KES logs in to Vault: the one that it has, or a new one that is minted or was handed over. */
import { rmSync } from 'node:fs';
import { z } from 'zod';
import { durationToMs } from '../../config/duration';
import type { KesLogin, VaultKeyStore } from '../../config/kes/kes-configuration';
import type { OperationInput } from '../../config/operation-inputs';
import { AppRole, readKesLogin, type SecretIdFacts } from '../vault/approle';
import { ExternalError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { isDue, noteRenewal } from '../certificates/renewal';
import { howToWrap, readWrappingToken } from '../vault/wrapped-secret-id';
import type { Secret } from '../lib/secret';

type VaultAccess = NonNullable<OperationInput<'write-kes-configuration'>['vault']>;
type Settings = VaultAccess['secretId'];

/** A SecretID with what Vault says about it. */
export interface SecretId {
  readonly value: Secret;
  readonly facts: SecretIdFacts;
}

/**
 * Keeps the SecretID in the present configuration file if it works, is as declared and need not be renewed, and gets
 * another otherwise.
 *
 * @param file the configuration file of KES
 * @returns `finish`: to be called when the file with the login is written
 */
export async function vaultLogin(
  access: VaultAccess,
  { appRole }: VaultKeyStore,
  file: string,
): Promise<{ readonly login: KesLogin; readonly finish: () => Promise<void> }> {
  const { secretId: settings, secretIdNote: note, outdatedSecretIds } = access;
  const withRole = async <T>(act: (role: AppRole) => Promise<T>): Promise<T> => {
    const role = new AppRole(access, appRole);
    try {
      return await act(role);
    } finally {
      role.close();
    }
  };
  return withRole(async (role) => {
    const roleId = await role.roleId();
    const present = await presentSecretId(role, roleId, file);
    const outdated = present !== undefined && differences(present, settings).length > 0;
    const due = note !== undefined && isDue(note);
    const secretId = present === undefined || outdated || due ? await newSecretId(role, settings) : present;
    // one that is renewed ends by itself, and works until KES has read the file; one that allows more than is declared
    // must not outlive the change, so it is noted before the file no longer names it, for the run after one that is killed
    const secretIdsToRevoke = readAccessors(outdatedSecretIds).filter(
      (accessor) => accessor !== present?.facts.secret_id_accessor,
    );
    if (outdated) {
      secretIdsToRevoke.push(present.facts.secret_id_accessor);
      writeFileAtomically(outdatedSecretIds, `${JSON.stringify(secretIdsToRevoke)}\n`, 0o644);
    }
    const finish = async (): Promise<void> => {
      if (secretIdsToRevoke.length > 0) {
        await withRole(async (again) => {
          for (const accessor of secretIdsToRevoke) await again.destroy(accessor);
        });
      }
      rmSync(outdatedSecretIds, { force: true });
      if (note !== undefined) noteEnd(note, secretId);
    };
    return { login: { type: 'vault', roleId, secretId: secretId.value }, finish };
  });
}

function readAccessors(file: string): string[] {
  const text = readIfExists(file);
  return text === undefined ? [] : z.array(z.string()).parse(JSON.parse(text));
}

/** The SecretID in the present file, if it belongs to this role and Vault still knows it. */
async function presentSecretId(role: AppRole, roleId: string, file: string): Promise<SecretId | undefined> {
  const present = readKesLogin(file);
  if (present?.roleId !== roleId) return undefined;
  const facts = await role.lookUp(present.secretId);
  return facts === undefined ? undefined : { value: present.secretId, facts };
}

/** In what a SecretID is not as declared. */
function differences({ facts }: SecretId, declared: Settings): string[] {
  const compare = (setting: string, wanted: string, is: string): string[] =>
    wanted === is ? [] : [`keyStore.approle.secretId.${setting} says ${wanted}, it has ${is}`];
  const list = (cidrs: readonly string[] | null): string => [...(cidrs ?? [])].sort().join(', ') || 'none';
  return [
    ...compare('ttl', `${durationToMs(declared.ttl) / 1000} s`, `${facts.secret_id_ttl} s`),
    ...compare('boundCidrs', list(declared.boundCidrs), list(facts.cidr_list)),
    ...compare('tokenBoundCidrs', list(declared.tokenBoundCidrs), list(facts.token_bound_cidrs)),
  ];
}

/**
 * Another SecretID, minted or unwrapped as declared.
 *
 * @throws ExternalError if none was handed over, or one that is not as declared; the latter is destroyed
 */
export async function newSecretId(role: AppRole, settings: Settings): Promise<SecretId> {
  const value = settings.delivery === 'minted' ? (await role.mint(settings)).secretId : await unwrap(role, settings);
  process.stderr.write(`${settings.delivery === 'minted' ? 'minted' : 'unwrapped'} a SecretID for KES\n`);
  const facts = await role.lookUp(value);
  if (facts === undefined) throw new ExternalError(`Vault does not know the new SecretID of ${role.path}`);
  const secretId = { value, facts };
  const wrong = differences(secretId, settings);
  if (wrong.length > 0) {
    await role.destroy(facts.secret_id_accessor);
    throw new ExternalError(
      `the new SecretID of ${role.path} is not as declared and was destroyed: ${wrong.join('; ')}`,
      `mint it with what the environment file declares: cidr_list=… token_bound_cidrs=…; its life follows from the role`,
    );
  }
  return secretId;
}

async function unwrap(role: AppRole, settings: Extract<Settings, { delivery: 'wrapped' }>): Promise<Secret> {
  const wrapping = readWrappingToken(settings.wrappingTokenFile);
  if (wrapping !== undefined) return role.unwrap(wrapping);
  throw new ExternalError(
    `KES needs a SecretID of ${role.path}, and none was handed over`,
    howToWrap(role.mintPath, settings),
  );
}

/** Notes when a SecretID ends. It is to be renewed when a third of its life is left. */
export function noteEnd(file: string, { facts }: SecretId): void {
  const created = new Date(facts.creation_time).getTime();
  const expires = new Date(facts.expiration_time).getTime();
  const renewAfter = new Date(expires - (expires - created) / 3);
  noteRenewal(file, renewAfter, new Date(), { expires: new Date(expires).toISOString() });
}
