import path from 'node:path';
import { z } from 'zod';
import type { LoadedEnvironment } from '../config/load';
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
export async function deployedPaths(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  stack: string,
): Promise<Set<string>> {
  const text =
    environment.state.backend === 's3'
      ? await readRemoteState(environment.name, environment.state, stack)
      : readIfExists(path.join(state.terraform, `${stack}.tfstate`));
  if (text === undefined) return new Set();
  const managed = stateFile.parse(JSON.parse(text)).resources.filter(({ mode }) => mode === 'managed');
  return new Set(
    managed.flatMap(({ type, instances }) =>
      instances.flatMap(({ attributes }) =>
        typeof attributes?.path === 'string' ? [`${type} ${attributes.path.replace(/\/$/, '')}`] : [],
      ),
    ),
  );
}
