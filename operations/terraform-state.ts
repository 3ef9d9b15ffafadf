import path from 'node:path';
import { z } from 'zod';
import type { LoadedEnvironment } from '../config/load';
import { readIfExists } from './files';
import { readRemoteState } from './remote-state';

const stateFile = z.object({
  resources: z.array(z.object({ mode: z.string(), type: z.string(), instances: z.array(z.unknown()) })),
});

/** Types of the resources that a stack has, as Terraform's state tells: empty before the first deploy. */
export async function deployedTypes(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  stack: string,
): Promise<Set<string>> {
  const text =
    environment.state.backend === 's3'
      ? await readRemoteState(environment.name, environment.state, stack)
      : readIfExists(path.join(state.terraform, `${stack}.tfstate`));
  if (text === undefined) return new Set();
  const { resources } = stateFile.parse(JSON.parse(text));
  return new Set(
    resources.filter(({ mode, instances }) => mode === 'managed' && instances.length > 0).map(({ type }) => type),
  );
}
