import { existsSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { LoadedEnvironment } from '../state/load';
import { ExternalError, UsageError } from '../lib/errors';
import { readIfExists } from '../lib/files';
import { parsedJson } from '../lib/text/json';
import { readRemoteState } from './remote-state';

const stateFile = z.object({
  resources: z
    .array(
      z.object({
        mode: z.string(),
        type: z.string(),
        instances: z.array(z.object({ attributes: z.record(z.string(), z.unknown()).nullish() })).default([]),
      }),
    )
    .default([]),
});

/** What Terraform made. */
export interface MadeResource {
  readonly type: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/**
 * What a stack made, as Terraform's state tells, wherever that is.
 *
 * @returns undefined if there is no state yet, or a local one that was cut short
 * @throws ExternalError if it cannot be read
 */
export async function managedResources(
  loaded: Pick<LoadedEnvironment, 'environment' | 'state'>,
  stack: string,
): Promise<MadeResource[] | undefined> {
  const found = await readState(loaded, stack);
  if (found === undefined) return undefined;
  const parsed = stateFile.safeParse(found.content);
  if (!parsed.success) throw new ExternalError(`${found.where} is not Terraform's state`, found.hint);
  const managed = parsed.data.resources.filter(({ mode }) => mode === 'managed');
  // Terraform names a resource, without an instance or its attributes, as soon as it begins to make it
  return managed.flatMap(({ type, instances }) =>
    instances.flatMap(({ attributes }) => (attributes ? [{ type, attributes }] : [])),
  );
}

async function readState(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  stack: string,
): Promise<{ readonly where: string; readonly content: unknown; readonly hint: string } | undefined> {
  const { name, state: backend } = environment;
  if (backend.backend === 's3') {
    const text = await readRemoteState(name, backend, stack);
    const where = `s3://${backend.bucket}/${backend.keyPrefix}/${name}/${stack}.tfstate`;
    return text === undefined
      ? undefined
      : { where, content: parsedJson(text), hint: 'put back an earlier version of that object; nothing was changed' };
  }
  const file = path.join(state.terraform, `${stack}.tfstate`);
  const content = readLocalState(file);
  const hint = `put it back (Terraform keeps the one before as ${path.basename(file)}.backup), or remove it: what it named is found again`;
  return content === undefined ? undefined : { where: file, content, hint };
}

/** The type of a role of AppRole. Terraform's id of one is its path. */
export const APPROLE_ROLE = 'vault_approle_auth_backend_role';

/** What a stack made at a path of Vault, as Terraform's state tells: `<type> <path>`, empty before the first deploy. */
export async function deployedPaths(
  loaded: Pick<LoadedEnvironment, 'environment' | 'state'>,
  stack: string,
): Promise<Set<string>> {
  const made = (await managedResources(loaded, stack)) ?? [];
  return new Set(
    made.flatMap(({ type, attributes }) => {
      const at = type === APPROLE_ROLE ? attributes.id : attributes.path;
      return typeof at === 'string' ? [`${type} ${at.replace(/\/$/, '')}`] : [];
    }),
  );
}

/** Terraform's local state files. */
function localStates(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => name.endsWith('.tfstate')).map((name) => path.join(folder, name));
}

/**
 * What a local state file holds.
 *
 * @returns undefined if there is none, or one that was cut short: Terraform empties its file before it writes it anew,
 * and whatever kills it in between leaves less than a whole one
 */
function readLocalState(file: string): unknown {
  const text = readIfExists(file);
  return text === undefined ? undefined : parsedJson(text);
}

/** Local state files that were cut short. A state elsewhere is written whole or not at all. */
export function cutStates({ environment, state }: LoadedEnvironment): string[] {
  if (environment.state.backend !== 'local') return [];
  return localStates(state.terraform).filter((file) => readLocalState(file) === undefined);
}

/** @throws UsageError where one was cut short: a deploy mends it */
export function requireWholeStates(loaded: LoadedEnvironment): void {
  const [cut] = cutStates(loaded);
  if (cut === undefined) return;
  throw new UsageError(
    `${cut} was cut short, as by a kill of Terraform in the middle of writing it`,
    `./scripts/up ${loaded.argument} finds again what it named; then run this again`,
  );
}

/**
 * Renames local state files that were cut short, so that a deploy goes on as after a lost state: containers and networks
 * are made again, volumes and the mounts of an embedded Vault are adopted. Terraform's backup of the state before is not
 * put in its place: it may name what was given up since, such as the mount that a migration has left, and Terraform would
 * delete that.
 *
 * Mounts of an external Vault are not adopted. A state of them without a backup was cut short by the first deploy, mostly
 * before it made any: Terraform makes an empty file when it takes its lock. Whether there are some is asked of Vault later.
 *
 * @returns what was renamed, and its name now
 * @throws ExternalError where the state names mounts of an external Vault, and there is a backup that does, too
 */
export function setAsideCutStates(loaded: LoadedEnvironment): { file: string; now: string }[] {
  const { keyStore: declared } = loaded.environment;
  const cut = cutStates(loaded);
  const isExternal = declared.type === 'vault' && declared.vault.mode === 'external';
  const keyStore = cut.find((file) => path.basename(file) === 'keystore.tfstate');
  if (isExternal && keyStore !== undefined && readLocalState(`${keyStore}.backup`) !== undefined) {
    throw new ExternalError(
      `${keyStore} was cut short, as by a kill of Terraform in the middle of writing it, and it names mounts of an external Vault`,
      `put back the one before: cp ${keyStore}.backup ${keyStore}; nothing was changed`,
    );
  }
  const time = new Date().toISOString().replaceAll(':', '-');
  return cut.map((file) => {
    const now = `${file}.cut-${time}`;
    renameSync(file, now);
    return { file, now };
  });
}
