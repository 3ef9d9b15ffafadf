/**
 * Looks at an existing Vault before anything is deployed against it: whether it can be used, whether the token may do
 * all that it will have to, and whether the mounts are there, or not there, as the environment file says.
 */
import path from 'node:path';
import { z } from 'zod';
import { durationToMs } from '../../config/duration';
import type { VaultKeyStoreSettings } from '../../config/environment';
import type { VaultAddress } from '../../config/vault/external-vault';
import { ExternalError, messageOf } from '../lib/errors';
import { type SealStatus, VaultClient } from './vault-client';
import type { FoundToken } from './vault-token';
import { howToWrap, readWrappingToken, verifyWrappingToken } from './wrapped-secret-id';

/** A path with what a token must be allowed there. */
export interface Right {
  readonly path: string;
  readonly capabilities: readonly string[];
}

export interface ExternalVaultRequest {
  readonly address: VaultAddress;
  readonly token: FoundToken;
  /** Everything that the token must be allowed. */
  readonly rights: readonly Right[];
  readonly keyStore: Pick<VaultKeyStoreSettings, 'mount' | 'existingMount' | 'kvVersion' | 'approle'>;
  /** What earlier deploys made in this Vault: `<type of the resource> <path>`. */
  readonly made: ReadonlySet<string>;
  /** Where the SecretID of KES is minted: `auth/<mount>/role/<role>/secret-id`. */
  readonly mintPath: string;
  /** Whether this deploy will need a new SecretID, should the role be there already. */
  readonly needsSecretId: boolean;
  /** The command that prints the policy, for the hint. */
  readonly policyCommand: string;
  /** Shows what does not prevent a deploy now. */
  readonly announce: (line: string) => void;
}

/** @throws ExternalError that says what is not as it must be, all of a kind at once, and what to do */
export async function requireUsableVault(request: ExternalVaultRequest): Promise<void> {
  const vault = new VaultClient(request.address, request.token.token);
  try {
    await requireUnsealed(vault, request.address);
    await requireNamespaces(vault, request.address);
    await requireToken(vault, request);
    await requireRights(vault, request);
    await requireLastingToken(vault, request);
    await requireMounts(vault, request);
    await requireWrappedSecretId(vault, request);
  } finally {
    vault.close();
  }
}

async function requireUnsealed(vault: VaultClient, { url, caFile }: VaultAddress): Promise<void> {
  let status: SealStatus;
  try {
    status = await vault.sealStatus();
  } catch (error) {
    throw new ExternalError(
      `Vault at ${url} does not answer: ${messageOf(error)}`,
      caFile === undefined
        ? 'check the address; for a certificate of a private CA set vault.caFile or VAULT_CACERT'
        : `check the address, and that ${caFile} holds the CA of its certificate`,
    );
  }
  if (!status.initialized) {
    throw new ExternalError(`Vault at ${url} is not initialised`, 'initialise and unseal it first');
  }
  if (status.sealed) {
    throw new ExternalError(`Vault at ${url} is sealed`, 'unseal it first: vault operator unseal');
  }
}

/** The Community Edition takes a namespace for nothing, so that keys would be elsewhere than declared. */
async function requireNamespaces(vault: VaultClient, { url, namespace }: VaultAddress): Promise<void> {
  if (namespace === undefined || (await vault.isEnterprise()) !== false) return;
  throw new ExternalError(
    `Vault at ${url} has no namespaces and ignores ${namespace}: it is the Community Edition`,
    'remove vault.namespace, or unset VAULT_NAMESPACE; use a keyStore.mount or keyStore.prefix of its own',
  );
}

async function requireToken(vault: VaultClient, { address, token }: ExternalVaultRequest): Promise<void> {
  const { url, namespace } = address;
  // by a right that every token with the policy has; a token that is none is refused here, too
  const status = await vault.probe('POST', 'sys/capabilities-self', { paths: ['auth/token/lookup-self'] });
  if (status === 200) return;
  const where = `Vault at ${url}${namespace === undefined ? '' : ` in namespace ${namespace}`}`;
  if ((await vault.probe('GET', 'auth/token/lookup-self')) === 200) {
    throw missingRights(where, token, ['sys/capabilities-self: update (without it other missing rights are unknown)']);
  }
  throw new ExternalError(
    `${where} does not accept the token in ${token.source} (HTTP ${status})`,
    `log in again: vault login, then renew what is in ${token.source}${namespace === undefined ? '' : '; a token counts in its own namespace and below it'}`,
  );
}

