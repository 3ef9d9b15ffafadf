/** The CDKTF app: reads the environment, builds the stacks. */
import { loadEnvironment } from './config/load';
import { printError } from './operations/print-error';
import { declareApp } from './stacks/app';

try {
  declareApp(loadEnvironment()).synth();
} catch (error) {
  process.exitCode = printError(error);
}
