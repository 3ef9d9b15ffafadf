import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { nodesOf, onHost, vaultNodes } from '../../config/node';
import { vaultNodeEndpoint } from '../../config/state/endpoints';
import { embeddedVault } from '../../config/vault/vault';
import { ExternalError, UsageError } from '../lib/errors';
import { renameDurably, writeFileAtomically } from '../lib/files';
import { shareFiles, type ShareKind, shareKind } from '../state/notes/seal-note';
import { areInForce } from './initialize-vault';
import { serving, waitUntilAnswering } from './unseal-vault';
import { VaultClient, VaultError, WrongSharesError } from './vault-client';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';
import { readSecret, Secret } from '../lib/secret';
import { waitFor } from '../lib/wait';

/**
 * Other unseal shares for an embedded Vault, as many as the environment declares; recovery shares where a seal opens it.
 *
 * Vault puts them into force only when they are given back to it, and they are given back from their files: at no
 * moment are the shares in force in memory alone.
 *
 * | killed                          | shares in force | found by the next run                                        |
 * |---------------------------------|-----------------|--------------------------------------------------------------|
 * | before the new files are whole  | old             | the old open, the new are thrown away                        |
 * | before Vault confirmed          | old             | the same                                                     |
 * | after it, before it was noted   | new             | the new open: on with replacing                              |
 * | the same, and Vault was sealed  | new             | they unseal it; the unsealer has only the old ones           |
 * | while the files are replaced    | new             | noted: on with replacing                                     |
 *
 * New files go only when Vault has taken the old shares: until then they may be the only ones in force.
 *
 * Several Vaults have one set of shares, and each keeps what they open in its own storage. One that is sealed meanwhile
 * does not get the change: only the old shares would open it. So every Vault must serve before and after.
 *
 * @throws UsageError if there is no embedded Vault, or if its shares are not at hand
 */
export function rotateUnsealKeys({ loaded, deploy }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const settings = embeddedVault(environment);
  if (settings === undefined) {
    const { type } = environment.keyStore;
    throw type === 'vault'
      ? new UsageError(
          'vault.mode: must be embedded, got: external',
          'whoever runs that Vault rotates its unseal shares',
        )
      : new UsageError(`keyStore.type: must be vault, got: ${type}`, 'the environment has no Vault');
  }
  const kind = shareKind(state);
  const files = shareFiles(state, settings.shares);
  const newFile = (file: string): string => `${file}.new`;
  const folder = path.dirname(state.secret.unsealShare(1));
  const nodes = vaultNodes(nodesOf(environment)).map((node) => ({
    where: `Vault${onHost(node)}`,
    endpoint: vaultNodeEndpoint(environment, settings, state, node),
  }));
  /** @param act gets one Vault that serves, and all: a standby sends on what it is asked */
  const withVault = async <T>(act: (vault: VaultClient, all: readonly OneVault[]) => Promise<T>): Promise<T> => {
    const all = nodes.map((node) => ({ ...node, client: new VaultClient(node.endpoint) }));
    const [first] = all;
    if (first === undefined) throw new Error('every deployment with an embedded Vault has a node of it');
    try {
      return await act(first.client, all);
    } finally {
      for (const { client } of all) client.close();
    }
  };

  return [
    {
      id: 'rekey',
      title: `New ${kind} shares`,
      run: () =>
        withVault(async (vault, all) => {
          for (const { client, endpoint } of all) await waitUntilAnswering(client, endpoint);
          const pending = pendingShares(folder, kind);
          if (pending !== undefined && kind === 'unseal') {
            for (const each of all) await unsealIfSealed(each, pending);
          }
          await waitUntilAllServe(all);
          if (pending !== undefined && (await areInForce(vault, pending, kind))) {
            await requireDeclared(vault, settings);
            return 'in force since before the interruption';
          }
          const present = sharesIn(folder, PRESENT[kind]).map(({ share }) => share);
          const { shares, nonce } = await vault
            .rekey(present, settings.shares, settings.threshold, kind)
            .catch(notTheShares);
          for (const { file } of sharesIn(folder, NEW[kind])) rmSync(file);
          const written = files.map(newFile);
          shares.forEach((share, index) => {
            const file = written[index];
            if (file === undefined) throw new Error(`no file for share ${index + 1}`);
            writeFileAtomically(file, share.reveal());
          });
          const fromFiles = written.map((file) => readSecret(file) ?? new Secret(''));
          if (!(await vault.confirmRekey(fromFiles.slice(0, settings.threshold), nonce, kind))) {
            throw new ExternalError(`Vault did not take the new ${kind} shares back; the old ones stay in force`);
          }
          await waitUntilAllServe(all);
          return `${settings.shares}, ${settings.threshold} of them ${kind === 'unseal' ? 'unseal' : 'make a root token'}`;
        }),
    },
    {
      id: 'replace',
      title: 'Install the new shares',
      run: async () => {
        for (const file of files) if (existsSync(newFile(file))) renameDurably(newFile(file), file);
        for (const { file } of sharesIn(folder, PRESENT[kind])) if (!files.includes(file)) rmSync(file);
        return Promise.resolve(folder);
      },
    },
    { id: 'deliver', ...deploy(kind === 'unseal' ? 'Give them to the unsealer' : 'Deploy') },
    {
      id: 'prove',
      title: 'Verify the new shares',
      run: () =>
        withVault(async (vault) => {
          const shares = files.map((file) => readSecret(file) ?? new Secret(''));
          if (await areInForce(vault, shares, kind)) return `${shares.length} in ${folder}`;
          throw new ExternalError(
            `the ${kind} shares in ${folder} are not those of this Vault`,
            'do not restart Vault: begin again with shares that open it, while it is unsealed',
          );
        }),
    },
  ];

  function notTheShares(error: unknown): never {
    if (!(error instanceof WrongSharesError)) throw error;
    throw new ExternalError(
      `Vault refuses the ${kind} shares in ${folder} (${error.message})`,
      'put the right ones there; nothing was changed',
    );
  }
}