/** Longer than a deploy takes from here on, unless a machine is very slow. */
const TOKEN_MUST_LAST_SECONDS = 15 * 60;

/** No deploy renews it, so its owner must know while there is time; one that is made for each pipeline is far from it. */
const LATE_SHARE = 1 / 6;

const tokenLookup = z.object({
  data: z.object({ ttl: z.number(), creation_ttl: z.number(), num_uses: z.number() }),
});

/** One that ends in the middle of a deploy leaves it half done. */
async function requireLastingToken(
  vault: VaultClient,
  { token, address, announce }: ExternalVaultRequest,
): Promise<void> {
  const { data } = tokenLookup.parse(await vault.read('auth/token/lookup-self'));
  const { ttl, creation_ttl: life, num_uses: uses } = data;
  const where = `the token in ${token.source} of Vault at ${address.url}`;
  // 0: it never ends, and has no limit of uses
  const problem =
    uses > 0
      ? `may be used ${uses} more time(s) only`
      : ttl > 0 && ttl < TOKEN_MUST_LAST_SECONDS
        ? `ends in ${ttl} s, and a deploy may take ${TOKEN_MUST_LAST_SECONDS} s`
        : undefined;
  if (problem === undefined) {
    if (ttl > 0 && ttl < life * LATE_SHARE) {
      announce(
        `WARNING: ${where} ends in ${(ttl / 3600).toFixed(1)} of ${(life / 3600).toFixed(1)} hours. Have it renewed or make another, or later deploys are refused.`,
      );
    }
    return;
  }
  throw new ExternalError(
    `${where} ${problem}`,
    'make one that lasts: vault token create -orphan -no-default-policy -policy=… -period=768h; nothing was changed',
  );
}

const capabilities = z.object({ data: z.record(z.string(), z.unknown()) });

async function requireRights(vault: VaultClient, request: ExternalVaultRequest): Promise<void> {
  const { rights, token, address, policyCommand } = request;
  const { data } = capabilities.parse(
    await vault.write('sys/capabilities-self', { paths: rights.map(({ path }) => path) }),
  );
  const missing = rights.flatMap((right) => {
    const has = z.array(z.string()).catch([]).parse(data[right.path]);
    const lacks = has.includes('root') ? [] : right.capabilities.filter((capability) => !has.includes(capability));
    return lacks.length === 0 ? [] : [`${right.path}: ${lacks.join(', ')}`];
  });
  if (missing.length > 0) throw missingRights(`Vault at ${address.url}`, token, missing, policyCommand);
}

function missingRights(
  where: string,
  { source }: FoundToken,
  missing: readonly string[],
  command?: string,
): ExternalError {
  return new ExternalError(
    `the token in ${source} may not do everything that it must at ${where}; it lacks:${list(missing)}`,
    `give it the policy that ${command ?? './scripts/policy'} prints; nothing was changed`,
  );
}

const mounts = z.object({
  data: z.record(
    z.string(),
    z.object({
      type: z.string(),
      options: z.record(z.string(), z.string()).nullish(),
      config: z.object({ max_lease_ttl: z.number() }),
    }),
  ),
});

/**
 * | the file says   | Vault has     | made by us | meaning                                                        |
 * |-----------------|---------------|------------|----------------------------------------------------------------|
 * | nothing         | no such mount | any        | the deploy makes it                                            |
 * | nothing         | the mount     | yes        | a later deploy                                                 |
 * | nothing         | the mount     | no         | REFUSE: only a person can say whether we may use it, or made it |
 * | `existingMount` | no such mount | any        | REFUSE: there is nothing to use                                |
 * | `existingMount` | the mount     | no         | used as it is, if it is of the right kind                      |
 * | `existingMount` | the mount     | yes        | REFUSE: it is ours, and Terraform would have to delete it      |
 */
