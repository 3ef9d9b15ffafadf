import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { reachableAddress } from '../../config/environment';
import { ExternalError, UsageError } from '../errors';
import { readIfExists, writeFileAtomically } from '../files';
import type { Step } from '../toolchain/step';
import { VaultClient, WrongSharesError } from '../vault-client';
import type { RotationContext } from './context';

/**
 * Other unseal shares for an embedded Vault, as many as the environment declares.
 *
 * Vault puts them into force only when they are given back to it, and they are given back from their files: at no
 * moment are the shares in force in memory alone.
 *
 * | killed                          | shares in force | found by the next run                                        |
 * |---------------------------------|-----------------|--------------------------------------------------------------|
 * | before the new files are whole  | old             | the old open, the new are thrown away                        |
 * | before Vault confirmed          | old             | the same                                                     |
 * | after it, before it was noted   | new             | the new open: on with replacing                              |
 * | while the files are replaced    | new             | noted: on with replacing                                     |
 *
 * @throws UsageError if there is no embedded Vault, or if its shares are not at hand
 */
export function rotateUnsealKeys({ loaded, rotation, deploy }: RotationContext): Step[] {
  const { environment, state } = loaded;
  const { vault: settings } = environment;
  if (settings.mode !== 'embedded') {
    throw new UsageError(
      `vault.mode: must be embedded, got: ${settings.mode}`,
      'the unseal shares of another Vault are the business of who runs it',
    );
  }
  const folder = path.dirname(state.secret.unsealShare(1));
  const newFile = (number: number): string => `${state.secret.unsealShare(number)}.new`;
  const numbers = Array.from({ length: settings.shares }, (_, index) => index + 1);
  const endpoint = { url: `https://${reachableAddress(environment)}:${settings.port}`, caFile: state.caCertificate };
  const withVault = async <T>(act: (vault: VaultClient) => Promise<T>): Promise<T> => {
    const vault = new VaultClient(endpoint);
    try {
      return await act(vault);
    } finally {
      vault.close();
    }
  };

  return [
    rotation.phase('rekey', {
      title: 'New unseal shares',
      run: () =>
        withVault(async (vault) => {
          const written = numbers.map((number) => readIfExists(newFile(number)));
          if (written.every((share) => share !== undefined) && (await areInForce(vault, written))) {
            return 'in force since before the interruption';
          }
          for (const file of filesIn(folder, /^unseal-share-\d+\.new$/)) rmSync(file);

          const present = filesIn(folder, /^unseal-share-\d+$/).map((file) => readIfExists(file)?.trim() ?? '');
          const { shares, nonce } = await vault.rekey(present, settings.shares, settings.threshold).catch(notTheShares);
          shares.forEach((share, index) => {
            writeFileAtomically(newFile(index + 1), share);
          });
          const fromFiles = numbers.map((number) => readIfExists(newFile(number)) ?? '');
          if (!(await vault.confirmRekey(fromFiles.slice(0, settings.threshold), nonce))) {
            throw new ExternalError('Vault did not take the new unseal shares back; the old ones stay in force');
          }
          return `${settings.shares}, ${settings.threshold} of them unseal`;
        }),
    }),
    rotation.phase('replace', {
      title: 'Put them in the place of the old ones',
      run: async () => {
        for (const number of numbers) {
          if (existsSync(newFile(number))) renameSync(newFile(number), state.secret.unsealShare(number));
        }
        const kept = new Set(numbers.map((number) => state.secret.unsealShare(number)));
        for (const file of filesIn(folder, /^unseal-share-\d+$/)) if (!kept.has(file)) rmSync(file);
        return Promise.resolve(folder);
      },
    }),
    rotation.phase('deliver', deploy('Give them to the unsealer')),
    rotation.phase('prove', {
      title: 'The new shares are in force',
      run: () =>
        withVault(async (vault) => {
          const shares = numbers.map((number) => readIfExists(state.secret.unsealShare(number)) ?? '');
          if (await areInForce(vault, shares)) return `${shares.length} in ${folder}`;
          throw new ExternalError(
            `the unseal shares in ${folder} are not those of this Vault`,
            'do not restart Vault: begin again with shares that open it, while it is unsealed',
          );
        }),
    }),
  ];

  function notTheShares(error: unknown): never {
    if (!(error instanceof WrongSharesError)) throw error;
    throw new ExternalError(
      `Vault does not take the unseal shares in ${folder} for its own (${error.message})`,
      'put the right ones there; nothing was changed',
    );
  }
}

/** Whether shares open this Vault. It is asked by a rekeying that is given up at once. */
async function areInForce(vault: VaultClient, shares: readonly string[]): Promise<boolean> {
  try {
    await vault.rekey(shares, 1, 1);
  } catch (error) {
    if (error instanceof WrongSharesError) return false;
    throw error;
  }
  await vault.cancelRekey();
  return true;
}

function filesIn(folder: string, name: RegExp): string[] {
  return readdirSync(folder)
    .filter((file) => name.test(file))
    .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
    .map((file) => path.join(folder, file));
}
