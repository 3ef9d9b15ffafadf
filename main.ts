/** The CDKTF app: reads the environment, builds the stacks. */
import { App } from 'cdktf';
import path from 'node:path';
import { requireHarmlessVaultVariables, vaultVariables } from './config/external-vault';
import { requireSameKeyStore } from './config/key-store-place';
import { loadEnvironment } from './config/load';
import { projectRoot, readToolchain } from './config/toolchain';
import { requireIntactState } from './config/intact-state';
import { retiredKeys } from './config/retired-keys';
import { declareStacks } from './stacks';
import { printError } from './operations/print-error';

try {
  const { environment, file, state } = loadEnvironment();
  requireIntactState(environment.name, state);
  requireHarmlessVaultVariables(environment.vault.mode, process.env);
  const variables = vaultVariables(process.env);
  requireSameKeyStore(environment, variables, state);
  // each terraform_data would ask Terraform for its version again; required_version in every stack says the same
  const app = new App({ skipValidation: true });
  declareStacks(app, {
    environment,
    environmentFile: file,
    state,
    toolchain: readToolchain(),
    retiredKeys: retiredKeys(environment, state),
    runner: {
      command: `'${path.join(projectRoot, 'operations', 'run')}'`,
      ...(environment.docker.host === undefined ? {} : { variables: { DOCKER_HOST: environment.docker.host } }),
    },
    vaultVariables: variables,
  });
  app.synth();
} catch (error) {
  process.exitCode = printError(error);
}
