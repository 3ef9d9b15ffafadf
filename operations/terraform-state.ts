import { existsSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { LoadedEnvironment } from '../config/load';
import { ExternalError } from './errors';
import { readIfExists } from './files';
import { readRemoteState } from './remote-state';

const stateFile = z.object({
  resources: z.array(
    z.object({
      mode: z.string(),
      type: z.string(),
      instances: z.array(z.object({ attributes: z.looseObject({ path: z.string().optional() }).nullish() })),
    }),
  ),
});

/** What a stack made at a path of Vault, as Terraform's state tells: `<type> <path>`, empty before the first deploy. */
export async function deployedPaths(loaded: StateOwner, stack: string): Promise<Set<string>> {
  const managed = (await managedResources(loaded, stack)) ?? [];
  return new Set(
    managed.flatMap(({ type, instances }) =>
      instances.flatMap(({ attributes }) =>
        typeof attributes?.path === 'string' ? [`${type} ${attributes.path.replace(/\/$/, '')}`] : [],
      ),
    ),
  );
}

/** The types of what a stack made; undefined where no state tells: before the first deploy, or where it was lost or cut short. */
export async function deployedTypes(loaded: StateOwner, stack: string): Promise<Set<string> | undefined> {
  const managed = await managedResources(loaded, stack);
  return managed && new Set(managed.filter(({ instances }) => instances.length > 0).map(({ type }) => type));
}

type StateOwner = Pick<LoadedEnvironment, 'environment' | 'state'>;

type Resource = z.infer<typeof stateFile>['resources'][number];

async function managedResources(loaded: StateOwner, stack: string): Promise<Resource[] | undefined> {
  const content = await readState(loaded, stack);
  if (content === undefined) return undefined;
  return stateFile.parse(content).resources.filter(({ mode }) => mode === 'managed');
}

async function readState({ environment, state }: StateOwner, stack: string): Promise<unknown> {
  if (environment.state.backend !== 's3') return readLocalState(path.join(state.terraform, `${stack}.tfstate`));
  const text = await readRemoteState(environment.name, environment.state, stack);
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

/** Terraform's local state files. */
export function localStates(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => name.endsWith('.tfstate')).map((name) => path.join(folder, name));
}

/**
 * What a local state file holds.
 *
 * @returns undefined if there is none, or one that was cut short: Terraform empties its file before it writes it anew,
 * and whatever kills it in between leaves less than a whole one
 */
export function readLocalState(file: string): unknown {
  const text = readIfExists(file);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** Local state files that were cut short. A state elsewhere is written whole or not at all. */
export function cutStates({ environment, state }: LoadedEnvironment): string[] {
  if (environment.state.backend !== 'local') return [];
  return localStates(state.terraform).filter((file) => readLocalState(file) === undefined);
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
  const { environment } = loaded;
  const cut = cutStates(loaded);
  const isExternal = environment.keyStore.type === 'vault' && environment.vault.mode === 'external';
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
