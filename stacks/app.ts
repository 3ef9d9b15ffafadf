import { App } from 'cdktf';
import path from 'node:path';
import { deployVariables, resolveEngine } from '../config/docker/docker-engine';
import { requireDeployable } from '../operations/state/deployable';
import { nodesOf } from '../config/node';
import { vaultVariables } from '../config/vault/external-vault';
import { declaredPlace, inSameVault } from '../config/keys/key-store-place';
import { readKeyStoreNote } from '../operations/state/notes/key-store-note';
import type { LoadedEnvironment } from '../operations/state/load';
import { hasClients } from '../operations/state/clients';
import { retiredKeysByClient } from '../operations/state/notes/retired-keys';
import { projectRoot } from '../operations/lib/project-root';
import type { Toolchain } from '../config/toolchain';
import { DeploymentBase, type DeploymentParts } from '../constructs/deployment';
import { declareStacks } from '.';

/** While a migration is under way, KES may read the place in the same Vault that the keys come from. */
function migrationSourceOf({ environment, state }: LoadedEnvironment): Pick<DeploymentParts, 'migrationSource'> {
  const note = readKeyStoreNote(state);
  if (note?.migration === undefined || note.place.type !== 'vault') return {};
  const { place } = note;
  return inSameVault(place, declaredPlace(environment, vaultVariables(process.env))) ? { migrationSource: place } : {};
}

/**
 * The app of one environment, ready to be synthesized.
 *
 * @param toolchain what the toolchain step found
 * @param outdir where to; default: as cdktf says
 * @throws UsageError where the environment must not be deployed or planned as it is
 */
export function declareApp(loaded: LoadedEnvironment, toolchain: Toolchain, outdir?: string): App {
  requireDeployable(loaded, process.env);
  const { environment, file, state } = loaded;
  const engine = resolveEngine(nodesOf(environment)[0].docker, process.env);
  // each terraform_data would ask Terraform for its version again; required_version in every stack says the same
  const app = new App({ skipValidation: true, ...(outdir === undefined ? {} : { outdir }) });
  const deployment = new DeploymentBase({
    environment,
    engine,
    environmentFile: file,
    state,
    toolchain,
    retiredKeys: retiredKeysByClient(environment, state),
    hadClients: hasClients(state),
    runner: {
      journal: state.operations,
      program: path.join(projectRoot, 'operations', 'run'),
      variables: deployVariables(environment, engine),
    },
    ...migrationSourceOf(loaded),
    vaultVariables: vaultVariables(process.env),
  });
  declareStacks(app, deployment);
  return app;
}
