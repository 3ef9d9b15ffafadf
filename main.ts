/** The CDKTF app: reads the environment, builds the stacks. */
import { App } from 'cdktf';
import path from 'node:path';
import { vaultVariables } from './config/external-vault';
import { loadEnvironment } from './config/load';
import { projectRoot, readToolchain } from './config/toolchain';
import { requireIntactState } from './config/intact-state';
import { declareStacks } from './stacks';
import { printError } from './operations/print-error';

try {
  const { environment, file, state } = loadEnvironment();
  requireIntactState(environment.name, state);
  const app = new App();
  declareStacks(app, {
    environment,
    environmentFile: file,
    state,
    toolchain: readToolchain(),
    runner: { command: `'${path.join(projectRoot, 'operations', 'run')}'` },
    vaultVariables: vaultVariables(process.env),
  });
  app.synth();
} catch (error) {
  process.exitCode = printError(error);
}
