/**
 * Refuses to plan for a deployment whose secrets are gone: Terraform would take everything for new and initialise an
 * empty Vault over keys that still protect data.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../lib/errors';
import { restoreCall } from './restore-call';
import type { StateLayout } from '../../config/state/layout';

const marker = z.object({ id: z.string() });

/**
 * The two markers that the first deploy leaves, one in the state folder and one in its `secrets/`.
 *
 * | state folder | secrets | meaning                                        |
 * |--------------|---------|------------------------------------------------|
 * | none         | none    | never deployed: go on                          |
 * | A            | A       | deployed: go on                                |
 * | A            | none    | the secrets are lost: REFUSE                   |
 * | none         | A alone | killed while it made the first marker: go on   |
 * | none         | A       | the state is lost: REFUSE                      |
 * | A            | B       | two deployments were mixed: REFUSE             |
 *
 * A restore that was begun must be ended before anything else is deployed: until its last step the master keys are not
 * all where a deploy looks for them, and it would make new ones. The restore itself says so in `EBS_RESTORE`.
 *
 * @throws UsageError in the rows that say REFUSE, and during a restore
 */
export function requireIntactState(environment: string, state: StateLayout, env = process.env): void {
  if (existsSync(state.restore) && env.EBS_RESTORE !== environment) {
    throw new UsageError(
      `a restore of environment ${environment} was begun and has not ended`,
      'resume it: ./scripts/restore with the same backup; nothing was changed',
    );
  }
  const here = readMarker(state.deployment);
  const secrets = readMarker(state.secret.deployment);
  if (here === secrets) return;
  requireSecrets(environment, state);
  if (here === undefined) {
    if (holdsNothingElse(state)) return;
    throw new UsageError(
      `environment ${environment} has secrets in ${state.secrets}, but the state beside them is gone (${state.deployment})`,
      'put the state folder back from where you keep it; nothing was changed',
    );
  }
  throw new UsageError(
    `environment ${environment} has the secrets of another deployment in ${state.secrets}`,
    'put the right folder back; nothing was changed',
  );
}

/**
 * The row in which the secrets are lost.
 *
 * @throws UsageError that says how a backup brings them back
 */
export function requireSecrets(environment: string, state: StateLayout): void {
  if (readMarker(state.deployment) === undefined || readMarker(state.secret.deployment) !== undefined) return;
  throw new UsageError(
    `environment ${environment} was deployed, but its secrets are gone: ${state.secrets} does not hold them`,
    `a backup brings them back: ${restoreCall(environment, state)}; or put the folder back from a copy of it. ` +
      'Nothing was changed, and no new key replaces an existing one',
  );
}

function holdsNothingElse({ secrets, secret }: StateLayout): boolean {
  return readdirSync(secrets).every((entry) => entry === path.basename(secret.deployment));
}

function readMarker(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  return marker.parse(JSON.parse(readFileSync(file, 'utf8'))).id;
}
