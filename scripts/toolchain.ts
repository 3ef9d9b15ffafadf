/** `./scripts/toolchain`: prerequisites, Docker Engine, images and providers, without deploying anything. */
import { pinEngines } from '../config/docker/docker-engine';
import { loadEnvironment } from '../operations/state/load';
import { readToolchain } from '../operations/toolchain/findings';
import { UsageError } from '../operations/lib/errors';
import { cacheLayout } from '../operations/toolchain/cache';
import { exportToolchain } from '../operations/toolchain/transfer/export';
import { importToolchain } from '../operations/toolchain/transfer/import';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/toolchain [environment] [--json]
       ./scripts/toolchain --export FILE
       ./scripts/toolchain --import FILE [--sha256 SUM]

Makes this machine ready for \`npx cdktf deploy '*'\`: installs what is missing (as root on Debian and Ubuntu), starts
Docker, builds the images and Terraform providers that the environment needs, and writes .toolchain/toolchain.json.
A machine of the same architecture, or one without a network, can take what another one built.

  environment    a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --export FILE  write what was built here into one file, and print its SHA-256
  --import FILE  take what is in such a file, made by the same version of this project; needs no Go
  --sha256 SUM   refuse the file unless it has this SHA-256: of a file from elsewhere, nothing else says whose it is
  --json         print .toolchain/toolchain.json, or what was exported or imported
  -h, --help     this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { json: FLAG, export: TEXT, import: TEXT, sha256: TEXT };

void command('toolchain', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const print = (result: unknown, lines: readonly string[]): void => {
    process.stdout.write(values.json === true ? `${JSON.stringify(result, null, 2)}\n` : `${lines.join('\n')}\n`);
  };
  const { export: target, import: source } = values;
  if (target !== undefined || source !== undefined) {
    if (positionals.length > 0 || (target !== undefined && source !== undefined)) {
      throw new UsageError('--export and --import go alone', 'See ./scripts/toolchain --help.');
    }
  }
  if (values.sha256 !== undefined && (source === undefined || !/^[0-9a-f]{64}$/i.test(values.sha256))) {
    throw new UsageError(
      `--sha256 needs --import and 64 hexadecimal digits, got: ${values.sha256}`,
      'It is what --export printed.',
    );
  }
  if (target !== undefined) {
    const result = await exportToolchain(cacheLayout(), target, signal);
    print(result, [
      `${target} (${(result.bytes / 1e6).toFixed(0)} MB): ${result.files.join(', ')}`,
      ...(result.absent.length > 0 ? [`Not built here, so not in it: ${result.absent.join(', ')}`] : []),
      `SHA-256: ${result.sha256}`,
    ]);
    return;
  }
  if (source !== undefined) {
    const result = await importToolchain(cacheLayout(), source, { sha256: values.sha256, signal });
    print(result, [`Imported: ${result.files.join(', ')}`, `SHA-256 of ${source}: ${result.sha256}`]);
    return;
  }
  const { environment } = loadEnvironment(positionals[0]);
  pinEngines(environment);
  const { prerequisites, engine, builds } = prepareToolchain(toolchainRequest(environment));
  await showSteps([prerequisites, engine, ...builds], signal);
  if (values.json) process.stdout.write(`${JSON.stringify(readToolchain(), null, 2)}\n`);
});
