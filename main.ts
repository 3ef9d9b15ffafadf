/** The CDKTF app: reads the environment, builds the stacks. */
import { App } from 'cdktf';
import path from 'node:path';
import { loadEnvironment } from './config/load';
import { projectRoot, readToolchain } from './config/toolchain';
import { requireIntactState } from './config/intact-state';
import { declareStacks } from './stacks';
import { printError } from './operations/print-error';

try {
  const { environment, file, state } = loadEnvironment();
  requireIntactState(environment.name, state);
  const { VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT } = process.env;
  const app = new App();
  declareStacks(app, {
    environment,
    environmentFile: file,
    state,
    toolchain: readToolchain(),
    runner: { command: `'${path.join(projectRoot, 'operations', 'run')}'` },
    vaultVariables: {
      ...(VAULT_ADDR === undefined ? {} : { address: VAULT_ADDR }),
      ...(VAULT_NAMESPACE === undefined ? {} : { namespace: VAULT_NAMESPACE }),
      ...(VAULT_CACERT === undefined ? {} : { caFile: VAULT_CACERT }),
    },
  });
  app.synth();
} catch (error) {
  process.exitCode = printError(error);
}