interface OneVault {
  /** The subject of an error. */
  readonly where: string;
  readonly endpoint: TlsEndpoint;
  readonly client: VaultClient;
}

async function waitUntilAllServe(all: readonly OneVault[]): Promise<void> {
  for (const { where, client } of all) {
    const hint =
      all.length === 1
        ? 'unseal it (./scripts/unseal), then run this again'
        : 'unseal it (./scripts/unseal) with the shares in force, then run this again: while it is sealed it does not get the new ones';
    const what = `${where} to be unsealed and serve`;
    await waitFor({ what, timeoutMs: 60_000, hint }, async () => serving(client, all.length > 1));
  }
}

/** What was made by an earlier declaration is not thrown away, and not taken for what is declared now. */
async function requireDeclared(
  vault: VaultClient,
  { shares, threshold }: { readonly shares: number; readonly threshold: number },
): Promise<void> {
  const { n, t } = await vault.sealStatus();
  if (n === shares && t === threshold) return;
  throw new ExternalError(
    `a rotation that was interrupted has made ${n} unseal shares, of which ${t} unseal; declared are ${shares} and ${threshold}`,
    `set vault.shares: ${n} and vault.threshold: ${t} and run this again; then set what you want, and rotate once more`,
  );
}

const PRESENT = { unseal: /^unseal-share-(\d+)$/, recovery: /^recovery-share-(\d+)$/ } as const;
const NEW = { unseal: /^unseal-share-(\d+)\.new$/, recovery: /^recovery-share-(\d+)\.new$/ } as const;

/** Shares that an earlier run wrote, with those that it has put in their place already; undefined if there are none. */
function pendingShares(folder: string, kind: ShareKind): Secret[] | undefined {
  const written = sharesIn(folder, NEW[kind]);
  if (written.length === 0) return undefined;
  const byNumber = new Map(
    [...sharesIn(folder, PRESENT[kind]), ...written].map(({ number, share }) => [number, share]),
  );
  return [...byNumber.entries()].sort(([a], [b]) => a - b).map(([, share]) => share);
}

function sharesIn(folder: string, name: RegExp): { file: string; number: number; share: Secret }[] {
  return readdirSync(folder)
    .flatMap((entry) => {
      const number = name.exec(entry)?.[1];
      return number === undefined ? [] : [{ file: path.join(folder, entry), number: Number(number) }];
    })
    .map(({ file, number }) => ({ file, number, share: new Secret(readFileSync(file, 'utf8').trim()) }))
    .sort((a, b) => a.number - b.number);
}

/**
 * Opens a Vault that was sealed meanwhile, for example by a reboot.
 *
 * The unsealer goes on to give its old shares, and what it gives between two of these spoils the try.
 */
async function unsealIfSealed({ where, client }: OneVault, shares: readonly Secret[]): Promise<void> {
  for (let tries = 1; tries <= 3; tries++) {
    if (!(await client.sealStatus()).sealed) return;
    try {
      await client.forgetUnsealProgress();
      for (const share of shares) if (!(await client.unseal(share)).sealed) return;
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
    }
  }
  throw new ExternalError(
    `${where} is sealed, and the unseal shares of the interrupted rotation do not open it: the old ones are in force`,
    'unseal it by the old ones (./scripts/unseal), then run this again; nothing was changed',
  );
}
