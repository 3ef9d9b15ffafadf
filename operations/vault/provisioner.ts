import path from 'node:path';
import type { OperationInput } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { provisionerProblem, readShares } from './initialize-vault';
import { noteRenewal } from '../certificates/renewal';
import { serving } from './unseal-vault';
import { VaultClient } from './vault-client';
import { readSecret } from '../lib/secret';

/** What the initialisation of an embedded Vault gets, as far as it is about the provisioner token. */
export type ProvisionerRequest = Pick<
  OperationInput<'initialize-vault'>,
  | 'endpoint'
  | 'threshold'
  | 'unsealShareFiles'
  | 'provisionerTokenFile'
  | 'provisionerPolicy'
  | 'metrics'
  | 'renewalNote'
>;

/**
 * Finds out before a deploy whether the provisioner token of an embedded Vault must be made anew: after an update with
 * another policy, or where the policy was changed or the token revoked. That needs unseal shares, which with
 * `unseal: manual` may be elsewhere.
 *
 * Where they are at hand, the initialisation is made due, and the deploy that follows runs it.
 *
 * @returns why it is made anew; undefined if it is not, or if Vault is away or sealed, where the
 * deploy finds out by itself
 * @throws ExternalError if the unseal shares are too few
 */
export async function requireProvisioner(request: ProvisionerRequest): Promise<string | undefined> {
  const token = readSecret(request.provisionerTokenFile);
  if (token === undefined) return undefined;
  const vault = new VaultClient(request.endpoint);
  const provisioner = vault.withToken(token);
  try {
    const serves = await serving(vault, request.endpoint.otherUrls !== undefined).catch(() => false);
    if (serves !== true) return undefined;
    const problem = (await provisionerProblem(provisioner, request.provisionerPolicy)) ?? metricsProblem(request);
    if (problem === undefined) return undefined;
    const shares = readShares(request).length;
    if (shares < request.threshold) {
      const folder = path.dirname(request.unsealShareFiles[0] ?? '.');
      throw new ExternalError(
        `${problem}, and ${shares} of the ${request.threshold} unseal shares that a new token needs are in ${folder}`,
        `put ${request.threshold} of them back (${request.unsealShareFiles.map((file) => path.basename(file)).join(', ')}), run this again, and take them away afterwards; nothing was changed`,
      );
    }
    const now = new Date();
    noteRenewal(request.renewalNote, now, now, {}, false);
    return problem;
  } finally {
    provisioner.close();
    vault.close();
  }
}

/** A token that is there and is refused is made anew by the deploy when it renews it. */
function metricsProblem({ metrics }: ProvisionerRequest): string | undefined {
  return metrics === undefined || readSecret(metrics.tokenFile) !== undefined
    ? undefined
    : `there is no ${metrics.tokenFile}, the token that reads the metrics of Vault`;
}