async function requireMounts(vault: VaultClient, { address, keyStore, made }: ExternalVaultRequest): Promise<void> {
  const { approle } = keyStore;
  const problems: string[] = [];
  const judge = (what: string, setting: string, existing: boolean, found: boolean, own: boolean): void => {
    if (!existing && found && !own) {
      problems.push(
        `${what} exists already, and this deployment did not make it. To use it, or if a killed deploy of this environment made it, write ${setting}: true; else choose another`,
      );
    }
    if (existing && !found) {
      problems.push(`${what} is not there, but ${setting} says that it is. Remove ${setting}, and the deploy makes it`);
    }
    if (existing && own) {
      problems.push(`${what} was made by this deployment, which would have to delete it. Remove ${setting}`);
    }
  };

  const kv = mounts.parse(await vault.read('sys/mounts')).data[`${keyStore.mount}/`];
  const kvText = `the mount ${keyStore.mount}`;
  judge(
    kvText,
    'keyStore.existingMount',
    keyStore.existingMount,
    kv !== undefined,
    made.has(`vault_mount ${keyStore.mount}`),
  );
  if (kv !== undefined && kv.type !== 'kv') {
    problems.push(`${kvText} must be of type kv, it is of type ${kv.type}. Choose another keyStore.mount`);
  } else if (kv !== undefined && keyStore.existingMount && versionOf(kv.options) !== keyStore.kvVersion) {
    problems.push(
      `${kvText} has version ${versionOf(kv.options)}, keyStore.kvVersion says ${keyStore.kvVersion}. Write ${versionOf(kv.options)}`,
    );
  }

  const auth = mounts.parse(await vault.read('sys/auth')).data[`${approle.mount}/`];
  const authText = `the auth method ${approle.mount}`;
  judge(
    authText,
    'keyStore.approle.existingMount',
    approle.existingMount,
    auth !== undefined,
    made.has(`vault_auth_backend ${approle.mount}`),
  );
  if (auth !== undefined && auth.type !== 'approle') {
    problems.push(
      `${authText} must be of type approle, it is of type ${auth.type}. Choose another keyStore.approle.mount`,
    );
  }
  // 0: that of the whole Vault, which only its administrators can see
  const maximum = auth?.config.max_lease_ttl ?? 0;
  if (maximum > 0 && durationToMs(approle.secretId.ttl) / 1000 > maximum) {
    problems.push(
      `${authText} ends every SecretID after ${maximum} s, keyStore.approle.secretId.ttl says ${approle.secretId.ttl}. Write ${maximum}s or less`,
    );
  }
  if (problems.length > 0) {
    throw new ExternalError(
      `Vault at ${address.url} is not as the environment file says:${list(problems)}`,
      'nothing was changed',
    );
  }
}

/** One that was handed over is as it must be; one that is needed was handed over. Nothing is used up. */
async function requireWrappedSecretId(vault: VaultClient, request: ExternalVaultRequest): Promise<void> {
  const { secretId } = request.keyStore.approle;
  const { mintPath } = request;
  if (secretId.delivery !== 'wrapped') return;
  const wrapping = readWrappingToken(secretId.wrappingTokenFile);
  if (wrapping !== undefined) {
    await verifyWrappingToken(vault, wrapping, mintPath);
    return;
  }
  // before the first deploy there is no role to mint for; the deploy makes it, and stops there
  const role = path.posix.dirname(mintPath);
  if (!request.needsSecretId || (await vault.probe('GET', role)) !== 200) return;
  throw new ExternalError(`KES needs a SecretID of ${role}, and none was handed over`, howToWrap(mintPath, secretId));
}

/** A mount without the option is of version 1. */
function versionOf(options: Readonly<Record<string, string>> | null | undefined): number {
  return Number(options?.version ?? '1');
}

function list(items: readonly string[]): string {
  return items.map((item) => `\n  - ${item}`).join('');
}
