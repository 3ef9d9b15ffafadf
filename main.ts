/** The CDKTF app: reads the environment, builds the stacks. */
import { loadEnvironment } from './config/load';
import { requireNoOtherEngine } from './operations/docker/engine-identity';
import { printError } from './operations/lib/print-error';
import { requireOwnTurn } from './operations/terraform/turn';
import { declareApp } from './stacks/app';

async function synthesize(): Promise<void> {
  const loaded = loadEnvironment();
  const app = declareApp(loaded);
  // before Terraform takes what it does not find there for gone
  await requireNoOtherEngine(loaded);
  await requireOwnTurn(loaded);
  app.synth();
}

synthesize().catch((error: unknown) => {
  process.exitCode = printError(error);
});
